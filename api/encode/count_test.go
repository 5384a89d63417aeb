package encode

import (
	"bytes"
	"testing"

	"corrosion/schema"
)

func TestPatternCounterAtEverySeam(t *testing.T) {
	csv := "\"ts\",\"map\",\"metrics\"\r\n" +
		"1,\"a\r\nb\",\"{}\"\r\n" +
		"2,\"}\"\"\r\n\",\"{\"\"x\"\":1}\"\r\n" +
		"3,,\"{}\"\r\n"
	f := func(name, text string, r Request, want uint64) {
		t.Helper()
		for size := 1; size <= len(text); size++ {
			c := newRowCounter(r)
			for rest := []byte(text); len(rest) > 0; {
				n := min(size, len(rest))
				c.Write(rest[:n])
				rest = rest[n:]
			}
			if got, err := c.Rows(); got != want || err != nil {
				t.Fatalf("%s in chunks of %d: got %d, %v, want %d", name, size, got, err, want)
			}
		}
	}
	raw, hourly := Request{Format: CSV, Granularity: schema.Raw}, Request{Format: CSV, Granularity: schema.Hourly}
	f("raw CSV", csv, raw, 3)
	f("raw CSV without rows", "\"ts\",\"metrics\"\r\n", raw, 0)
	f("hourly CSV", "\"hour\"\r\n1\r\n2\r\n", hourly, 2)
	f("NDJSON", "{\"map\":\"a\\nb\"}\n{}\n", Request{Format: NDJSON, Granularity: schema.Raw}, 2)
}

func TestPatternCounterWithoutHeader(t *testing.T) {
	if _, err := newRowCounter(Request{Format: CSV, Granularity: schema.Hourly}).Rows(); err == nil {
		t.Error("an empty CSV was counted")
	}
}

func TestFooterCounterRefuses(t *testing.T) {
	f := func(name, text string) {
		t.Helper()
		c := newRowCounter(Request{Format: Parquet})
		c.Write([]byte(text))
		if rows, err := c.Rows(); err == nil {
			t.Errorf("%s: %d rows", name, rows)
		}
	}
	f("nothing", "")
	f("no magic", "PAR1xxxxxxxxxxxx")
	f("footer longer than the file", "PAR1\xff\xff\xff\x7fPAR1")
	f("empty footer", "PAR1\x00\x00\x00\x00PAR1")
	f("footer that ends at once", "PAR1\x00\x01\x00\x00\x00PAR1")
}

func TestFooterCounterKeepsOnlyTheEnd(t *testing.T) {
	c := &footerCounter{}
	chunk := make([]byte, chunkSize)
	for range 64 << 20 / chunkSize {
		c.Write(chunk)
	}
	if len(c.tail) > 4<<20 {
		t.Errorf("kept %d bytes of 64 MiB", len(c.tail))
	}
}

// go test -run xxx -bench RowCounter ./api/encode
func BenchmarkRowCounter(b *testing.B) {
	row := `"2026-11-20T19:27:56.431Z","server-0",19999,"boot-1",3,200,7,2,247,42.83,23.84,122822,8973.14,84.74,380791,387008,199990,"Procedural Map","2633","{}"` + "\r\n"
	chunk := bytes.Repeat([]byte(row), chunkSize/len(row))
	c := newRowCounter(Request{Format: CSV, Granularity: schema.Raw})
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		c.Write(chunk)
	}
}
