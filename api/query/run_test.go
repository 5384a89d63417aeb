package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestStoreAwayIsUnavailable(t *testing.T) {
	server := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.RetentionFor = 0
	engine := New(schematest.Connect(t, server.URL()), cfg, time.Now)
	r := SummaryRequest{Scope{License: uuid.New()}, Range{time.Now().Add(-time.Hour), time.Now()}}
	if _, err := engine.Summary(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	if _, err := engine.Summary(t.Context(), r); !errors.Is(err, ErrUnavailable) {
		t.Errorf("retention: got %v, want ErrUnavailable", err)
	}
	engine.cfg.RetentionFor = time.Hour
	if _, err := engine.Summary(t.Context(), r); !errors.Is(err, ErrUnavailable) {
		t.Errorf("summary: got %v, want ErrUnavailable", err)
	}
}

// Digits that come from adding shares of a total are left out; what was measured stays.
func TestNumber(t *testing.T) {
	f := func(v, want float64) {
		t.Helper()
		if got := number(&v); got == nil || *got != want {
			t.Errorf("%v: got %s, want %v", v, show(got), want)
		}
	}
	f(2888.9999999999995, 2889)
	f(0.1+0.2, 0.3)
	f(-59.97, -59.97)
	f(1.0/3, 0.333333333333333)
	f(0, 0)
	f(1<<53-1, 1<<53-1)
	f(123456789012345.6, 123456789012346)
	f(math.MaxFloat64, math.MaxFloat64)
	f(5e-324, 5e-324)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := number(&v); got != nil {
			t.Errorf("%v: got %s", v, show(got))
		}
	}
	if number(nil) != nil {
		t.Error("nil is no number")
	}
}

func TestCancelledQueryEnds(t *testing.T) {
	run := runner{conn: schematest.ClickHouse(t), cfg: DefaultConfig()}
	slow := statement{name: "slow", text: "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 0"}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := run.query(ctx, slow, func(driver.Rows) error { return nil }); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("cancelled: got %v, want context.Canceled", err)
	}
	localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error {
		var running uint64
		row := run.conn.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64(number) = 0%' AND query NOT LIKE '%processes%'")
		if err := row.Scan(&running); err != nil || running > 0 {
			return fmt.Errorf("%d still running: %w", running, err)
		}
		return nil
	})
}

func TestHeavyQueryIsTooHeavy(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxMemory = 20 << 20
	run := runner{conn: schematest.ClickHouse(t), cfg: cfg}
	heavy := statement{name: "heavy", text: "SELECT length(groupArray(number)) FROM numbers(100000000)"}
	if err := run.query(t.Context(), heavy, func(driver.Rows) error { return nil }); !errors.Is(err, ErrTooHeavy) {
		t.Errorf("memory: got %v, want ErrTooHeavy", err)
	}
	run.cfg.Timeout = time.Second
	slow := statement{name: "slow", text: "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1"}
	if err := run.query(t.Context(), slow, func(driver.Rows) error { return nil }); !errors.Is(err, ErrTooHeavy) {
		t.Errorf("time: got %v, want ErrTooHeavy", err)
	}
}

func TestRetentionIsReadBackAndRemembered(t *testing.T) {
	now := time.Now()
	engine := New(schematest.ClickHouse(t), DefaultConfig(), func() time.Time { return now })
	got, err := engine.Retention(t.Context())
	if err != nil || got != schema.DefaultRetention() {
		t.Fatalf("got %v %v, want %v", got, err, schema.DefaultRetention())
	}
	engine.retention.Raw = time.Hour
	if got, _ := engine.Retention(t.Context()); got.Raw != time.Hour {
		t.Error("it was asked again too early")
	}
	now = now.Add(time.Minute)
	if got, _ := engine.Retention(t.Context()); got.Raw != schema.DefaultRetention().Raw {
		t.Error("it was not asked again")
	}
}

// What cannot be known before the store is asked is refused as well: three servers of 180 buckets are 540 values.
func TestTooManySeries(t *testing.T) {
	s := newScene(t, 11, false)
	s.engine.cfg.MaxValues = 400
	r := TimeseriesRequest{Scope: Scope{License: s.license}, Range: Range{s.now.Add(-3 * time.Hour), s.now}, Metrics: []string{"fps"}, Step: time.Minute, GroupBy: GroupServer}
	var faults *Faults
	if _, err := s.engine.Timeseries(t.Context(), r); !errors.As(err, &faults) || faults.Code != CodeTooManyPoints {
		t.Errorf("got %v, want %s", err, CodeTooManyPoints)
	}
}

// Above ExactPercentileSamples percentiles of raw come from the sketch, within 1 %.
func TestManySamplesAreSketched(t *testing.T) {
	s := newScene(t, 12, false)
	s.engine.cfg.ExactPercentileSamples = 10
	r := Range{s.now.Add(-2*time.Hour - 13*time.Minute), s.now}
	in := between(s.pointers(), r.From.UnixMilli(), r.To.UnixMilli())
	summary, err := s.engine.Summary(t.Context(), SummaryRequest{Scope{License: s.license}, r})
	if err != nil {
		t.Fatal(err)
	}
	if !sketchOf(valuesOf(in, "fps"), 0.05, *summary.FPS.P05) || !sketchOf(valuesOf(in, "frame_ms"), 0.99, *summary.FrameMS.P99) {
		t.Errorf("got fps p05 %v, frame_ms p99 %v", *summary.FPS.P05, *summary.FrameMS.P99)
	}
	series, err := s.engine.Timeseries(t.Context(), TimeseriesRequest{Scope: Scope{License: s.license}, Range: r, Metrics: []string{"fps"}, Agg: P95, Step: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for i, start := range series.Timestamps {
		v := series.Series[0].Values[i]
		if v != nil && !sketchOf(valuesOf(between(in, start, start+300_000), "fps"), 0.95, *v) {
			t.Errorf("bucket %d: got %v", i, *v)
		}
	}
}

// The bounds that hours give for several servers are called bounds; one server's own are not.
func TestBoundsAreSaid(t *testing.T) {
	s := newScene(t, 13, false)
	r := TimeseriesRequest{Scope: Scope{License: s.license}, Range: Range{s.now.Add(-3 * time.Hour), s.now}, Metrics: []string{"players"}, Agg: Max, Step: time.Hour}
	for _, c := range []struct {
		name   string
		change func(*TimeseriesRequest)
		bounds bool
	}{
		{"several servers", func(*TimeseriesRequest) {}, true},
		{"one server", func(r *TimeseriesRequest) { r.Servers = []string{"s1"} }, false},
		{"avg", func(r *TimeseriesRequest) { r.Agg = Avg }, false},
		{"not additive", func(r *TimeseriesRequest) { r.Metrics = []string{"fps"} }, false},
		{"by server", func(r *TimeseriesRequest) { r.GroupBy = GroupServer }, false},
		{"from raw", func(r *TimeseriesRequest) { r.Step = time.Minute }, false},
	} {
		request := r
		c.change(&request)
		got, err := s.engine.Timeseries(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if (got.Exact != nil) != c.bounds || got.Exact != nil && *got.Exact {
			t.Errorf("%s: exact is %v", c.name, got.Exact)
		}
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if (Config{}).Validate() == nil {
		t.Error("an empty configuration is valid")
	}
}
