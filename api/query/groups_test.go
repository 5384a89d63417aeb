package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"corrosion/schema"
)

func TestParseTags(t *testing.T) {
	tags, faults := ParseTags([]string{"region:eu", "mode:pvp:hard", "region:eu", "city:São Paulo"})
	if len(faults) > 0 || !slices.Equal(tags, []Tag{{"region", "eu"}, {"mode", "pvp:hard"}, {"city", "São Paulo"}}) {
		t.Errorf("got %v %v", tags, faults)
	}
	for _, text := range []string{"", "region", ":eu", "region:", "re gion:eu", "région:eu", "region: eu", "a:b\x00", "a'b:c", strings.Repeat("k", 65) + ":v", "k:" + strings.Repeat("v", 129), "k:\xff"} {
		if _, faults := ParseTags([]string{text}); len(faults) != 1 || faults[0].Location != "query.tag" {
			t.Errorf("%q: got %v, want one fault", text, faults)
		}
	}
	if groups, faults := ParseGroups([]string{"Main", "'); DROP TABLE", "Main"}); len(groups) != 2 || len(faults) != 0 {
		t.Errorf("groups: got %v %v", groups, faults)
	}
	for _, text := range []string{"", " x", "x\n", strings.Repeat("g", 65)} {
		if _, faults := ParseGroups([]string{text}); len(faults) != 1 {
			t.Errorf("group %q: got %v, want one fault", text, faults)
		}
	}
}

// Each group's series is what the group's servers by themselves make, over raw, hours and both.
func TestGroupsEqualReference(t *testing.T) {
	for seed := range uint64(scenes) {
		s := newScene(t, 300+seed, true)
		groups := []Group{{"a", []string{"s0", "s1"}}, {"b", []string{"s1", "s2"}}, {"empty", nil}, {"gone", []string{"unknown"}}}
		for _, r := range []Range{{s.now.Add(-2 * time.Hour), s.now}, {s.now.Add(-30 * day), s.now}, {s.now.Add(-189 * time.Hour), s.now.Add(-186 * time.Hour)}} {
			for _, agg := range []Agg{Avg, Max, Sum, Last, Count} {
				for _, by := range []GroupBy{GroupGroups, "tag:region"} {
					s.compareGroups(t, TimeseriesRequest{Scope: Scope{License: s.license}, Range: r, Metrics: allMetrics, Agg: agg, GroupBy: by, Groups: groups, MaxPoints: 40})
				}
			}
		}
	}
}

func (s scene) compareGroups(t *testing.T, r TimeseriesRequest) {
	t.Helper()
	got, err := s.engine.Timeseries(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	retention, err := s.engine.Retention(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	alone := r
	alone.GroupBy, alone.Groups = GroupNone, nil
	plan, err := planTimeseries(alone.withDefaults(), s.now, retention, s.engine.cfg)
	if err != nil {
		t.Fatal(err)
	}
	alone.Step = plan.step
	if len(got.Series) != len(r.Groups)*len(r.Metrics) || len(got.Timestamps) != len(plan.partial) || got.Source != plan.source {
		t.Fatalf("%d series of %d buckets from %s, want %d of %d from %s", len(got.Series), len(got.Timestamps), got.Source, len(r.Groups)*len(r.Metrics), len(plan.partial), plan.source)
	}
	for i, series := range got.Series {
		group := r.Groups[i/len(r.Metrics)]
		name := series.Group
		if _, tagged := r.GroupBy.Tag(); tagged {
			name = series.Tag
		}
		if name == nil || *name != group.Name || series.ServerID != nil || series.Metric != r.Metrics[i%len(r.Metrics)] {
			t.Fatalf("series %d is %+v, want %s of %s", i, series, series.Metric, group.Name)
		}
		members := slices.DeleteFunc(s.pointers(), func(p *schema.Sample) bool { return !slices.Contains(group.Servers, p.ServerID) })
		want := referenceSeries(members, plan, alone, series.Metric, "")
		for j, v := range series.Values {
			if !near(v, want[j]) {
				t.Fatalf("%s %s of %s (%s), bucket %d: got %s, want %s", r.Agg, series.Metric, group.Name, plan.source, j, show(v), show(want[j]))
			}
		}
	}
}

func TestGroupsFillAndBounds(t *testing.T) {
	s := newScene(t, 310, false)
	r := TimeseriesRequest{Scope: Scope{License: s.license}, Range: Range{s.now.Add(-2 * time.Hour), s.now}, Metrics: []string{"players"}, Agg: Avg, Step: time.Minute, GroupBy: GroupGroups}
	answer, err := s.engine.Timeseries(t.Context(), r)
	if err != nil || len(answer.Series) != 0 || len(answer.Timestamps) < 120 {
		t.Errorf("no groups: got %+v %v, want buckets without series", answer, err)
	}
	r.Groups, r.Fill = []Group{{"gone", []string{"unknown"}}}, FillNone
	if answer, err = s.engine.Timeseries(t.Context(), r); err != nil || len(answer.Timestamps) != 0 || len(answer.Series[0].Values) != 0 {
		t.Errorf("fill none: got %+v %v, want no buckets", answer, err)
	}
	var faults *Faults
	for i := range MaxGroups + 1 {
		r.Groups = append(r.Groups, Group{Name: fmt.Sprint(i)})
	}
	if _, err = s.engine.Timeseries(t.Context(), r); !errors.As(err, &faults) || faults.Code != CodeTooManyPoints {
		t.Errorf("too many groups: got %v", err)
	}
	r.Groups, r.Step = r.Groups[:MaxGroups], time.Second
	if _, err = s.engine.Timeseries(t.Context(), r); !errors.As(err, &faults) || faults.Code != CodeTooManyPoints {
		t.Errorf("too many values: got %v", err)
	}
}

// A selection of nothing is nothing, not everything, and one of very many servers works.
func TestSelections(t *testing.T) {
	s := newScene(t, 320, true)
	many := make([]string, 0, MaxSelected)
	for i := range MaxSelected - 1 {
		many = append(many, fmt.Sprintf("server-with-a-name-as-long-as-names-may-be-in-this-product-%05d", i))
	}
	for _, selected := range [][]string{nil, {"s1"}, append(many, "s1")} {
		scope := Scope{License: s.license, Servers: selected, Selected: true}
		samples := s.chosen([]string{"s1"})
		if selected == nil {
			samples = nil
		}
		for _, length := range []time.Duration{2 * time.Hour, 30 * day} {
			span := Range{s.now.Add(-length), s.now}
			summary, err := s.engine.Summary(t.Context(), SummaryRequest{scope, span})
			if err != nil {
				t.Fatal(err)
			}
			in := between(samples, summary.From.UnixMilli(), summary.To.UnixMilli())
			if summary.Samples != uint64(len(in)) || summary.Servers.Total != uint64(len(groupSamples(samples, serverOf))) {
				t.Errorf("%d selected: got %d samples of %d servers, want %d", len(selected), summary.Samples, summary.Servers.Total, len(in))
			}
			series, err := s.engine.Timeseries(t.Context(), TimeseriesRequest{Scope: scope, Range: span, Metrics: []string{"players"}, Agg: Count})
			if err != nil {
				t.Fatal(err)
			}
			counted := 0.0
			for _, v := range series.Series[0].Values {
				if v != nil {
					counted += *v
				}
			}
			if want := sumOf(valuesOf(between(samples, series.From.UnixMilli(), series.To.UnixMilli()), "players")); (counted == 0) != (want == 0) {
				t.Errorf("%d selected: counted %v players' samples of a sum of %v", len(selected), counted, want)
			}
		}
	}
	if _, err := s.engine.Summary(t.Context(), SummaryRequest{Scope{License: s.license, Selected: true, Servers: append(many, "a", "b")}, Range{s.now.Add(-time.Hour), s.now}}); err == nil {
		t.Error("more servers than may be selected: got no error")
	}
}

// What is written of servers changes how many are known and what is expected of them.
func TestSummaryFollowsTheBook(t *testing.T) {
	s := newScene(t, 330, false)
	span := Range{s.now.Add(-3 * time.Hour), s.now}
	ask := func(scope Scope) *Summary {
		t.Helper()
		scope.License = s.license
		summary, err := s.engine.Summary(t.Context(), SummaryRequest{scope, span})
		if err != nil {
			t.Fatal(err)
		}
		return summary
	}
	plain := ask(Scope{})
	if plain.Servers != (SummaryServers{Total: 3, Reporting: 3}) {
		t.Fatalf("got %+v", plain.Servers)
	}
	book := &Book{Registered: []string{"s0", "by-hand"}, Archived: []string{"s2", "gone"}}
	booked := ask(Scope{Book: book})
	if booked.Servers != (SummaryServers{Total: 3, Reporting: 2, Silent: 1}) || booked.Samples != plain.Samples || !near(booked.Players.Avg, plain.Players.Avg) {
		t.Errorf("got %+v with %d samples: archiving hides a server, not its history", booked.Servers, booked.Samples)
	}
	if chosen := ask(Scope{Book: book, Servers: []string{"s0", "s2", "by-hand"}}); chosen.Servers != (SummaryServers{Total: 2, Reporting: 1, Silent: 1}) {
		t.Errorf("chosen: got %+v", chosen.Servers)
	}

	expected := map[string]time.Duration{"s0": 10 * time.Minute, "s1": 10 * time.Second, "unknown": time.Minute}
	plan := planSummary(span, s.now, schema.DefaultRetention())
	reported, slots := 0.0, 0.0
	for server, own := range groupSamples(between(s.pointers(), span.From.UnixMilli(), span.To.UnixMilli()), serverOf) {
		r, n := expectedSlots(own, plan, s.now, expected[server])
		reported, slots = reported+r, slots+n
	}
	want := 100 * reported / slots
	if got := ask(Scope{Book: &Book{Expected: expected}}); !near(got.UptimePercent, &want) {
		t.Errorf("uptime: got %s, want %v; without intervals it is %s", show(got.UptimePercent), want, show(plain.UptimePercent))
	}
}

// expectedSlots are the reporting minutes and the slots of one server; without an interval its own gaps judge it.
func expectedSlots(own []*schema.Sample, p summaryPlan, now time.Time, interval time.Duration) (reported, slots float64) {
	var minutes []int64
	for _, s := range own {
		minutes = append(minutes, floorDiv(s.TS, minuteMillis))
	}
	slices.Sort(minutes)
	minutes = slices.Compact(minutes)
	end := min(p.To.UnixMilli(), now.UnixMilli())
	slots = max(float64(-floorDiv(-end, minuteMillis)-minutes[0]), 1)
	gap := interval.Minutes()
	if interval == 0 {
		var gaps []float64
		for i := 1; i < len(minutes); i++ {
			gaps = append(gaps, float64(minutes[i]-minutes[i-1]))
		}
		gap, _, _ = percentile(gaps, 0.5)
	}
	if gap > 1 {
		slots = float64(-floorDiv(-int64(slots*60), int64(gap*60)))
	}
	return min(float64(len(minutes)), slots), slots
}
