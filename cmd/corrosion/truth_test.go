package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var truthFiles = flag.String("truth", "01", "which recorded files TestTruth checks: 01, or all")

// truthCheck is one check of truth.json; expected is read by kind.
type truthCheck struct {
	ID       string          `json:"id"`
	File     string          `json:"file"`
	Kind     string          `json:"kind"`
	ServerID string          `json:"server_id"`
	Metric   string          `json:"metric"`
	From     string          `json:"from"`
	To       string          `json:"to"`
	Before   string          `json:"before"`
	N        int             `json:"n"`
	Min      *float64        `json:"min"`
	Max      *float64        `json:"max"`
	Avg      *float64        `json:"avg"`
	Sum      *float64        `json:"sum"`
	Expected json.RawMessage `json:"expected"`
}

// truthSource says how one recorded file is brought in.
type truthSource struct {
	prefix string
	flags  []string
	// rename maps the file's metric to the API's.
	rename map[string]string
	// whole files are replayed once for all of their checks; others are cut to each check's window.
	whole bool
	// span of the whole file, for checks without a window of their own.
	from, to string
}

func truthSources() []truthSource {
	return []truthSource{
		{prefix: "01_", whole: true, from: "2022-08-22T00:00:00Z", to: "2022-08-24T00:00:00Z",
			flags:  []string{"--map", "memory_mib=memory_mb"},
			rename: map[string]string{"memory_mib": "memory_mb", "cpu_percent": "cpu_percent"}},
		{prefix: "02_", rename: map[string]string{"players": "players"}, from: "2026-03-12T08:07:31Z", to: "2026-08-20T05:03:07Z"},
		{prefix: "03_", rename: map[string]string{}, from: "2017-02-17T06:00:00Z", to: "2022-01-01T00:00:00Z"},
		{prefix: "04_", flags: []string{"--long", "metric,value"}, from: "2023-05-28T20:33:46Z", to: "2024-06-19T20:38:23Z"},
		{prefix: "05_", from: "2011-07-01T00:00:01Z", to: "2015-09-17T17:10:01Z"},
	}
}

func (s truthSource) metric(name string) string {
	if renamed, ok := s.rename[name]; ok {
		return renamed
	}
	return "metrics." + name
}

// truthResult is one line of the table.
type truthResult struct {
	check  truthCheck
	equal  int
	faults []string
	left   string // why it was not checked
}

// The API's answers over recorded data equal what was computed from the files without any database.
func TestTruth(t *testing.T) {
	dir := sharedData(t)
	raw, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth struct{ Checks []truthCheck }
	if err := json.Unmarshal(raw, &truth); err != nil {
		t.Fatal(err)
	}
	// Raw is kept as long as hours, so that percentiles of long windows can be asked for.
	p := startPlatform(t, "--retention-raw", "90")
	var results []truthResult
	for _, source := range truthSources() {
		if *truthFiles != "all" && !strings.HasPrefix(source.prefix, *truthFiles) {
			continue
		}
		results = append(results, checkSource(t, p, dir, source, truth.Checks)...)
	}
	t.Log("\n" + truthTable(results))
	for _, r := range results {
		for _, fault := range r.faults {
			t.Errorf("%s %s: %s", r.check.ID, r.check.Kind, fault)
		}
	}
	if len(results) == 0 {
		t.Error("nothing was checked")
	}
}

func checkSource(t *testing.T, p *platform, dir string, source truthSource, checks []truthCheck) []truthResult {
	t.Helper()
	var results []truthResult
	var shared *truthRun
	for _, check := range checks {
		if !strings.HasPrefix(check.File, source.prefix) {
			continue
		}
		run := shared
		if run == nil {
			var left string
			run, left = loadTruth(t, p, dir, source, check)
			if left != "" {
				results = append(results, truthResult{check: check, left: left})
				continue
			}
		}
		if source.whole {
			shared = run
		}
		results = append(results, run.verify(check))
	}
	return results
}

// loadTruth replays what a check needs under a license of its own.
func loadTruth(t *testing.T, p *platform, dir string, source truthSource, check truthCheck) (*truthRun, string) {
	t.Helper()
	from, to := check.window(source)
	if to.Sub(from) > 89*24*time.Hour {
		return nil, fmt.Sprintf("needs %.0f days at once", to.Sub(from).Hours()/24)
	}
	license, token := p.license(source.prefix + check.ID)
	args := append([]string{"replay", filepath.Join(dir, check.File), "--license", license, "--align", "now"}, source.flags...)
	if !source.whole {
		args = append(args, "--from", from.Format(time.RFC3339Nano), "--to", to.Format(time.RFC3339Nano))
	}
	run := &truthRun{t: t, p: p, token: token, source: source}
	run.await(license, p.corrosion(args...))
	return run, ""
}

// window is the source time that a check looks at.
func (c truthCheck) window(source truthSource) (from, to time.Time) {
	parse := func(s, fallback string) time.Time {
		if s == "" || s == "end" {
			s = fallback
		}
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			panic(err)
		}
		return v
	}
	return parse(c.From, source.from), parse(c.To, source.to)
}

func truthTable(results []truthResult) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "check\tkind\tchecked\tequal\toff\tnot checked")
	sort.Slice(results, func(i, j int) bool { return results[i].check.ID < results[j].check.ID })
	checked, equal, off := 0, 0, 0
	for _, r := range results {
		n := r.equal + len(r.faults)
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", r.check.ID, r.check.Kind, n, r.equal, len(r.faults), r.left)
		checked, equal, off = checked+n, equal+r.equal, off+len(r.faults)
	}
	fmt.Fprintf(w, "all\t\t%d\t%d\t%d\t\n", checked, equal, off)
	_ = w.Flush()
	return b.String()
}
