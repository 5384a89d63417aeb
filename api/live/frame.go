package live

import (
	"bytes"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"
)

// Frame is a stretch of an event stream, the same for all who get it.
type Frame struct {
	// Plain is the text. It must not be changed.
	Plain []byte

	once   sync.Once
	packed []byte
}

// Packed is Plain as deflate blocks that need nothing from before and end on a byte, so that streams may be put together
// of frames. It is made once, by the first who asks.
func (f *Frame) Packed() []byte {
	f.once.Do(func() { f.packed = pack(f.Plain) })
	return f.packed
}

var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for unknown levels only
	return w
}}

func pack(plain []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(plain)/4 + 64)
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	_, _ = w.Write(plain) // a buffer takes everything
	_ = w.Flush()
	return out.Bytes()
}

// event appends one event without an id.
func appendEvent(dst []byte, name string, data []byte) []byte {
	dst = append(append(append(dst, "event: "...), name...), "\ndata: "...)
	return append(append(dst, data...), "\n\n"...)
}

func appendID(dst []byte, id position) []byte {
	dst = append(append(dst, "id: "...), id.network...)
	dst = append(append(dst, '-'), id.view...)
	dst = strconv.AppendUint(append(dst, '-'), id.seq, 10)
	return append(dst, '\n')
}

// position is what an event's id says: the frame of a view of a network. Networks are named anew each time that they
// begin, so that an id of another process or of earlier is none here.
type position struct {
	network, view string
	seq           uint64
}

// appendServers appends what is common to snapshots and changes.
func appendServers(dst []byte, servers []*server) []byte {
	dst = append(dst, `"servers":[`...)
	for i, k := range servers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, k.json...)
	}
	return append(dst, ']')
}

func appendStrings(dst []byte, ids []string) []byte {
	dst = append(dst, '[')
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), id...), '"') // server ids need no escapes
	}
	return append(dst, ']')
}

// Note is the data of the events stale, fresh and end.
type Note struct {
	// Since is when the connection to NATS was lost.
	Since *time.Time `json:"since,omitempty"`
	// Reason is why the stream ends.
	Reason string `json:"reason,omitempty"`
}

// Event is one event without an id, for a single listener.
func Event(name string, note Note) []byte {
	data, _ := json.Marshal(note) // plain values
	return appendEvent(nil, name, data)
}
