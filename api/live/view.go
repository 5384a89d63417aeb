package live

import (
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
)

// view is a network as listeners with one selection of servers see it. The network's lock covers it.
type view struct {
	n         *network
	name      string
	selection Selection
	// members are the selected servers; nil are all. Who has a frame before since needs a snapshot, because the
	// selection is another one now.
	members   map[string]bool
	since     uint64
	listeners int

	// frames are those that lead from a frame (0: from nothing) to frame at; totals are of at.
	at     uint64
	frames map[uint64]*Frame
	totals []byte
}

func newView(n *network, s Selection, members map[string]bool) *view {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(s.key())) // never fails
	return &view{n: n, name: strconv.FormatUint(hash.Sum64(), 36), selection: s, members: members, frames: map[uint64]*Frame{}}
}

// frame leads from a frame to the present one; nil where nothing of the view has changed. 0 is nothing: a snapshot.
func (v *view) frame(from uint64) *Frame {
	n := v.n
	if v.at != n.seq {
		v.at, v.totals = n.seq, nil
		clear(v.frames)
	}
	if from < v.since || from < n.state.forgotten || from < n.unheard && !v.selection.Measured || from > n.seq {
		from = 0
	}
	f, made := v.frames[from]
	if !made {
		f = v.make(from)
		v.frames[from] = f
	}
	return f
}

func (v *view) make(from uint64) *Frame {
	if from == 0 {
		return v.snapshot()
	}
	n := v.n
	changed := v.changedSince(from)
	gone := v.goneSince(from)
	turned := n.staleSeq > from
	told := v.appendNotices(nil, from)
	if len(changed) == 0 && len(gone) == 0 && !turned && n.totalsSeq <= from && len(told) == 0 {
		return nil
	}
	b := told
	if turned {
		b = v.appendTurn(b)
	}
	if len(changed) > 0 || len(gone) > 0 {
		b = append(b, "event: servers\ndata: {\"at\":"...)
		b = appendServers(append(appendTime(b, n.at), ','), changed)
		b = appendStrings(append(b, `,"gone":`...), gone)
		b = append(b, "}\n\n"...)
	}
	// Only the last event has the id: who breaks off before it gets the whole frame again.
	b = appendID(b, v.position())
	return &Frame{Plain: appendEvent(b, "totals", v.totalsJSON())}
}

func (v *view) position() position { return position{v.n.name, v.name, v.n.seq} }

func (v *view) snapshot() *Frame {
	b := appendID(nil, v.position())
	b = append(b, "event: snapshot\ndata: {\"at\":"...)
	b = append(append(appendTime(b, v.n.at), `,"totals":`...), v.totalsJSON()...)
	b = appendServers(append(b, ','), v.changedSince(0))
	return &Frame{Plain: append(b, "}\n\n"...)}
}

// appendTurn tells that NATS went away or came back.
func (v *view) appendTurn(b []byte) []byte {
	if since := v.n.staleSince; !since.IsZero() {
		return append(b, Event("stale", Note{Since: &since})...)
	}
	return append(b, Event("fresh", Note{})...)
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), timeLayout), '"')
}

func (v *view) has(id string) bool { return v.members == nil || v.members[id] }

// changedSince are the servers that changed behind frame from, in order of ids.
func (v *view) changedSince(from uint64) (changed []*server) {
	for _, k := range v.n.state.order {
		if k.seq > from && v.has(k.id) {
			changed = append(changed, k)
		}
	}
	return changed
}

// goneSince are the servers that left behind frame from and have not come back.
func (v *view) goneSince(from uint64) (gone []string) {
	for _, d := range v.n.state.gone {
		if d.seq > from && v.has(d.id) && v.n.state.servers[d.id] == nil {
			gone = append(gone, d.id)
		}
	}
	slices.Sort(gone)
	return slices.Compact(gone)
}

func (v *view) totalsJSON() []byte {
	if v.totals == nil {
		t := v.n.state.totals(v.members)
		t.At, t.Complete = v.n.at.UTC().Truncate(time.Millisecond), v.n.complete && !v.n.state.omitted
		if since := v.n.staleSince; !since.IsZero() {
			t.StaleSince = &since
		}
		v.totals, _ = json.Marshal(t) // finite numbers
	}
	return v.totals
}

// resume is the frame that a listener with this Last-Event-ID has; 0 where that is none of this view.
func (v *view) resume(lastID string) uint64 {
	parts := strings.Split(lastID, "-")
	if len(parts) != 3 || parts[0] != v.n.name || parts[1] != v.name {
		return 0
	}
	seq, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil || seq > v.n.seq {
		return 0
	}
	return seq
}
