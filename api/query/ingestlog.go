package query

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
)

// IngestRequest asks what became of what a license published. The range is by the minute.
type IngestRequest struct {
	License uuid.UUID
	Range
}

// IngestLog is the answer to an IngestRequest: every outcome has one count for each timestamp.
type IngestLog struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Step is the bucket width as Go writes durations, Timestamps are bucket starts, epoch ms.
	Step       string          `json:"step" doc:"Width of a bucket"`
	Timestamps []int64         `json:"timestamps" doc:"Starts of buckets, epoch ms"`
	Outcomes   []IngestOutcome `json:"outcomes" doc:"What became of the samples; those that never came about have no entry, quotas and accepted aside"`
	Peak       IngestPeak      `json:"peak" doc:"The busiest minutes of the range, as rates"`
}

// IngestOutcome is what happened to some samples.
type IngestOutcome struct {
	Outcome string   `json:"outcome" example:"quota_samples" doc:"accepted, duplicate, rejected:<reason>, or the quota that was exceeded"`
	Unit    string   `json:"unit" enum:"samples,values" doc:"What is counted: samples, or values of custom metrics"`
	Stored  bool     `json:"stored" doc:"Whether the samples are stored"`
	Advice  string   `json:"advice" doc:"What it means and what to do"`
	Total   uint64   `json:"total"`
	Bytes   uint64   `json:"bytes" doc:"Payload as published"`
	Counts  []uint64 `json:"counts" doc:"One for each timestamp"`
}

// IngestPeak is the most that was published in a minute, whatever became of it.
type IngestPeak struct {
	SamplesPerSecond float64 `json:"samples_per_second"`
	BytesPerSecond   float64 `json:"bytes_per_second"`
}

// ingestPoints is how many buckets an answer has at most.
const ingestPoints = 500

// ingestStep is the least step that keeps a range within ingestPoints.
func ingestStep(length time.Duration) time.Duration {
	steps := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, day}
	for _, step := range steps {
		if length/step < ingestPoints-1 {
			return step
		}
	}
	return steps[len(steps)-1]
}

// ingestPlan is how the buckets lie: from the step that holds the range's start to the one that holds its end.
type ingestPlan struct {
	Range
	step   time.Duration
	starts []int64 // ms
}

func planIngest(r Range) ingestPlan {
	r = r.whole()
	r.From = r.From.Truncate(time.Minute)
	if end := r.To.Truncate(time.Minute); end.Before(r.To) {
		r.To = end.Add(time.Minute)
	}
	p := ingestPlan{Range: r, step: ingestStep(r.To.Sub(r.From))}
	step := p.step.Milliseconds()
	for at := floorDiv(r.From.UnixMilli(), step) * step; at < r.To.UnixMilli(); at += step {
		p.starts = append(p.starts, at)
	}
	return p
}

func (p ingestPlan) statements(license uuid.UUID) (log, peak statement) {
	args := []any{
		clickhouse.Named("license", license.String()),
		clickhouse.Named("minute_from", p.From.Unix()), clickhouse.Named("minute_to", p.To.Unix()),
	}
	peak = newStatement("ingest_peak", composition{}, args)
	args = append(args, clickhouse.Named("origin", p.starts[0]), clickhouse.Named("step", p.step.Milliseconds()))
	return newStatement("ingest_log", composition{}, args), peak
}

// IngestLog answers with what became of a license's samples. Errors are as those of Summary.
func (e *Engine) IngestLog(ctx context.Context, r IngestRequest) (*IngestLog, error) {
	retention, err := e.Retention(ctx)
	if err != nil {
		return nil, err
	}
	if fault := r.Range.check(longest(retention)); fault != nil {
		return nil, faulty([]Fault{*fault})
	}
	plan := planIngest(r.Range)
	logged, peak := plan.statements(r.License)
	found := newOutcomes(len(plan.starts))
	err = e.run.query(ctx, logged, func(rows driver.Rows) error {
		var outcome string
		var bucket int64
		var n, bytes uint64
		if err := rows.Scan(&outcome, &bucket, &n, &bytes); err != nil {
			return err
		}
		found.add(outcome, int(bucket), n, bytes)
		return nil
	})
	if err != nil {
		return nil, err
	}
	answer := &IngestLog{From: plan.From, To: plan.To, Step: plan.step.String(), Timestamps: plan.starts, Outcomes: found.list()}
	err = e.run.query(ctx, peak, func(rows driver.Rows) error {
		var samples, bytes uint64
		err := rows.Scan(&samples, &bytes)
		answer.Peak = IngestPeak{float64(samples) / 60, float64(bytes) / 60}
		return err
	})
	return answer, err
}

// outcomes gathers the outcomes by name.
type outcomes struct {
	buckets int
	byName  map[string]*IngestOutcome
}

func newOutcomes(buckets int) *outcomes {
	o := &outcomes{buckets, map[string]*IngestOutcome{}}
	for _, name := range outcomeOrder() {
		o.get(name)
	}
	return o
}

func (o *outcomes) get(name string) *IngestOutcome {
	found := o.byName[name]
	if found == nil {
		found = &IngestOutcome{Outcome: name, Unit: "samples", Advice: adviceOn(name), Counts: make([]uint64, o.buckets)}
		found.Stored = name == schema.OutcomeAccepted || name == schema.OutcomeQuotaMetrics
		if name == schema.OutcomeQuotaMetrics {
			found.Unit = "values"
		}
		o.byName[name] = found
	}
	return found
}

func (o *outcomes) add(name string, bucket int, n, bytes uint64) {
	found := o.get(name)
	found.Total += n
	found.Bytes += bytes
	if bucket >= 0 && bucket < o.buckets {
		found.Counts[bucket] += n
	}
}

// list has accepted first and the reasons of rejects last.
func (o *outcomes) list() []IngestOutcome {
	var all []IngestOutcome
	for _, found := range o.byName {
		all = append(all, *found)
	}
	place := func(name string) int {
		at := slices.Index(outcomeOrder(), name)
		if at < 0 {
			return len(outcomeOrder())
		}
		return at
	}
	slices.SortFunc(all, func(a, b IngestOutcome) int {
		return cmp.Or(place(a.Outcome)-place(b.Outcome), strings.Compare(a.Outcome, b.Outcome))
	})
	return all
}

// outcomeOrder are the outcomes that every answer has.
func outcomeOrder() []string {
	return []string{
		schema.OutcomeAccepted, schema.OutcomeDuplicate, schema.OutcomeQuotaSamples, schema.OutcomeQuotaBytes,
		schema.OutcomeQuotaServers, schema.OutcomeQuotaMetrics,
	}
}

// adviceOn tells a tenant what an outcome means and what to do.
func adviceOn(outcome string) string {
	switch outcome {
	case schema.OutcomeAccepted:
		return "Stored."
	case schema.OutcomeDuplicate:
		return "Sent more than once and stored once. Publishers that repeat after a lost acknowledgement cause it; nothing needs to be done."
	case schema.OutcomeQuotaSamples:
		return "Not stored: more samples a second than the quota, and a minute's worth saved up was used. Report less often, or ask the operator for a larger quota."
	case schema.OutcomeQuotaBytes:
		return "Not stored: more bytes a second than the quota, after decompression, and a minute's worth saved up was used. Send fewer custom metrics a sample, or ask the operator for a larger quota."
	case schema.OutcomeQuotaServers:
		return "Not stored: more different server_id values within an hour than the quota; servers known before are stored. Give each server one lasting server_id, or ask the operator for a larger quota."
	case schema.OutcomeQuotaMetrics:
		return "Values left out of samples that are stored: more different names of custom metrics within an hour than the quota; names known before are stored. Do not put player names, ids or times into names, or ask the operator for a larger quota."
	}
	if reason, rejected := strings.CutPrefix(outcome, schema.OutcomeRejected); rejected {
		return "Bad samples, kept as dead letters with the reason " + reason + ". The operator can show them, and bring them in after a fix."
	}
	return ""
}
