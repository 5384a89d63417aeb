package query

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"corrosion/schema"
)

// Timeseries answers with one value a bucket, metric and series. Errors are *Faults where the request is at fault, and
// wrap ErrUnavailable or ErrTooHeavy where ClickHouse is.
func (e *Engine) Timeseries(ctx context.Context, r TimeseriesRequest) (*Timeseries, error) {
	retention, err := e.Retention(ctx)
	if err != nil {
		return nil, err
	}
	if r.split() {
		return e.grouped(ctx, r, retention)
	}
	r = r.withDefaults()
	plan, err := planTimeseries(r, e.now(), retention, e.cfg)
	if err != nil {
		return nil, err
	}
	weight, err := e.weigh(ctx, r, plan)
	if err != nil {
		return nil, err
	}
	table := newSeriesTable(r, plan, e.cfg)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(e.cfg.Concurrency)
	for _, s := range seriesStatements(r, plan, weight) {
		group.Go(func() error { return e.run.series(groupCtx, s, table.add) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	answer := table.answer()
	fillSeries(answer, r.Fill)
	return answer, nil
}

func (r TimeseriesRequest) withDefaults() TimeseriesRequest {
	if r.Agg == "" {
		r.Agg = Avg
	}
	if r.Fill == "" {
		r.Fill = FillNull
	}
	r.Range = r.Range.whole()
	r.Metrics = distinct(r.Metrics)
	r.Servers = distinct(r.Servers)
	return r
}

func distinct(list []string) []string {
	list = slices.Clone(list)
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(list, func(s string) bool {
		known := seen[s]
		seen[s] = true
		return known
	})
}

// weight is what is asked beforehand.
type weight struct {
	// sketch says that there are too many raw samples for exact percentiles.
	sketch bool
	cover  coverage
}

// weigh asks what cannot be known from the request: how many servers an answer would be split by, whether there are too
// many samples for exact percentiles, and what the license's own rollups may answer.
func (e *Engine) weigh(ctx context.Context, r TimeseriesRequest, p seriesPlan) (w weight, err error) {
	grouped, percentiles := r.GroupBy == GroupServer, isPercentile(r.Agg) && p.source == schema.Raw
	if !grouped && p.coverable() {
		if w.cover, err = e.cover(ctx, r.Scope, p.spans(e.now(), e.rawKept())); err != nil {
			return w, err
		}
	}
	if w.cover.whole || !grouped && !percentiles {
		w.sketch = percentiles && w.cover.samples > e.cfg.ExactPercentileSamples
		return w, nil
	}
	found, err := e.run.estimate(ctx, estimateStatement(r.Scope, p.Range))
	if err != nil {
		return w, err
	}
	if grouped {
		err = checkSize(len(p.partial), int(found.servers), len(r.Metrics), e.cfg)
	}
	w.sketch = percentiles && found.samples > e.cfg.ExactPercentileSamples
	return w, err
}

// coverable tells whether the buckets are ones that rollups of minutes and hours can fill.
func (p seriesPlan) coverable() bool {
	return p.step >= time.Minute && multiples(p.edges, minute)
}

// spans are the parts of the answer.
func (p seriesPlan) spans(now time.Time, kept time.Duration) spans {
	s := spans{hourFrom: p.From, cut: p.cut, to: p.To, checkFrom: now.Add(-kept - day)}
	if p.source == schema.Raw {
		s.hourFrom = p.cut
	}
	return s
}

// seriesTable collects rows as they come, from several queries at once.
type seriesTable struct {
	request TimeseriesRequest
	plan    seriesPlan
	cfg     Config
	even    bool

	// mu covers all below.
	mu sync.Mutex
	// values holds, for each server ("" where series are not split), one slice of buckets a metric.
	values map[string][][]*float64
	bounds bool
}

func newSeriesTable(r TimeseriesRequest, p seriesPlan, c Config) *seriesTable {
	t := &seriesTable{request: r, plan: p, cfg: c, even: even(p.edges, p.step.Milliseconds()), values: make(map[string][][]*float64)}
	if r.GroupBy == GroupNone {
		t.values[""] = t.newValues()
	}
	return t
}

func (t *seriesTable) newValues() [][]*float64 {
	values := make([][]*float64, len(t.request.Metrics))
	for i := range values {
		values[i] = make([]*float64, len(t.plan.partial))
	}
	return values
}

// add puts a row into its place. More servers than an answer may have are a fault.
func (t *seriesTable) add(names []string, row *seriesRow) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	values, known := t.values[row.server]
	if !known {
		if err := checkSize(len(t.plan.partial), len(t.values)+1, len(t.request.Metrics), t.cfg); err != nil {
			return err
		}
		values = t.newValues()
		t.values[row.server] = values
	}
	bucket := int(row.bucket)
	if !t.even {
		bucket = t.plan.bucketOf(row.bucket)
	}
	if bucket < 0 || bucket >= len(t.plan.partial) {
		return fmt.Errorf("bucket %d of %d", bucket, len(t.plan.partial))
	}
	for i, value := range row.values {
		metric, err := strconv.Atoi(strings.TrimPrefix(names[2+i], "v"))
		if err != nil {
			return fmt.Errorf("column %s: %w", names[2+i], err)
		}
		values[metric][bucket] = number(value)
	}
	t.bounds = t.bounds || row.servers > 1 && (t.request.Agg == Min || t.request.Agg == Max)
	return nil
}

// answer is the table as columns: series by server, then metric.
func (t *seriesTable) answer() *Timeseries {
	p := t.plan
	answer := &Timeseries{
		From: p.From.UTC(), To: p.To.UTC(), Step: p.step.String(), Source: p.source,
		Timestamps: p.edges[:len(p.partial):len(p.partial)], Partial: p.partial, Series: []Series{},
	}
	if t.bounds {
		answer.Exact = new(bool)
	}
	servers := make([]string, 0, len(t.values))
	for server := range t.values {
		servers = append(servers, server)
	}
	slices.Sort(servers)
	for _, server := range servers {
		for i, metric := range t.request.Metrics {
			s := Series{Metric: metric, Agg: t.request.Agg, Unit: unitOf(metric, t.request.Agg), Values: t.values[server][i]}
			if t.request.GroupBy == GroupServer {
				s.ServerID = &server
			}
			answer.Series = append(answer.Series, s)
		}
	}
	return answer
}

// unitOf is the unit of a value: counts count samples; custom metrics have none.
func unitOf(metric string, agg Agg) string {
	if agg == Count {
		return "samples"
	}
	field, known := schema.FieldByName(metric)
	if !known {
		return ""
	}
	return field.Info().Unit
}
