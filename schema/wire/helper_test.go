package wire

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"corrosion/schema"
)

var storedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixMilli()

func envelope() Envelope {
	return Envelope{License: uuid.MustParse("00000000-0000-4000-8000-00000000d340"), StoredAt: storedAt, Epoch: 7, Seq: 42}
}

// result is what one Decode called back, copied.
type result struct {
	samples []schema.Sample
	rejects []Reject
	stats   Stats
}

func decodeWith(d *Decoder, env Envelope, encoding string, body []byte) (r result) {
	r.stats = d.Decode(env, encoding, body, func(s *schema.Sample) {
		c := *s
		c.Metrics = slices.Clone(s.Metrics)
		r.samples = append(r.samples, c)
	}, func(bad Reject) {
		bad.Bytes = bytes.Clone(bad.Bytes)
		r.rejects = append(r.rejects, bad)
	})
	return r
}

func decode(body string) result { return decodeWith(NewDecoder(), envelope(), "", []byte(body)) }

// one decodes a body of one sample, which must be good.
func one(t *testing.T, body string) schema.Sample {
	t.Helper()
	r := decode(body)
	if len(r.samples) != 1 || len(r.rejects) != 0 {
		t.Fatalf("%s: %d samples, rejects %v", body, len(r.samples), r.rejects)
	}
	return r.samples[0]
}

// outline is a result in words: "0 a | 1 bad-ts" lists places with their server or reason.
func (r result) outline() string {
	type entry struct {
		place int
		words string
	}
	var entries []entry
	for _, s := range r.samples {
		entries = append(entries, entry{int(s.Idx), fmt.Sprintf("%d %s", s.Idx, s.ServerID)})
	}
	for _, bad := range r.rejects {
		entries = append(entries, entry{bad.Index, fmt.Sprintf("%d %s", bad.Index, bad.Reason)})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.place - b.place })
	words := make([]string, len(entries))
	for i, e := range entries {
		words[i] = e.words
	}
	return strings.Join(words, " | ")
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstded(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	return w.EncodeAll(b, nil)
}

// zstdStreamed compresses without saying how much it will be.
func zstdStreamed(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(b, 64<<10) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fullSample is the contract's sample of 13 fields, some 270 bytes, of server i.
func fullSample(i int) string {
	return fmt.Sprintf(`{"server_id":"eu-main-%03d","ts":%d,"players":%d,"max_players":200,"queued":12,"joining":3,"sleepers":431,`+
		`"fps":58.93,"frame_ms":16.97,"entities":183422,"memory_mb":8123.4,"cpu_percent":87.25,"net_in":%d,"net_out":1832211,"uptime_s":%d}`,
		i%100, storedAt-int64(i), 100+i%100, 204811+i, 86400+i)
}

func fullArray(n int) []byte {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fullSample(i)
	}
	return []byte("[" + strings.Join(parts, ",\n") + "]")
}

func metricsSample(n int) []byte {
	s := fullSample(1)
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(s, "}") + `,"metrics":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"plugin.hook_%03d.ms":%g`, i, float64(i)*1.37)
	}
	b.WriteString("}}")
	return []byte(b.String())
}
