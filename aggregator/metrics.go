package aggregator

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const namespace, subsystem = "corrosion", "aggregator"

// metrics are the counters of one aggregator.
type metrics struct {
	runs     *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	checked  prometheus.Counter
	healed   prometheus.Counter
	removed  prometheus.Counter
	held     prometheus.Histogram
	lastDone *prometheus.GaugeVec
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	}
	return &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "job_runs_total",
			Help: "Runs of jobs that this process did, by job, cause and result (ok, failed)."}, []string{"job", "cause", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "job_seconds",
			Help: "Time of one run.", Buckets: prometheus.ExponentialBuckets(0.05, 3, 10)}, []string{"job"}),
		checked: counter("hours_checked_total", "Hours of licenses that were compared with their rows."),
		healed:  counter("hours_healed_total", "Hours of licenses whose rollup was not what their rows give and was rebuilt."),
		removed: counter("rows_removed_total", "Rows that were stored twice and are removed."),
		held: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "inserts_held_seconds",
			Help: "How long inserts were held off at once while rollups were healed.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 11)}),
		lastDone: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: "job_last_success_timestamp_seconds",
			Help: "When a job last ended well in this process."}, []string{"job"}),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.runs, m.seconds, m.checked, m.healed, m.removed, m.held, m.lastDone}
}

func (m *metrics) register(r prometheus.Registerer) error {
	var faults []error
	for _, c := range m.all() {
		faults = append(faults, r.Register(c))
	}
	return errors.Join(faults...)
}

// Health is whether rollups are kept equal to their rows.
type Health struct {
	OK bool
	// Reasons say, for an operator, what is wrong; empty where OK.
	Reasons []string
}

// status is what Health reads. The runner and the watch write it.
type status struct {
	now func() time.Time

	mu     sync.Mutex // covers what follows
	failed map[string]failure
	away   failure // of looking for changes
}

// failure is how often something failed in a row, and why at last.
type failure struct {
	times int
	err   error
	since time.Time
}

func (f failure) next(err error, now time.Time) failure {
	if err == nil {
		return failure{}
	}
	if f.times == 0 {
		f.since = now
	}
	return failure{f.times + 1, err, f.since}
}

func (s *status) ended(job string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed[job] = s.failed[job].next(err, s.now())
}

func (s *status) looked(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = s.away.next(err, s.now())
}

// unhealthyAfter is how many failures of a job in a row are a fault: one alone is tried again first.
const unhealthyAfter = 3

// awayFor is how long looking for changes may fail.
const awayFor = time.Minute

// Health lists what is wrong now. Other aggregators' troubles are theirs.
func (a *Aggregator) Health() Health {
	s := a.status
	s.mu.Lock()
	defer s.mu.Unlock()
	var reasons []string
	for _, name := range a.Names() {
		if f := s.failed[name]; f.times >= unhealthyAfter {
			reasons = append(reasons, fmt.Sprintf("job %s failed %d times since %s: %.200v", name, f.times, f.since.UTC().Format(time.RFC3339), f.err))
		}
	}
	if s.away.times > 0 && s.now().Sub(s.away.since) > awayFor {
		reasons = append(reasons, fmt.Sprintf("cannot look for changed hours since %s: %.200v", s.away.since.UTC().Format(time.RFC3339), s.away.err))
	}
	return Health{OK: len(reasons) == 0, Reasons: reasons}
}

func (a *Aggregator) observed(job string, cause Cause, took time.Duration, f Figures, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	} else {
		a.metrics.lastDone.WithLabelValues(job).Set(float64(a.now().UnixMilli()) / 1000)
	}
	a.metrics.runs.WithLabelValues(job, string(cause), result).Inc()
	a.metrics.seconds.WithLabelValues(job).Observe(took.Seconds())
	a.metrics.checked.Add(float64(f.Checked))
	a.metrics.healed.Add(float64(f.Healed))
	a.metrics.removed.Add(float64(f.Removed))
	if a.ctx.Err() == nil {
		a.status.ended(job, err)
	}
}

// held notes how long inserts were held off.
func (a *Aggregator) held(took time.Duration) {
	a.metrics.held.Observe(took.Seconds())
	a.Runner.log.Debug("held inserts off", "took", took.Round(time.Millisecond))
}
