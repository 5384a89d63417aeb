package natsauth

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Subjects counts operations on subjects that a user has no right to. Only a
// server in this process tells them.
type Subjects func() (publish, subscribe int64)

// Metrics counts what was denied and what was ended. It is a prometheus
// collector.
type Metrics struct {
	subjects atomic.Pointer[Subjects]
	logins   map[string]*atomic.Int64 // by reason; never changes
	kicked   atomic.Int64
	answered atomic.Int64
	lost     atomic.Int64
}

// NewMetrics has all kinds at zero; subjects may be nil.
func NewMetrics(subjects Subjects) *Metrics {
	m := &Metrics{logins: map[string]*atomic.Int64{}}
	for _, kind := range []string{DeniedPassword, DeniedOldPassword, DeniedUnknown, DeniedSuspended, DeniedThrottled, DeniedUnavailable} {
		m.logins[kind] = &atomic.Int64{}
	}
	if subjects != nil {
		m.subjects.Store(&subjects)
	}
	return m
}

func (m *Metrics) denied(kind string) { m.logins[kind].Add(1) }

// Denied is how many logins were denied for one reason.
func (m *Metrics) Denied(kind string) int64 { return m.logins[kind].Load() }

// Kicked is how many live connections were ended.
func (m *Metrics) Kicked() int64 { return m.kicked.Load() }

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	denied := prometheus.NewDesc("corrosion_nats_denied_total",
		"What NATS users were denied, by kind: logins by reason, and (local server only) publish and subscribe on subjects without a right.", []string{"kind"}, nil)
	send := func(d *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	for kind, count := range m.logins {
		send(denied, count.Load(), kind)
	}
	if subjects := m.subjects.Load(); subjects != nil {
		publish, subscribe := (*subjects)()
		send(denied, publish, "publish")
		send(denied, subscribe, "subscribe")
	}
	send(prometheus.NewDesc("corrosion_nats_kicked_total", "Live connections that were ended because their login no longer holds.", nil, nil), m.kicked.Load())
	send(prometheus.NewDesc("corrosion_nats_callout_answers_total", "Logins that a NATS server of the operator's own asked about and that were answered.", nil, nil), m.answered.Load())
	send(prometheus.NewDesc("corrosion_nats_callout_faults_total", "Questions of a NATS server that could not be read or answered.", nil, nil), m.lost.Load())
}
