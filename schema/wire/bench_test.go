package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"corrosion/schema"
)

func benchBodies() map[string][]byte {
	bodies := map[string][]byte{"1/object": []byte(fullSample(1)), "1/metrics256": metricsSample(256)}
	for _, n := range []int{1, 100, 10_000} {
		array := fullArray(n)
		bodies[fmt.Sprintf("%d/array", n)] = array
		bodies[fmt.Sprintf("%d/lines", n)] = []byte(strings.ReplaceAll(strings.Trim(string(array), "[]"), "},\n", "}\n"))
	}
	return bodies
}

// go test ./schema/wire -run '^$' -bench Decode -benchmem -count 6 | tee decode.txt
func BenchmarkDecode(b *testing.B) {
	bodies := benchBodies()
	for _, name := range []string{
		"1/object", "1/metrics256", "1/array", "100/array", "10000/array", "1/lines", "100/lines", "10000/lines",
	} {
		b.Run(name, func(b *testing.B) { benchDecode(b, "", bodies[name], len(bodies[name])) })
	}
	array := bodies["100/array"]
	b.Run("100/array-gzip", func(b *testing.B) { benchDecode(b, "gzip", gzipped(b, array), len(array)) })
	b.Run("100/array-zstd", func(b *testing.B) { benchDecode(b, "zstd", zstded(b, array), len(array)) })
}

func benchDecode(b *testing.B, encoding string, body []byte, plain int) {
	d := NewDecoder()
	env := envelope()
	b.SetBytes(int64(plain))
	b.ReportAllocs()
	samples := 0
	for b.Loop() {
		stats := d.Decode(env, encoding, body, func(*schema.Sample) { samples++ }, func(bad Reject) { b.Fatal(bad) })
		if stats.Rejected > 0 {
			b.Fatal(stats)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(samples), "ns/sample")
}

// go test ./schema/wire -run '^$' -bench AppendJSON -benchmem -count 6 | tee encode.txt
func BenchmarkAppendJSON(b *testing.B) {
	for name, body := range map[string][]byte{"fields13": []byte(fullSample(1)), "metrics256": metricsSample(256)} {
		s := decodeWith(NewDecoder(), envelope(), "", body).samples[0]
		b.Run(name, func(b *testing.B) {
			dst := AppendJSON(nil, &s)
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendJSON(dst[:0], &s)
			}
		})
	}
}

func TestWarmPathsAllocateNothing(t *testing.T) {
	f := func(name, encoding string, body []byte) {
		t.Helper()
		d := NewDecoder()
		env := envelope()
		decodeOnce := func() {
			d.Decode(env, encoding, body, func(*schema.Sample) {}, func(bad Reject) { t.Error(bad) })
		}
		decodeOnce()
		if n := testing.AllocsPerRun(20, decodeOnce); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for name, body := range benchBodies() {
		f(name, "", body)
	}
	array := fullArray(100)
	f("gzip", "gzip", gzipped(t, array))
	f("zstd", "zstd", zstded(t, array))
	f("times and texts", "", []byte(`{"server_id":"a","ts":"2026-11-23T13:00:00.123+01:00","boot":"b","map":"\u00e9\n","version":"v","loose":1.5,"name":"x"}`))
	f("bad neighbours", "", bytes.Replace(array, []byte(`"ts"`), []byte(`"T"`), 1))

	s := decodeWith(NewDecoder(), envelope(), "", metricsSample(16)).samples[0]
	s.SetText(schema.Map, "Map\n")
	dst := AppendJSON(nil, &s)
	if n := testing.AllocsPerRun(20, func() { dst = AppendJSON(dst[:0], &s) }); n != 0 {
		t.Errorf("AppendJSON: %v allocations", n)
	}
}

func TestCachesAreBounded(t *testing.T) {
	d := NewDecoder()
	var body []byte
	for i := range 3 * internLimit {
		body = fmt.Appendf(body[:0], `{"server_id":"s%d","boot":"b%d","name%d":1,"metrics":{"steady":1,"m%d":2}}`, i, i, i, i)
		r := decodeWith(d, envelope(), "", body)
		if len(r.samples) != 1 || len(r.samples[0].Metrics) != 3 || r.samples[0].ServerID != fmt.Sprintf("s%d", i) {
			t.Fatalf("%s: %s", body, r.outline())
		}
	}
	for name, n := range map[string]int{"servers": len(d.servers.young) + len(d.servers.old), "texts": len(d.texts.young) + len(d.texts.old),
		"keys": len(d.keys.young) + len(d.keys.old)} {
		if n > 2*internLimit+2*schema.MaxMetrics {
			t.Errorf("%s: %d words kept", name, n)
		}
	}
	if d.keys.search([]byte("steady")) == nil {
		t.Error("what comes all the time was forgotten")
	}
}
