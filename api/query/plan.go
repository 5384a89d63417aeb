package query

import (
	"fmt"
	"slices"
	"time"

	"corrosion/schema"
)

const (
	// clockSlack lets a range that was as long as raw retention when it was asked for, and began up to a minute early,
	// still be so when it is planned.
	clockSlack = 2 * time.Minute
	// maxRawTail is how much of a mixed answer comes from raw, so that its newest bucket is from one table.
	maxRawTail = 3 * time.Hour
)

// stepLadder holds the round steps to choose from.
var stepLadder = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	day, 2 * day, 7 * day, 14 * day, 28 * day, 91 * day, 364 * day,
}

// seriesPlan says how a timeseries is answered: hours fill [Range.From, cut), raw fills [cut, Range.To).
type seriesPlan struct {
	Range
	step   time.Duration
	source schema.Resolution
	cut    time.Time
	// edges are the starts of the buckets and the end of the last one, ms since the epoch.
	edges []int64
	// partial tells for each bucket whether From, To or now cuts it.
	partial []bool
}

// planTimeseries decides which table answers, with which step and buckets. It is pure. Errors are *Faults.
//
//  1. check: the request by itself;
//  2. reach: does the range begin before raw retention, and do the hours keep what is asked;
//  3. step and edges: as asked, or the first of the ladder that needs no more than MaxPoints;
//  4. source: raw, hours, or hours with a tail of raw; hours widen the range;
//  5. partial: which buckets are cut.
func planTimeseries(r TimeseriesRequest, now time.Time, retention schema.Retention, c Config) (seriesPlan, error) {
	if err := r.check(c, retention); err != nil {
		return seriesPlan{}, err
	}
	rawFrom := now.Add(-retention.Raw - clockSlack)
	old := r.From.Before(rawFrom)
	lost := notKept(r)
	if old && lost != nil {
		return seriesPlan{}, &Faults{Code: CodeAggNotKept, List: lost}
	}
	p := seriesPlan{Range: r.Range}
	if err := p.choose(r, c, old, lost == nil); err != nil {
		return seriesPlan{}, err
	}
	if old {
		p.mix(r.To, now, rawFrom)
	}
	p.partial = partialBuckets(p.edges, p.Range, now)
	return p, checkSize(len(p.partial), max(1, groups(r)), len(r.Metrics), c)
}

// check finds what is wrong with the request by itself.
func (r TimeseriesRequest) check(c Config, retention schema.Retention) error {
	var faults []Fault
	if fault := r.Range.check(longest(retention)); fault != nil {
		faults = append(faults, *fault)
	}
	_, wrong := ParseMetrics(r.Metrics)
	faults = append(faults, wrong...)
	faults = append(faults, r.Scope.check()...)
	for _, fault := range []*Fault{second(ParseAgg(string(r.Agg))), second(ParseFill(string(r.Fill))), second(ParseGroupBy(string(r.GroupBy)))} {
		if fault != nil {
			faults = append(faults, *fault)
		}
	}
	if r.Step != 0 {
		if fault := checkStep(r.Step); fault != nil {
			faults = append(faults, *fault)
		}
	}
	if r.MaxPoints < 0 || r.MaxPoints > c.MaxPoints {
		faults = append(faults, Fault{"query.max_points", fmt.Sprintf("must be from 1 to %d", c.MaxPoints), r.MaxPoints})
	}
	return faulty(faults)
}

func second[T any](_ T, fault *Fault) *Fault { return fault }

// groups is how many series of one metric are sure to be asked for.
func groups(r TimeseriesRequest) int {
	if r.GroupBy == GroupServer {
		return len(r.Servers)
	}
	return 1
}

// notKept are the metrics whose aggregation the hours do not keep.
func notKept(r TimeseriesRequest) (faults []Fault) {
	if !isPercentile(r.Agg) {
		return nil
	}
	for _, name := range r.Metrics {
		if field, known := schema.FieldByName(name); known && field.Info().Sketch {
			continue
		}
		message := fmt.Sprintf("%s of %s is not kept by the hours, and the range begins before the raw samples that are still stored", r.Agg, name)
		faults = append(faults, Fault{"query.agg", message, string(r.Agg)})
	}
	return faults
}

func isPercentile(a Agg) bool { return a == P05 || a == P50 || a == P95 || a == P99 }

// isTotal tells whether a metric is summed over servers in the answer.
func isTotal(metric string, group GroupBy) bool {
	field, known := schema.FieldByName(metric)
	return known && field.Info().Additive && group == GroupNone
}

// choose sets step, source, edges and the widened range.
func (p *seriesPlan) choose(r TimeseriesRequest, c Config, old, kept bool) error {
	if r.Step == 0 {
		return p.chooseFromLadder(r, c, old, kept)
	}
	// The step as asked for counts: a million points are refused, not made fewer in silence.
	if points := r.To.Sub(r.From) / r.Step; int(points) > c.MaxPoints {
		return tooManyPoints(int(points), c)
	}
	step := r.Step
	if old && step%time.Hour != 0 {
		step = step.Truncate(time.Hour) + time.Hour
	}
	if !p.try(r, step, c.MaxPoints, old, kept) {
		return tooManyPoints(c.MaxPoints+1, c)
	}
	return nil
}

func (p *seriesPlan) chooseFromLadder(r TimeseriesRequest, c Config, old, kept bool) error {
	points := r.MaxPoints
	if points == 0 {
		points = c.DefaultPoints
	}
	for _, step := range stepLadder {
		if (!old || step >= time.Hour) && p.try(r, step, points, old, kept) {
			return nil
		}
	}
	// One or two points: a step as wide as the range still meets an edge within it.
	p.try(r, stepLadder[len(stepLadder)-1], c.MaxPoints, old, kept)
	return nil
}

// try sets the plan to step and tells whether that needs no more than most buckets. Young data with steps of whole
// hours comes from the hours where they keep the aggregation and the zone's edges are whole UTC hours.
func (p *seriesPlan) try(r TimeseriesRequest, step time.Duration, most int, old, kept bool) bool {
	g := newGrid(step, r.zone())
	p.step, p.source, p.Range = step, schema.Raw, r.Range
	if kept && (old || step%time.Hour == 0) {
		wide := Range{From: schema.FloorHour(r.From), To: schema.CeilHour(r.To)}
		edges := g.hourEdges(wide.From.UnixMilli(), wide.To.UnixMilli(), most)
		if old || edges != nil && slices.Equal(edges, g.edges(wide.From.UnixMilli(), wide.To.UnixMilli(), most)) {
			p.source, p.Range, p.edges, p.cut = schema.Hourly, wide, edges, wide.To
			return edges != nil
		}
	}
	p.edges, p.cut = g.edges(r.From.UnixMilli(), r.To.UnixMilli(), most), r.From
	return p.edges != nil
}

func (r TimeseriesRequest) zone() *time.Location {
	if r.TZ == nil {
		return time.UTC
	}
	return r.TZ
}

// mix lets raw answer the newest bucket, or the newest hour of a wide one, where raw is still whole: then to need not
// widen, and the newest values are those of raw. The older hours hold the same rows at a fraction of the cost.
func (p *seriesPlan) mix(to, now, rawFrom time.Time) {
	end := to
	if now.Before(end) {
		end = now
	}
	cut := schema.CeilHour(end).Add(-time.Hour)
	for _, edge := range slices.Backward(p.edges) {
		if start := time.UnixMilli(edge).UTC(); start.Before(end) {
			if end.Sub(start) <= maxRawTail && !start.Before(rawFrom) {
				cut = start
			}
			break
		}
	}
	if cut.Before(rawFrom) || !cut.After(p.From) {
		return
	}
	p.source, p.cut, p.To = schema.Mixed, cut, to
}

// partialBuckets marks the buckets that from, to or now cuts.
func partialBuckets(edges []int64, r Range, now time.Time) []bool {
	from, to := r.From.UnixMilli(), min(r.To.UnixMilli(), now.UnixMilli())
	partial := make([]bool, len(edges)-1)
	for i := range partial {
		partial[i] = edges[i] < from || edges[i+1] > to
	}
	return partial
}

// checkSize refuses answers with too many points a series or values in all.
func checkSize(points, groups, metrics int, c Config) error {
	if points > c.MaxPoints {
		return tooManyPoints(points, c)
	}
	if values := points * groups * metrics; values > c.MaxValues {
		message := fmt.Sprintf("makes %d values in all; at most %d are allowed: take a wider step, fewer metrics or fewer servers", values, c.MaxValues)
		return &Faults{Code: CodeTooManyPoints, List: []Fault{{"query.step", message, values}}}
	}
	return nil
}

func tooManyPoints(points int, c Config) error {
	message := fmt.Sprintf("makes %d points a series or more; at most %d are allowed: take a wider step or a shorter range", points, c.MaxPoints)
	return &Faults{Code: CodeTooManyPoints, List: []Fault{{"query.step", message, points}}}
}

// bucketOf is the index of the bucket that starts at t or holds it; t lies within the edges.
func (p seriesPlan) bucketOf(t int64) int {
	i, found := slices.BinarySearch(p.edges, t)
	if !found {
		i--
	}
	return i
}

// summaryPlan says how a summary is answered. Hours fill [hourFrom, hourTo) of what every hour keeps exactly, and raw
// the edges of the range; one-minute totals come from raw in [cut, To) and from hours in [From, cut).
type summaryPlan struct {
	Range
	source           schema.Resolution
	cut              time.Time
	hourFrom, hourTo time.Time
}

// planSummary is pure. Beyond raw retention the range widens to whole UTC hours.
func planSummary(r Range, now time.Time, retention schema.Retention) summaryPlan {
	rawFrom := now.Add(-retention.Raw - clockSlack)
	p := summaryPlan{Range: r, source: schema.Raw, cut: r.From}
	if r.From.Before(rawFrom) {
		p.From, p.source, p.cut = schema.FloorHour(r.From), schema.Mixed, schema.CeilHour(rawFrom)
		if !p.cut.Before(r.To) {
			p.To, p.source = schema.CeilHour(r.To), schema.Hourly
			p.cut = p.To
		}
	}
	p.hourFrom, p.hourTo = schema.CeilHour(p.From), schema.FloorHour(p.To)
	if p.hourTo.Before(p.hourFrom) { // from and to within one hour
		p.hourFrom, p.hourTo = p.To, p.To
	}
	return p
}
