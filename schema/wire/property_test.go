package wire

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corrosion/schema"
)

// sameSample compares what a payload can carry, and the row's identity.
func sameSample(a, b *schema.Sample) bool {
	for f := range schema.NumFields {
		if a.Has(f) != b.Has(f) || a.Has(f) && (a.Uint(f) != b.Uint(f) || a.Text(f) != b.Text(f)) {
			return false
		}
	}
	return a.License == b.License && a.ServerID == b.ServerID && a.TS == b.TS && a.ReceivedAt == b.ReceivedAt &&
		a.Epoch == b.Epoch && a.Seq == b.Seq && a.Idx == b.Idx && slices.Equal(a.Metrics, b.Metrics)
}

func genSample(t *rapid.T) schema.Sample {
	env := envelope()
	s := schema.Sample{License: env.License, Epoch: env.Epoch, Seq: env.Seq, ReceivedAt: env.StoredAt}
	s.ServerID = rapid.StringMatching(`[A-Za-z0-9_-]{1,20}`).Filter(schema.ValidServerID[string]).Draw(t, "server")
	s.TS = rapid.Int64Range(storedAt-schema.MaxBehind.Milliseconds(), storedAt+schema.MaxAhead.Milliseconds()).Draw(t, "ts")
	for f := range schema.NumFields {
		if !rapid.Bool().Draw(t, "has "+f.String()) {
			continue
		}
		switch f.Info().Kind {
		case schema.Uint32:
			s.SetUint(f, uint64(rapid.Uint32().Draw(t, f.String())))
		case schema.Uint64:
			s.SetUint(f, rapid.Uint64().Draw(t, f.String()))
		case schema.Float:
			s.SetFloat(f, rapid.Float64Range(0, math.MaxFloat64).Draw(t, f.String()))
		case schema.Text:
			s.SetText(f, rapid.StringN(0, 32, schema.MaxTextLen).Draw(t, f.String()))
		}
	}
	name := rapid.StringMatching(`[A-Za-z0-9_.:/-]{1,12}`)
	for _, n := range rapid.SliceOfNDistinct(name, 0, 12, func(s string) string { return s }).Draw(t, "names") {
		v := rapid.Float64().Filter(func(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }).Draw(t, n)
		s.Metrics = append(s.Metrics, schema.Metric{Name: n, Value: v})
	}
	return s
}

func TestDecodeOfEncodeIsTheSame(t *testing.T) {
	d := NewDecoder()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(genSample), 1, 4).Draw(t, "samples")
		var ndjson []byte
		for i := range want {
			want[i].Idx = uint16(i)
			ndjson = AppendNDJSON(ndjson, &want[i])
		}
		for _, body := range [][]byte{ndjson, AppendArray(nil, want)} {
			got := decodeWith(d, envelope(), "", body)
			if len(got.rejects) > 0 || len(got.samples) != len(want) {
				t.Fatalf("%s: %v", body, got.rejects)
			}
			for i := range want {
				if !sameSample(&got.samples[i], &want[i]) {
					t.Fatalf("%s: %+v, want %+v", body, got.samples[i], want[i])
				}
			}
		}
	})
}

func TestEncodeOrder(t *testing.T) {
	s := schema.Sample{ServerID: "a", TS: storedAt, Metrics: []schema.Metric{{Name: "x", Value: 0.1}, {Name: "y", Value: -1e21}}}
	s.SetText(schema.Version, "2.6\n")
	s.SetUint(schema.N, math.MaxUint64)
	s.SetFloat(schema.FPS, 60)
	s.SetUint(schema.Players, 0)
	want := `{"server_id":"a","ts":1795435200000,"n":18446744073709551615,"players":0,"fps":60,"version":"2.6\n","metrics":{"x":0.1,"y":-1e+21}}`
	if got := string(AppendJSON([]byte("# "), &s)); got != "# "+want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := string(AppendMetrics(nil, nil)); got != "{}" {
		t.Error(got)
	}
}

func TestEveryTruncatedPrefix(t *testing.T) {
	d := NewDecoder()
	line := fullSample(1) + "\n"
	bodies := map[string]string{
		"array": string(fullArray(3)), "object": string(metricsSample(3)), "lines": line + line + line, "escapes": `[{"server_id":"a","map":"\u00e9\n\ud83d\ude00"}]`,
	}
	for name, body := range bodies {
		for i := range len(body) {
			checkInvariants(t, d, "", []byte(body[:i]))
			r := decodeWith(d, envelope(), "", []byte(body[:i]))
			if body[0] == '[' && len(r.samples) > 0 {
				t.Errorf("%s cut at %d: %s", name, i, r.outline())
			}
			if name == "lines" && len(r.samples) != strings.Count(body[:i]+"\n", "}\n") {
				t.Errorf("%s cut at %d: %s", name, i, r.outline())
			}
		}
	}
	for encoding, wire := range map[string][]byte{"gzip": gzipped(t, fullArray(3)), "zstd": zstded(t, fullArray(3))} {
		for i := range len(wire) {
			if r := decodeWith(d, envelope(), encoding, wire[:i]); len(r.samples) > 0 {
				t.Errorf("%s cut at %d: %s", encoding, i, r.outline())
			}
		}
	}
}

// checkInvariants holds for whatever bytes come.
func checkInvariants(t *testing.T, d *Decoder, encoding string, body []byte) {
	t.Helper()
	r := decodeWith(d, envelope(), encoding, body)
	if r.stats.Samples != len(r.samples) || r.stats.Rejected != len(r.rejects) {
		t.Fatalf("%q: %+v of %s", body, r.stats, r.outline())
	}
	next := 0
	for _, bad := range r.rejects {
		if bad.Index == -1 && (len(r.samples) > 0 || len(r.rejects) > 1) || bad.Detail == "" || !slices.Contains(Reasons(), bad.Reason) {
			t.Fatalf("%q: %+v in %s", body, bad, r.outline())
		}
		next = max(next, bad.Index+1)
	}
	for i := range r.samples {
		s := &r.samples[i]
		next = max(next, int(s.Idx)+1)
		checkSample(t, s)
		again := decodeWith(d, envelope(), "", AppendJSON(nil, s))
		if len(again.samples) != 1 {
			t.Fatalf("%q: written again it is %v", body, again.rejects)
		}
		again.samples[0].Idx = s.Idx
		if !sameSample(&again.samples[0], s) {
			t.Fatalf("%q: %+v, written again %+v", body, s, again.samples[0])
		}
	}
	whole := len(r.rejects) == 1 && r.rejects[0].Index == -1
	if !whole && next != len(r.samples)+len(r.rejects) {
		t.Fatalf("%q: places do not count to %d: %s", body, next, r.outline())
	}
	if text := trimText(body); encoding == "" && len(text) > 0 && text[0] == '[' && json.Valid(text) == whole && len(text) < schema.MaxMessageBytes {
		t.Fatalf("%q: valid array %v, but %s", body, json.Valid(text), r.outline())
	}
}

func checkSample(t *testing.T, s *schema.Sample) {
	t.Helper()
	if !schema.ValidServerID(s.ServerID) || len(s.Metrics) > schema.MaxMetrics || s.TS > storedAt+schema.MaxAhead.Milliseconds() || s.TS < storedAt-schema.MaxBehind.Milliseconds() {
		t.Fatalf("%+v", s)
	}
	for f := range schema.NumFields {
		switch f.Info().Kind {
		case schema.Text:
			if len(s.Text(f)) > schema.MaxTextLen {
				t.Fatalf("%s: %q", f, s.Text(f))
			}
		case schema.Uint32:
			if s.Uint(f) > math.MaxUint32 {
				t.Fatalf("%s: %d", f, s.Uint(f))
			}
		case schema.Float:
			if v := s.Float(f); !(v >= 0 && v <= math.MaxFloat64) {
				t.Fatalf("%s: %v", f, v)
			}
		}
	}
	names := map[string]bool{}
	for _, m := range s.Metrics {
		if names[m.Name] || !schema.ValidMetricName(m.Name) || math.IsInf(m.Value, 0) {
			t.Fatalf("metric %+v", m)
		}
		names[m.Name] = true
	}
}

func FuzzDecode(f *testing.F) {
	line := fullSample(1) + "\n"
	plain := []string{
		line, line + "\r\n" + line, string(fullArray(2)), string(metricsSample(4)), "[]", "{\n}\n", `[{"server_id":"a","ts":"2026-11-23T12:00:00Z"},5]`,
		`{"server_id":"a","x":1,"metrics":{"x":null,"y":1e3}}`, "{\"server_id\":\n" + line, `[{"server_id":"a","map":"\ud800"},{"players":12.0}]`,
	}
	for _, body := range plain {
		f.Add(uint8(0), []byte(body))
		f.Add(uint8(1), gzipped(f, []byte(body)))
		f.Add(uint8(2), zstded(f, []byte(body)))
	}
	encodings := []string{"", "gzip", "zstd", "br"}
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, encoding uint8, body []byte) {
		checkInvariants(t, d, encodings[int(encoding)%len(encodings)], body)
	})
}
