package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sharedFile is a recorded file beside the repository; the test is skipped where it is absent.
func sharedFile(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("recorded data is not here: ", err)
	}
	return path
}

// Every row of the recorded files is read and published when it is loaded in stretches of 85 days, each as if at its end.
func TestSharedFiles(t *testing.T) {
	f := func(name string, from, to string, rows, samples, values uint64, renamed int, change func(*Options)) {
		t.Helper()
		t.Run(name[:2], func(t *testing.T) {
			path := sharedFile(t, name)
			p := newRecorder(t)
			p.keep = false
			first, _ := time.Parse(time.DateOnly, from)
			last, _ := time.Parse(time.DateOnly, to)
			for o := (Options{Files: []string{path}, Publisher: p, From: first}); o.From.Before(last); o.From = o.To {
				o.To = o.From.Add(85 * 24 * time.Hour)
				o.Now = func() time.Time { return o.To }
				change(&o)
				r, err := Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if r.Rows != rows || rejects(r) != "" {
					t.Errorf("%v to %v: %d rows, rejected %q", o.From, o.To, r.Rows, rejects(r))
				}
				if r.ServersCount > renamed || r.CollisionsCount != 0 || r.AssumedUTC != 0 || r.Split != 0 || r.MetricsCount != 0 {
					t.Errorf("renamed %v and %v, collisions %v, %d assumed UTC", r.Servers, r.Metrics, r.Collisions, r.AssumedUTC)
				}
			}
			if p.counts.Sent != samples || p.metrics != values {
				t.Errorf("%d samples with %d metrics, want %d with %d", p.counts.Sent, p.metrics, samples, values)
			}
		})
	}
	// 19 metrics a row, less 4 that become fields, less 477 empty cells, of which 85 are of a field.
	f("01_nezha_onlineboutique_pods.csv.gz", "2022-08-01", "2022-09-01", 19_300, 19_300, 19_300*14-477+85, 0, func(o *Options) {
		o.Maps = []string{"memory_mib=memory_mb", "net_in_bytes_s=net_in|round", "net_out_bytes_s=net_out|round", "server_latency_p90_s=frame_ms*1000"}
	})
	f("02_steam_players.csv.gz", "2026-03-01", "2026-09-01", 53_857, 53_857, 53_857, 0, func(*Options) {})
	f("03_hypixel_hourly_2017_2021.csv.gz", "2017-02-01", "2022-01-01", 42_577, 42_577, 0, 0, func(o *Options) { o.Maps = []string{"players_peak=players"} })
	f("04_azure_vm_bench_long_eastus.csv.gz", "2023-05-01", "2024-07-01", 1_262_251, 723_623, 1_262_251, 0, func(o *Options) { o.Long = "metric,value" })
	f("05_nab_labelled.csv.gz", "2011-06-01", "2015-10-01", 155_378, 155_378, 155_378, 35, func(*Options) {})
}

// go test ./ingest/replay -run '^$' -bench . -benchtime 1x
func BenchmarkSharedLongCSV(b *testing.B) {
	path := sharedFile(b, "04_azure_vm_bench_long_eastus.csv.gz")
	for b.Loop() {
		p := &recorder{}
		p.counts.Sent = 2 // no checks
		r, err := Run(b.Context(), Options{Files: []string{path}, Long: "metric,value", Publisher: p})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Rows)/r.Elapsed.Seconds(), "rows/s")
		fmt.Fprintln(b.Output(), r.Rows, "rows,", r.Samples, "samples")
	}
}
