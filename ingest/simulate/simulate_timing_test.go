package simulate

import (
	"context"
	"testing"
	"time"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// go test ./ingest/simulate -run '^$' -bench . -benchmem -count 6
func BenchmarkSample(b *testing.B) {
	benchmark(b, func([]byte, *schema.Sample) []byte { return nil })
}

func BenchmarkSampleJSON(b *testing.B) {
	benchmark(b, wire.AppendJSON)
}

func benchmark(b *testing.B, encode func([]byte, *schema.Sample) []byte) {
	n := newNetwork(b, 1, 50, Every(time.Minute))
	var buf []byte
	b.ReportAllocs()
	b.ResetTimer()
	done := 0
	_ = n.Backfill(context.Background(), monday, monday.AddDate(100, 0, 0), func(s *schema.Sample) error {
		buf = encode(buf[:0], s)
		if done++; done == b.N {
			return context.Canceled
		}
		return nil
	})
	b.SetBytes(int64(len(buf)))
}
