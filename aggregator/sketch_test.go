package aggregator

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"corrosion/schema/schematest"
)

// sketchError is what docs/architecture.md promises: values are cut to eight significant bits, so by less than 1/128.
const sketchError = 1.0 / 128

// recordedPods are columns of recorded pods, by name, with their hour and server.
func recordedPods(t *testing.T, f func(hour time.Time, server, column string, value float64) error) {
	t.Helper()
	const path = "../../shared/data/01_nezha_onlineboutique_pods.csv.gz"
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the recorded data is not on this machine")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := csv.NewReader(unzipped)
	head, err := lines.Read()
	if err != nil {
		t.Fatal(err)
	}
	head = slices.Clone(head)
	for {
		line, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, line[0])
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range head {
			if name != "cpu_percent" && name != "client_latency_p99_s" && name != "workload_ops" && name != "net_in_bytes_s" {
				continue
			}
			if v, err := strconv.ParseFloat(line[i], 64); err == nil {
				if err := f(at.Truncate(time.Hour), line[1], name, v); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// On recorded data the sketch of every server hour, and of hours merged to a day, answers within its stated error of the
// exact percentile: between the two values around the wanted rank, cut by eight bits.
func TestSketchErrorOnRecordedData(t *testing.T) {
	conn := schematest.Connect(t, newClickHouse(t).URL())
	if err := conn.Exec(t.Context(), "CREATE TABLE corrosion.recorded (hour DateTime('UTC'), server String, name String, v Float64) ENGINE = Memory"); err != nil {
		t.Fatal(err)
	}
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO corrosion.recorded")
	if err != nil {
		t.Fatal(err)
	}
	recordedPods(t, func(hour time.Time, server, column string, value float64) error {
		return batch.Append(hour, server, column, value)
	})
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"name, server, hour", "name, toDate(hour)"} {
		var groups, values uint64
		var worst float64
		err := conn.QueryRow(t.Context(), `
			SELECT count(), sum(n), max(off) FROM (
				SELECT sum(one.n) AS n, arraySort(groupArrayArray(one.vs)) AS vs, quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(one.s) AS got,
					arrayMax(arrayMap((level, g) -> (
						vs[toUInt64(floor(level * (n - 1))) + 1] AS low, vs[least(toUInt64(ceil(level * n)), n - 1) + 1] AS high,
						multiIf(g < low, (low - g) / low, g > high, (g - high) / high, 0.)).3, [0.05, 0.5, 0.95, 0.99], got)) AS off
				FROM (SELECT name, server, hour, count() AS n, groupArray(v) AS vs, quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(v) AS s FROM corrosion.recorded GROUP BY name, server, hour) AS one
				GROUP BY `+group+`)`).Scan(&groups, &values, &worst)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("by %s: %d sketches over %d values, worst error %.3f %%", group, groups, values, 100*worst)
		if groups < 4 || values < 10_000 {
			t.Errorf("by %s: %d sketches over %d values prove nothing", group, groups, values)
		}
		if worst > sketchError {
			t.Errorf("by %s: an answer is %.3f %% off, want at most %.2f %%", group, 100*worst, 100*sketchError)
		}
	}
	for name, state := range map[string]string{
		"quantilesBFloat16": "quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(v)", "quantilesTDigest": "quantilesTDigestState(0.05, 0.5, 0.95, 0.99)(v)",
		"quantilesDD 0.4 %": "quantilesDDState(0.004, 0.05, 0.5, 0.95, 0.99)(v)",
	} {
		var bytes float64
		err := conn.QueryRow(t.Context(), fmt.Sprintf(`SELECT avg(length(CAST(s, 'String'))) FROM (SELECT %s AS s FROM corrosion.recorded GROUP BY name, server, hour)`, state)).Scan(&bytes)
		if err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		t.Logf("%s: %.0f bytes a state, uncompressed", name, bytes)
	}
}
