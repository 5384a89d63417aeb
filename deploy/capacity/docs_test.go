package capacity_test

import (
	_ "embed"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"text/template"
	"time"

	"corrosion/deploy/capacity"
)

var update = flag.Bool("update", false, "write docs/capacity.md anew")

//go:embed testdata/capacity.md.tmpl
var text string

const docsPath = "../../docs/capacity.md"

// run is one of the runs that the model is fitted to and checked with: cores of the platform's process (NATS, ingester, API and
// jobs) and of ClickHouse, while nobody asks.
type run struct {
	servers              int
	interval             time.Duration
	samples              float64
	platform, clickhouse float64
	inserts              float64
	bytes                float64
	MiB, clickhouseMiB   float64
}

// runs were measured by `make bench-capacity`, on the machine that the document names.
var runs = []run{
	{100, 10 * time.Second, 10, 0.052, 0.353, 6.5, 77.1, 180, 414},
	{100, time.Second, 100, 0.110, 0.378, 7.7, 25.6, 206, 430},
	{1000, 10 * time.Second, 100, 0.110, 0.390, 7.7, 39.7, 226, 432},
	{1000, time.Second, 998, 0.234, 0.517, 7.4, 19.4, 293, 457},
	{10_000, 10 * time.Second, 998, 0.271, 0.660, 6.0, 33.2, 290, 481},
	{10_000, 3 * time.Second, 3340, 0.406, 0.735, 5.5, 22.6, 338, 534},
	{10_000, time.Second, 9958, 0.794, 0.788, 2.5, 18.1, 556, 621},
	{100_000, time.Minute, 1668, 0.399, 0.436, 1.7, 61.3, 397, 519},
}

// Planning wants no less than what was seen, to a fifth, and no more than twice of it; a twentieth of a core is noise.
const (
	atLeast, atMost = 0.8, 2
	noise           = 0.05
)

// TestDocsAreCurrent holds docs/capacity.md to the constants, and the model to the runs.
func TestDocsAreCurrent(t *testing.T) {
	tables := map[string]func() string{"sizes": sizes, "disks": disks, "runs": compared, "machines": machines}
	parsed := template.Must(template.New("").Funcs(template.FuncMap{"table": func(name string) string { return tables[name]() }}).Parse(text))
	var out strings.Builder
	if err := parsed.Execute(&out, constants()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(docsPath, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	has, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(has) {
		t.Error("docs/capacity.md is not what the model and testdata/capacity.md.tmpl say: edit those, and run `make generate`")
	}
}

func TestModelAgreesWithRuns(t *testing.T) {
	for _, r := range runs {
		n := capacity.For(r.servers, r.interval)
		for name, pair := range map[string][2]float64{"platform": {n.Platform, r.platform}, "ClickHouse": {n.Store, r.clickhouse}} {
			if pair[0] < pair[1]*atLeast-noise || pair[0] > pair[1]*atMost+noise {
				t.Errorf("%d servers every %s: %s computed %.2f cores, measured %.2f", r.servers, r.interval, name, pair[0], pair[1])
			}
		}
	}
}

// constants are what the text names.
func constants() map[string]any {
	return map[string]any{
		"PlatformIdle": capacity.PlatformIdle, "ClickHouseIdle": capacity.ClickHouseIdle, "PlatformPerInsert": capacity.PlatformPerInsert * 1000,
		"ClickHousePerInsert": capacity.ClickHousePerInsert * 1000, "MostInserts": capacity.MostInserts, "HalfInserts": thousands(capacity.HalfInserts),
		"Waking": capacity.Waking, "HalfWaking": thousands(capacity.HalfWaking), "Merging": capacity.Merging, "ServersPower": capacity.ServersPower,
		"SamplesPower": capacity.SamplesPower, "MergingSpan": seconds(capacity.MergingSpan),
		"IngesterPerMillion": capacity.IngesterPerMillion, "NATSPerMillion": capacity.NATSPerMillion, "SinglesPerIngester": thousands(capacity.SinglesPerIngester),
		"BytesPerSample": capacity.BytesPerSample, "BytesPerMetricValue": capacity.BytesPerMetricValue, "BytesPerServerDay": capacity.BytesPerServerDay,
		"BytesPerServerHour": capacity.BytesPerServerHour, "BytesPerMetricHour": capacity.BytesPerMetricHour,
		"BytesPerLicenseMinute": capacity.BytesPerLicenseMinute, "BytesPerLicenseHour": thousands(capacity.BytesPerLicenseHour), "BytesWaiting": capacity.BytesWaiting,
		"SummaryCPU": capacity.SummaryCPU, "TimeseriesCPU": capacity.TimeseriesCPU, "APICPU": capacity.APICPU * 1000,
		"IngesterMiB": thousands(capacity.IngesterMiB), "NATSMiB": capacity.NATSMiB, "APIMiB": capacity.APIMiB, "KiBPerConnection": capacity.KiBPerConnection,
		"ClickHouseMiB": thousands(capacity.ClickHouseMiB), "ClickHouseMiBPerCore": thousands(capacity.ClickHouseMiBPerCore),
		"CustomMetrics": capacity.CustomMetrics, "ServersPerLicense": capacity.ServersPerLicense, "ServersPerViewer": capacity.ServersPerViewer,
		"LeastViewers": capacity.LeastViewers, "RefreshSeconds": capacity.RefreshSeconds, "TimeseriesPerView": capacity.TimeseriesPerView,
		"OutageHours": capacity.OutageHours, "Load": percent(capacity.Load), "Room": percent(capacity.Room), "RawDays": capacity.RawDays, "HourlyDays": capacity.HourlyDays,
		"AtLeast": percent(1 - atLeast), "PerSample": fmt.Sprintf("%.1f", perSample()),
	}
}

func perSample() float64 {
	return capacity.BytesPerSample + capacity.CustomMetrics*capacity.BytesPerMetricValue
}

var (
	counts    = []int{100, 1000, 10_000, 100_000}
	intervals = []time.Duration{time.Second, 10 * time.Second, time.Minute}
)

// sizes are processors and memory.
func sizes() string {
	var b strings.Builder
	b.WriteString("| servers | every | samples/s | platform | ClickHouse, storing | ClickHouse, answering (dashboards) | **cores to have** | ingesters | **memory** |\n|---|---|---|---|---|---|---|---|---|\n")
	each(func(n capacity.Need) {
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %.2f | %.2f (%d) | **%d** | %d | **%s** |\n", thousands(float64(n.Servers)), seconds(n.Interval), thousands(n.Samples),
			n.Platform, n.Store, n.Queries, n.Viewers, n.Cores(), n.Ingesters(), size(n.MemoryMiB*(1<<20)))
	})
	return b.String()
}

func disks() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| servers | every | samples a day | raw, %d days | hours, %d days | **disk of ClickHouse** | **disk of NATS**, %d h |\n|---|---|---|---|---|---|---|\n", capacity.RawDays, capacity.HourlyDays, capacity.OutageHours)
	each(func(n capacity.Need) {
		fmt.Fprintf(&b, "| %s | %s | %s M | %s | %s | **%s** | **%s** |\n", thousands(float64(n.Servers)), seconds(n.Interval), thousands(n.Samples*86_400/1e6), size(n.Raw), size(n.Hourly), size(n.Disk()), size(n.Waiting/capacity.Room))
	})
	return b.String()
}

func each(use func(capacity.Need)) {
	for _, servers := range counts {
		for _, every := range intervals {
			use(capacity.For(servers, every))
		}
	}
}

func compared() string {
	var b strings.Builder
	b.WriteString("| servers | every | samples/s | platform, cores: measured | computed | ClickHouse, cores: measured | computed | inserts/s: measured | computed | bytes a sample | MiB: platform | ClickHouse |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range runs {
		n := capacity.For(r.servers, r.interval)
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %.2f | %.2f | %.2f | %.1f | %.1f | %.1f | %.0f | %.0f |\n", thousands(float64(r.servers)), seconds(r.interval), thousands(r.samples),
			r.platform, n.Platform, r.clickhouse, n.Store, r.inserts, n.Inserts, r.bytes, r.MiB, r.clickhouseMiB)
	}
	return b.String()
}

// machines is how far one machine goes.
func machines() string {
	var b strings.Builder
	b.WriteString("| cores | servers every 1 s | every 10 s | every 60 s |\n|---|---|---|---|\n")
	for _, cores := range []int{2, 4, 8, 16, 32} {
		fmt.Fprintf(&b, "| %d |", cores)
		for _, every := range intervals {
			fmt.Fprintf(&b, " %s |", thousands(float64(most(cores, every))))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// most is how many servers a machine of so many cores carries, rounded down to two digits.
func most(cores int, every time.Duration) (servers int) {
	for step := 1 << 22; step > 0; step /= 2 {
		if next := servers + step; capacity.For(next, every).Cores() <= cores {
			servers = next
		}
	}
	unit := int(math.Pow(10, math.Max(0, math.Floor(math.Log10(float64(max(1, servers))))-1)))
	return servers / unit * unit
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

func percent(part float64) string { return fmt.Sprintf("%.0f %%", part*100) }

func thousands(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// size rounds to two digits, upwards.
func size(bytes float64) string {
	for _, unit := range []struct {
		name string
		of   float64
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}} {
		v := bytes / unit.of
		switch {
		case v < 1:
			continue
		case v >= 100:
			return thousands(math.Ceil(v/10)*10) + " " + unit.name
		case v >= 10:
			return fmt.Sprintf("%.0f %s", math.Ceil(v), unit.name)
		}
		return fmt.Sprintf("%.1f %s", math.Ceil(v*10)/10, unit.name)
	}
	return "1 MB"
}
