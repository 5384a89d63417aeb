package live

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	samples, frames, seeds, dropped prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, count func() (listeners, networks int)) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		samples: counter("corrosion_live_samples_total", "Samples read from NATS for live streams."),
		frames:  counter("corrosion_live_frames_total", "Frames made for live streams, whoever got them."),
		seeds:   counter("corrosion_live_seeds_total", "Questions to ClickHouse for newest samples."),
		dropped: counter("corrosion_live_dropped_total", "Times that messages came faster than they could be read."),
	}
	gauge := func(name, help string, of func(listeners, networks int) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(of(count())) })
	}
	for _, c := range []prometheus.Collector{
		m.samples, m.frames, m.seeds, m.dropped,
		gauge("corrosion_live_listeners", "Live streams that are open.", func(l, _ int) int { return l }),
		gauge("corrosion_live_licenses", "Licenses that are followed for live streams.", func(_, n int) int { return n }),
	} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}
