package query

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

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
	r = r.withDefaults()
	plan, err := planTimeseries(r, e.now(), retention, e.cfg)
	if err != nil {
		return nil, err
	}
	sketch, err := e.weigh(ctx, r, plan)
	if err != nil {
		return nil, err
	}
	table := newSeriesTable(r, plan, e.cfg)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(e.cfg.Concurrency)
	for _, s := range seriesStatements(r, plan, sketch) {
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

// weigh asks beforehand what cannot be known from the request: how many servers an answer would be split by, and
// whether there are too many samples for exact percentiles.
func (e *Engine) weigh(ctx context.Context, r TimeseriesRequest, p seriesPlan) (sketch bool, err error) {
	grouped, percentiles := r.GroupBy == GroupServer, isPercentile(r.Agg) && p.source == schema.Raw
	if !grouped && !percentiles {
		return false, nil
	}
	weight, err := e.run.estimate(ctx, estimateStatement(r.Scope, p.Range))
	if err != nil {
		return false, err
	}
	if grouped {
		err = checkSize(len(p.partial), int(weight.servers), len(r.Metrics), e.cfg)
	}
	return percentiles && weight.samples > e.cfg.ExactPercentileSamples, err
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
