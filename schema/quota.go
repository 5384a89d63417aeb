package schema

import (
	"errors"
	"fmt"
)

// Quotas bound what one license may publish; 0 is without bound.
type Quotas struct {
	// SamplesPerSecond and BytesPerSecond (of payload, decompressed) are rates. A license that sent less may send up to
	// QuotaBurst seconds' worth at once.
	SamplesPerSecond, BytesPerSecond int64
	// Servers and MetricNames are how many different ones may come within an hour.
	Servers, MetricNames int64
}

// QuotaBurst is how many seconds' worth of its rates a license may save up.
const QuotaBurst = 60

// MaxQuota bounds every quota, so that a burst of it can be counted.
const MaxQuota = 1 << 50

// DefaultQuotas are far above what a healthy network of 10,000 servers sends, and below what would harm the others.
func DefaultQuotas() Quotas {
	return Quotas{SamplesPerSecond: 100_000, BytesPerSecond: 50 << 20, Servers: 20_000, MetricNames: 20_000}
}

// Validate names every quota that cannot be.
func (q Quotas) Validate() error {
	var faults []error
	for _, one := range []struct {
		name  string
		value int64
	}{
		{"samples per second", q.SamplesPerSecond}, {"bytes per second", q.BytesPerSecond},
		{"servers", q.Servers}, {"metric names", q.MetricNames},
	} {
		if one.value < 0 || one.value > MaxQuota {
			faults = append(faults, fmt.Errorf("quota of %s is %d: want 0 (without bound) to %d", one.name, one.value, int64(MaxQuota)))
		}
	}
	return errors.Join(faults...)
}

// QuotaOverrides are one license's own quotas; nil: that of the installation.
type QuotaOverrides struct {
	SamplesPerSecond, BytesPerSecond *int64
	Servers, MetricNames             *int64
}

// Over gives the quotas that hold for the license.
func (o QuotaOverrides) Over(q Quotas) Quotas {
	for _, one := range []struct {
		own *int64
		to  *int64
	}{
		{o.SamplesPerSecond, &q.SamplesPerSecond}, {o.BytesPerSecond, &q.BytesPerSecond},
		{o.Servers, &q.Servers}, {o.MetricNames, &q.MetricNames},
	} {
		if one.own != nil {
			*one.to = *one.own
		}
	}
	return q
}

// What became of published samples, as ingest_log names it. Beside these there is OutcomeRejected and a reason.
const (
	OutcomeAccepted     = "accepted"
	OutcomeDuplicate    = "duplicate"
	OutcomeQuotaSamples = "quota_samples"
	OutcomeQuotaBytes   = "quota_bytes"
	OutcomeQuotaServers = "quota_servers"
	OutcomeQuotaMetrics = "quota_metrics"
	// OutcomeRejected stands before the reason of a dead letter.
	OutcomeRejected = "rejected:"
)

// IngestLogTable counts outcomes by license and minute.
const IngestLogTable = Database + ".ingest_log"
