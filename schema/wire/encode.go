package wire

import (
	"github.com/go-faster/jx"

	"corrosion/schema"
)

// AppendJSON appends s as one JSON object in the order of the contract: server_id, ts in epoch ms, then the fields that
// s has, metrics last. What identifies the row (license, epoch, seq, idx, received_at) is the message's and not written.
// Floats are written as short as they read back the same; those that are not finite become null, which is absent.
func AppendJSON(dst []byte, s *schema.Sample) []byte {
	w, own := borrow(dst)
	w.ObjStart()
	w.FieldStart("server_id")
	w.Str(s.ServerID)
	w.Comma()
	w.FieldStart("ts")
	w.Int64(s.TS)
	for f := range schema.NumFields {
		if s.Has(f) {
			w.Comma()
			w.FieldStart(f.String())
			writeValue(w, s, f)
		}
	}
	if len(s.Metrics) > 0 {
		w.Comma()
		w.FieldStart("metrics")
		writeMetrics(w, s.Metrics)
	}
	w.ObjEnd()
	return giveBack(w, own)
}

// AppendMetrics appends metrics as one JSON object of numbers.
func AppendMetrics(dst []byte, metrics []schema.Metric) []byte {
	w, own := borrow(dst)
	writeMetrics(w, metrics)
	return giveBack(w, own)
}

// borrow takes a writer from jx's pool to write behind dst: one of our own would be allocated each time.
func borrow(dst []byte) (w *jx.Writer, own []byte) {
	w = jx.GetWriter()
	own, w.Buf = w.Buf, dst
	return w, own
}

// giveBack returns the writer with its own buffer, and what was written.
func giveBack(w *jx.Writer, own []byte) (written []byte) {
	written, w.Buf = w.Buf, own
	jx.PutWriter(w)
	return written
}

// AppendNDJSON appends s as a line.
func AppendNDJSON(dst []byte, s *schema.Sample) []byte { return append(AppendJSON(dst, s), '\n') }

// AppendArray appends samples as a JSON array.
func AppendArray(dst []byte, samples []schema.Sample) []byte {
	dst = append(dst, '[')
	for i := range samples {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendJSON(dst, &samples[i])
	}
	return append(dst, ']')
}

func writeValue(w *jx.Writer, s *schema.Sample, f schema.Field) {
	switch f.Info().Kind {
	case schema.Text:
		w.Str(s.Text(f))
	case schema.Float:
		w.Float64(s.Float(f))
	default:
		w.UInt64(s.Uint(f))
	}
}

func writeMetrics(w *jx.Writer, metrics []schema.Metric) {
	w.ObjStart()
	for i := range metrics {
		if i > 0 {
			w.Comma()
		}
		w.FieldStart(metrics[i].Name)
		w.Float64(metrics[i].Value)
	}
	w.ObjEnd()
}
