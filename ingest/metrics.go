package ingest

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"corrosion/schema/wire"
)

// Reasons for dead letters beside those of schema/wire.
const (
	// BadSubject is a subject whose license is not a UUID.
	BadSubject wire.Reason = "bad-subject"
	// ForgedReply is JetStream's answer to a publisher that named another license's subject for it. The license that it
	// came to has no part in it: it is counted, and goes neither to its dead letters nor on its account.
	ForgedReply wire.Reason = "forged-reply"
	// UnknownLicense is a license that does not exist.
	UnknownLicense wire.Reason = "unknown-license"
)

// metrics are the counters of one ingester; the gauges read its status.
type metrics struct {
	samples     prometheus.Counter
	messages    prometheus.Counter
	redelivered prometheus.Counter
	repeated    prometheus.Counter
	skipped     prometheus.Counter
	duplicates  *prometheus.CounterVec
	ignored     prometheus.Counter
	rejected    *prometheus.CounterVec
	letters     *prometheus.CounterVec
	refused     [numOutcomes]prometheus.Counter // nil where the outcome is no quota's
	uncounted   prometheus.Counter
	retries     *prometheus.CounterVec
	ackErrors   prometheus.Counter
	heldOff     prometheus.Counter
	batchRows   prometheus.Histogram
	batchBytes  prometheus.Histogram
	batchAge    prometheus.Histogram
	inserts     prometheus.Histogram

	events         prometheus.Counter
	eventsRejected *prometheus.CounterVec

	all []prometheus.Collector
}

func newMetrics(s *status) *metrics {
	m := &metrics{}
	m.samples = m.counter("samples_stored_total", "Samples that ClickHouse has stored.")
	m.messages = m.counter("messages_total", "Messages taken from JetStream, deliveries of the same one counted once each.")
	m.redelivered = m.counter("messages_redelivered_total", "Messages that JetStream delivered again.")
	m.repeated = m.counter("messages_repeated_total", "Messages delivered again that this process holds or has stored, not stored again.")
	m.skipped = m.counter("samples_skipped_total", "Samples delivered again that ClickHouse had stored already, not stored again.")
	m.duplicates = m.counterVec("duplicates_total", "What publishers sent twice and is not stored again, by kind: samples (server, boot and n), messages (Nats-Msg-Id) and marks of repeated messages.", "kind")
	m.ignored = m.counter("ignored_fields_total", "Unknown fields that are not numbers, left out of stored samples.")
	m.rejected = m.counterVec("samples_rejected_total", "Samples (or whole messages) that could not be stored, by reason.", "reason")
	refused := m.counterVec("quota_refused_total", "What licenses published beyond their quotas and is not stored, by quota: samples, and values (quota_metrics). Of unread messages an estimate.", "quota")
	for o := quotaSamples; o < numOutcomes; o++ {
		m.refused[o] = refused.WithLabelValues(o.String())
	}
	m.uncounted = m.counter("log_lost_total", "Samples that the licenses' ingest log leaves out, because too many minutes waited to be written.")
	m.letters = m.counterVec("dead_letters_total", "Dead letters that JetStream has confirmed, by reason.", "reason")
	m.events = m.counter("events_stored_total", "Marks that ClickHouse has stored.")
	m.eventsRejected = m.counterVec("events_rejected_total", "Marks (or whole messages of them) that could not be stored, by reason.", "reason")
	m.retries = m.counterVec("retries_total", "Tries that failed and were or will be repeated, by step.", "step")
	m.ackErrors = m.counter("ack_errors_total", "Acks that could not be sent; their messages come again and are not stored again.")
	m.heldOff = m.counter("inserts_held_off_total", "INSERTs that waited a moment because rollups were being healed.")
	m.batchRows = m.histogram("batch_rows", "Rows of a batch.", prometheus.ExponentialBuckets(1, 4, 10))
	m.batchBytes = m.histogram("batch_bytes", "Memory of a batch's columns.", prometheus.ExponentialBuckets(1<<10, 4, 9))
	m.batchAge = m.histogram("batch_age_seconds", "From a batch's first message to its end.", prometheus.ExponentialBuckets(0.05, 2, 12))
	m.inserts = m.histogram("insert_seconds", "Time of one INSERT that succeeded.", prometheus.ExponentialBuckets(0.005, 2, 12))

	m.gauge("lag_messages", "Messages in the streams that were not delivered yet.", s, func(f figures) float64 { return float64(f.pending) })
	m.gauge("lag_seconds", "How long the oldest message in the streams has waited.", s, func(f figures) float64 { return f.lag.Seconds() })
	m.gauge("stream_fill_ratio", "How full the fullest stream is; at 1 publishers are refused.", s, func(f figures) float64 { return f.fill })
	m.gauge("ack_pending_messages", "Messages delivered and not acknowledged, as JetStream sees it.", s, func(f figures) float64 { return float64(f.ackPending) })
	m.gauge("held_messages", "Messages taken and not acknowledged.", s, func(f figures) float64 { return float64(f.held) })
	m.gauge("parked_messages", "Messages that wait for their license to be looked up.", s, func(f figures) float64 { return float64(f.parked) })
	m.gauge("oldest_unacked_seconds", "Age of the oldest message held.", s, func(f figures) float64 { return f.oldestAge.Seconds() })
	m.gauge("last_flush_timestamp_seconds", "When the last batch was done; 0 before the first.", s, func(f figures) float64 {
		if f.flushed.IsZero() {
			return 0
		}
		return float64(f.flushed.UnixMilli()) / 1000
	})
	return m
}

const namespace, subsystem = "corrosion", "ingest"

func (m *metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	m.all = append(m.all, c)
	return c
}

func (m *metrics) counterVec(name, help, label string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, []string{label})
	m.all = append(m.all, c)
	return c
}

func (m *metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help, Buckets: buckets})
	m.all = append(m.all, h)
	return h
}

func (m *metrics) gauge(name, help string, s *status, value func(figures) float64) {
	m.all = append(m.all, prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help},
		func() float64 { return value(s.figures()) }))
}

func (m *metrics) register(r prometheus.Registerer) error {
	var faults []error
	for _, c := range m.all {
		faults = append(faults, r.Register(c))
	}
	return errors.Join(faults...)
}

func (m *metrics) unregister(r prometheus.Registerer) {
	for _, c := range m.all {
		r.Unregister(c)
	}
}
