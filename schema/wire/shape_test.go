package wire

import (
	"bytes"
	"math/rand"
	"runtime"
	"strings"
	"testing"

	"corrosion/schema"
)

func TestShapes(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := decode(body).outline(); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
	const a, b = `{"server_id":"a"}`, `{"server_id":"b"}`
	f(a, "0 a")
	f(" \r\n\t"+a+"\r\n", "0 a")
	f("\xef\xbb\xbf"+a, "0 a")
	f("{\n  \"server_id\": \"a\",\n  \"metrics\":\n  {\n  \"x\": 1\n  }\n}\n", "0 a")
	f("[]", "")
	f("["+a+"]", "0 a")
	f(" [ "+a+" , "+b+" ] ", "0 a | 1 b")
	f("[\n"+a+",\n"+b+"\n]\n", "0 a | 1 b")
	f(a+"\n"+b, "0 a | 1 b")
	f(a+"\n"+b+"\n", "0 a | 1 b")
	f(a+"\r\n\r\n \n"+b+"\r\n", "0 a | 1 b")
	f(string(gzipped(t, []byte(a)))[:3], "0 bad-utf8")
	f("", "-1 empty")
	f(" \n ", "-1 empty")
	f("\xef\xbb\xbf", "-1 empty")
}

func TestBrokenLinesCostThemselves(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := decode(body).outline(); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
	const a, b = `{"server_id":"a"}`, `{"server_id":"b"}`
	f(a+"\n{\"server_id\":\n"+b, "0 a | 1 malformed | 2 b")
	f("{\"server_id\":\n"+b, "0 malformed | 1 b")
	f("{\"server_id\"\nx\n"+b, "0 malformed | 1 malformed | 2 b")
	f("garbage\n"+a, "0 malformed | 1 a")
	f(a+"\n"+a+b+"\n"+b, "0 a | 1 malformed | 2 b")
	f(a+"\n["+a+"]\n5\n\"x\"\nnull\n"+b, "0 a | 1 not-an-object | 2 not-an-object | 3 not-an-object | 4 not-an-object | 5 b")
	f(a+"\n\"\xff\"\n{\"server_id\":\"b\",\"map\":\"\xff\"}\n"+b, "0 a | 1 bad-utf8 | 2 bad-utf8 | 3 b")
	f(a+",\n"+b, "0 malformed | 1 b")
	f(a+"\n{\"server_id\":\"b\",\"players\":-1}", "0 a | 1 out-of-range")
}

func TestBrokenObject(t *testing.T) {
	f := func(body string) {
		t.Helper()
		r := decode(body)
		if r.outline() != "0 malformed" || string(r.rejects[0].Bytes) != body || !strings.HasPrefix(r.rejects[0].Detail, "broken JSON: ") &&
			r.rejects[0].Detail != "more follows the end of the JSON value" {
			t.Errorf("%q: %s %+v", body, r.outline(), r.rejects)
		}
	}
	f(`{"server_id":"a"`)
	f(`{"server_id":"a"}}`)
	f(`{"server_id":"a"}x`)
	f(`{"server_id":"a",}`)
	f(`{"server_id":"a","fps":NaN}`)
	f(`{"server_id":"a","fps":Infinity}`)
	f(`{"server_id":"a","fps":+1}`)
	f(`{"server_id":"a","fps":01}`)
	f(`{"server_id":"a","fps":.5}`)
	f("{\"server_id\":\"a\x01\"}")
	f("{\n\"server_id\":\"a\",\n\"players\":")
	f(`{"server_id":"a","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`)
}

func TestArrayNeighbours(t *testing.T) {
	body := `[{"server_id":"a"},{"server_id":"b","players":"5"}, 5 ,{"server_id":"c"},null,{"server_id":"x","map":"` + "\xff" + `"},{"server_id":"d"}]`
	r := decode(body)
	if got := r.outline(); got != "0 a | 1 wrong-type | 2 not-an-object | 3 c | 4 not-an-object | 5 bad-utf8 | 6 d" {
		t.Error(got)
	}
	want := []string{`{"server_id":"b","players":"5"}`, "5", "null", `{"server_id":"x","map":"` + "\xff" + `"}`}
	for i, bad := range r.rejects {
		if string(bad.Bytes) != want[i] {
			t.Errorf("bytes %q, want %q", bad.Bytes, want[i])
		}
	}
	if r.stats != (Stats{Samples: 3, Rejected: 4}) {
		t.Errorf("%+v", r.stats)
	}
}

func TestBrokenArrayCostsTheMessage(t *testing.T) {
	f := func(body string) {
		t.Helper()
		r := decode(body)
		if r.outline() != "-1 malformed" || string(r.rejects[0].Bytes) != body || r.stats != (Stats{Rejected: 1}) {
			t.Errorf("%q: %s %+v", body, r.outline(), r.stats)
		}
	}
	const a = `{"server_id":"a"}`
	f("[")
	f("[" + a)
	f("[" + a + ",")
	f("[" + a + ",]")
	f("[," + a + "]")
	f("[" + a + a + "]")
	f("[" + a + "]]")
	f("[" + a + "]\n" + a)
	f("[" + a + "\n" + a + "]")
	f("[" + a + `,{"server_id":"b","fps":NaN},` + a + "]")
	f("[" + a + `,{"server_id":"b"` + "," + a + "]")
	f("[" + a + `,"` + "\x00" + `"]`)
	f("[" + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_001))
}

func TestSampleLimit(t *testing.T) {
	f := func(body []byte, want string, samples int) {
		t.Helper()
		r := decodeWith(NewDecoder(), envelope(), "", body)
		if len(r.samples) != samples || samples == 0 && r.outline() != want {
			t.Errorf("%d samples, rejects %v", len(r.samples), len(r.rejects))
		}
	}
	line := []byte("{\"server_id\":\"a\"}\n")
	comma := []byte(`{"server_id":"a"},`)
	elements := func(n int) []byte {
		return append(append([]byte{'['}, bytes.TrimSuffix(bytes.Repeat(comma, n), []byte{','})...), ']')
	}
	f(elements(10_000), "", 10_000)
	f(elements(10_001), "-1 too-many-samples", 0)
	f(bytes.Repeat(line, 10_000), "", 10_000)
	f(bytes.Repeat(line, 10_001), "-1 too-many-samples", 0)
	f(bytes.Repeat(append(line, '\r', '\n', '\n'), 10_000), "", 10_000)
	f(bytes.Repeat([]byte("x\n"), 10_001), "-1 too-many-samples", 0)
}

func TestEncodings(t *testing.T) {
	body := fullArray(50)
	f := func(encoding string, wire []byte, want Reason) {
		t.Helper()
		r := decodeWith(NewDecoder(), envelope(), encoding, wire)
		if want == "" {
			if len(r.samples) != 50 || len(r.rejects) != 0 {
				t.Errorf("%s: %d samples, %v", encoding, len(r.samples), r.rejects)
			}
			return
		}
		if len(r.samples) != 0 || len(r.rejects) != 1 || r.rejects[0].Reason != want || r.rejects[0].Index != -1 || !bytes.Equal(r.rejects[0].Bytes, wire) {
			t.Errorf("%s: %s, want %s", encoding, r.outline(), want)
		}
	}
	zipped, packed := gzipped(t, body), zstded(t, body)
	f("", body, "")
	f("identity", body, "")
	f("gzip", zipped, "")
	f(" GZIP ", zipped, "")
	f("zstd", packed, "")
	f("zstd", zstdStreamed(t, body), "")
	f("gzip", append(gzipped(t, body[:100]), gzipped(t, body[100:])...), "")
	f("br", body, BadEncoding)
	f("gzip, zstd", zipped, BadEncoding)
	f("gzip", body, BadEncoding)
	f("zstd", body, BadEncoding)
	f("zstd", zipped, BadEncoding)
	f("gzip", zipped[:len(zipped)-5], BadEncoding)
	f("zstd", packed[:len(packed)-5], BadEncoding)
	f("gzip", append(bytes.Clone(zipped), "rest"...), BadEncoding)
	f("gzip", nil, BadEncoding)
	f("gzip", gzipped(t, nil), Empty)
	f("zstd", nil, Empty)
}

func TestByteLimit(t *testing.T) {
	f := func(encoding string, wire []byte, want string) {
		t.Helper()
		if got := decodeWith(NewDecoder(), envelope(), encoding, wire).outline(); got != want {
			t.Errorf("%q of %d bytes: %s, want %s", encoding, len(wire), got, want)
		}
	}
	fits := append([]byte(`{"server_id":"a"}`), bytes.Repeat([]byte{' '}, schema.MaxMessageBytes-17)...)
	over := append(bytes.Clone(fits), ' ')
	f("", fits, "0 a")
	f("gzip", gzipped(t, fits), "0 a")
	f("zstd", zstded(t, fits), "0 a")
	f("zstd", zstdStreamed(t, fits), "0 a")
	f("", over, "-1 too-large")
	f("gzip", gzipped(t, over), "-1 too-large")
	f("zstd", zstded(t, over), "-1 too-large")
	f("zstd", zstdStreamed(t, over), "-1 too-large")
}

func TestZipBombIsStoppedAtTheBound(t *testing.T) {
	bomb := make([]byte, 64<<20)
	tests := []struct {
		encoding string
		wire     []byte
	}{{"gzip", gzipped(t, bomb)}, {"zstd", zstdStreamed(t, bomb)}, {"zstd", zstded(t, bomb)}}
	for _, test := range tests {
		d := NewDecoder()
		decodeWith(d, envelope(), test.encoding, zstded(t, []byte("{}")))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := decodeWith(d, envelope(), test.encoding, test.wire)
		runtime.ReadMemStats(&after)
		if r.outline() != "-1 too-large" {
			t.Errorf("%s: %s", test.encoding, r.outline())
		}
		// Growing by doubling allocates twice the bound in all and holds one and a half of it at most; zstd's window is
		// once the bound.
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 3*schema.MaxMessageBytes+2<<20 {
			t.Errorf("%s: %d bytes allocated for a bomb of %d", test.encoding, grown, len(test.wire))
		}
	}
}

func TestDecoderIsAsNewAfterAnything(t *testing.T) {
	bodies := [][]byte{
		fullArray(3), []byte(`[{"server_id":"a","players":-1},{"server_id":"b","x":1}]`), []byte("[{"), metricsSample(20), []byte("x"),
		[]byte(`{"server_id":"c","boot":"1","metrics":{"x":1}}`), []byte("{\"server_id\":\"c\"}\n{\"server_id\":\"\xff\"}\n"), {},
	}
	used := NewDecoder()
	random := rand.New(rand.NewSource(1))
	for range 500 {
		body := bodies[random.Intn(len(bodies))]
		got, want := decodeWith(used, envelope(), "", body), decodeWith(NewDecoder(), envelope(), "", body)
		if got.outline() != want.outline() || got.stats != want.stats {
			t.Fatalf("%q: %s, new: %s", body, got.outline(), want.outline())
		}
		for i := range got.samples {
			if !sameSample(&got.samples[i], &want.samples[i]) {
				t.Fatalf("%q: %+v, new: %+v", body, got.samples[i], want.samples[i])
			}
		}
	}
}
