package encode

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"corrosion/schema"
	"corrosion/schema/pause"
)

// Watermark is a moment of the engine's clock, in whole steps of schema.StoredAtStep, before which nothing can be stored
// any more: a row whose stored_at is earlier is visible to every query that begins after Watermark has returned, and none
// with an earlier one will ever come.
//
// stored_at is evaluated once an INSERT stands in system.processes, and an INSERT leaves that list only when its rows can
// be seen. So the bound is the start of the oldest INSERT under way, or now: one that begins later has a later stored_at.
// When it was sent, in which order partitions were written, or how often it was tried does not matter.
//
// An earlier watermark stays true: since, which may be zero, is one, and what is given is never before it, however the
// starts of INSERTs are rounded.
//
// What could be seen when Watermark was called is below the bound unless an INSERT runs for longer than MaxSettle.
func (e *Exporter) Watermark(ctx context.Context, since time.Time) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.MaxExecution)
	defer cancel()
	var first int64
	deadline := time.Now().Add(e.cfg.MaxSettle)
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		now, bound, err := e.readWatermark(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if first == 0 {
			first = now
		}
		if bound > first || !time.Now().Before(deadline) {
			return later(time.UnixMilli(bound*schema.StoredAtStep.Milliseconds()).UTC(), since), nil
		}
		if !pause.For(ctx, wait) {
			return time.Time{}, context.Cause(ctx)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// readWatermark gives the engine's clock and the bound, both in steps of stored_at, rounded down as stored_at is.
func (e *Exporter) readWatermark(ctx context.Context) (now, bound int64, err error) {
	if e.store.Cluster() != "" {
		return e.readWatermarks(ctx)
	}
	text, err := e.ask(ctx, "watermark", statement{text: e.watermark})
	if err != nil {
		return 0, 0, fmt.Errorf("read watermark: %w", err)
	}
	var ms, inserts, oldest int64
	if _, err := fmt.Sscan(text, &ms, &inserts, &oldest); err != nil {
		return 0, 0, fmt.Errorf("read watermark: %w", err)
	}
	start := ms
	if inserts > 0 {
		start = ms - oldest - watermarkSlack
	}
	step := schema.StoredAtStep.Milliseconds()
	return ms / step, start / step, nil
}

// watermarkSlack is for rounding, ms: the list of INSERTs is read after the clock, which errs the right way.
const watermarkSlack = 2

// readWatermarks is readWatermark of a cluster, whose nodes each store by their own clock: now is the latest of these, and the
// bound the earliest of the nodes' own.
func (e *Exporter) readWatermarks(ctx context.Context) (now, bound int64, err error) {
	clocks, err := e.askNodes(ctx, "node_clocks")
	if err != nil {
		return 0, 0, err
	}
	inserts, err := e.askNodes(ctx, "node_inserts")
	if err != nil {
		return 0, 0, err
	}
	step, first := schema.StoredAtStep.Milliseconds(), true
	for node, clock := range clocks {
		oldest, known := inserts[node]
		if !known {
			return 0, 0, fmt.Errorf("%w: node %d does not say what it inserts", ErrUnavailable, node)
		}
		start := clock - oldest - watermarkSlack
		if first || start < bound {
			bound, first = start, false
		}
		now = max(now, clock)
	}
	return now / step, bound / step, nil
}

// askNodes asks each node of the cluster for a number.
func (e *Exporter) askNodes(ctx context.Context, question string) (map[int64]int64, error) {
	raw, err := sqlFiles.ReadFile("sql/" + question + ".sql")
	if err != nil {
		return nil, err
	}
	text, err := e.ask(ctx, "watermark", statement{text: string(raw), params: map[string]string{"cluster": e.store.Cluster()}})
	if err != nil {
		return nil, fmt.Errorf("read watermark: %w", err)
	}
	answers := map[int64]int64{}
	for line := range strings.Lines(text) {
		var node, answer int64
		if _, err := fmt.Sscan(line, &node, &answer); err != nil {
			return nil, fmt.Errorf("read watermark: %w", err)
		}
		answers[node] = answer
	}
	return answers, nil
}

// Day is a UTC day and how many rows of an export it has.
type Day struct {
	Start time.Time
	Rows  uint64
}

// Plan counts what Export would write, by UTC day and in their order; days without a row are left out.
func (e *Exporter) Plan(ctx context.Context, r Request) ([]Day, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	plan, err := buildPlan(e.templates, r)
	if err != nil {
		return nil, fmt.Errorf("build plan SQL: %w", err)
	}
	text, err := e.ask(ctx, "plan", plan)
	if err != nil {
		return nil, fmt.Errorf("plan export: %w", err)
	}
	var days []Day
	for line := range strings.Lines(text) {
		day, rows, _ := strings.Cut(strings.TrimSpace(line), "\t")
		start, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, fmt.Errorf("read plan: %w", err)
		}
		count, err := strconv.ParseUint(rows, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read plan: %w", err)
		}
		days = append(days, Day{start, count})
	}
	return days, nil
}

// maxReply bounds the answer to a question beside exports.
const maxReply = 64 << 10

// ask runs a small query and gives its whole answer.
func (e *Exporter) ask(ctx context.Context, kind string, s statement) (string, error) {
	values := url.Values{"wait_end_of_query": {"1"}}
	for name, value := range e.endpoint.Query() {
		values[name] = value
	}
	e.bound(values, kind, s)
	response, err := e.post(ctx, s.text, values)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if len(text) > maxReply {
		return "", fmt.Errorf("%w: answer of more than %d bytes", ErrBroken, maxReply)
	}
	return string(text), nil
}
