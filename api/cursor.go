package api

import (
	"crypto/sha256"
	"encoding/binary"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/query"
	"corrosion/schema"
)

const (
	cursorPurpose = "export cursor"
	cursorVersion = 1
	codeExpired   = "cursor-expired"
)

// cursor is where an export ended: the next one goes on from there.
type cursor struct {
	// since is the watermark of the export: what is stored from then on has not been sent.
	since time.Time
	// ahead is the export's end where that was simply now: what was stored by then with a later ts has not been sent
	// either. Zero where nothing was left out so.
	ahead time.Time
	scope cursorScope
}

// cursorScope tells apart what cursors were made for: license and selection.
type cursorScope [16]byte

// cursorSize is the version, two moments in ms and the scope.
const cursorSize = 1 + 8 + 8 + len(cursorScope{})

// pack gives the cursor's bytes, which unpackCursor reads; the same state always has the same bytes.
func (c cursor) pack() []byte {
	value := []byte{cursorVersion}
	for _, t := range []time.Time{c.since, c.ahead} {
		ms := int64(0)
		if !t.IsZero() {
			ms = t.UnixMilli()
		}
		value = binary.BigEndian.AppendUint64(value, uint64(ms))
	}
	return append(value, c.scope[:]...)
}

func unpackCursor(value []byte) (cursor, error) {
	if len(value) != cursorSize || value[0] != cursorVersion {
		return cursor{}, auth.ErrSeal
	}
	at := func(from int) time.Time {
		if ms := int64(binary.BigEndian.Uint64(value[from:])); ms != 0 {
			return time.UnixMilli(ms).UTC()
		}
		return time.Time{}
	}
	return cursor{since: at(1), ahead: at(9), scope: cursorScope(value[17:])}, nil
}

// seal gives the cursor's text.
func (c cursor) seal(keys *auth.Keys) (string, error) { return keys.Seal(cursorPurpose, c.pack()) }

// openCursor fails for what seal has not made.
func openCursor(keys *auth.Keys, text string) (cursor, error) {
	value, err := keys.Unseal(cursorPurpose, text)
	if err != nil {
		return cursor{}, err
	}
	return unpackCursor(value)
}

// cursorLife is how long a cursor can be used: a day less than samples are kept, for a sample counts its days from when
// it was received and may have waited to be stored.
func cursorLife(retention schema.Retention) time.Duration {
	return max(retention.Raw-24*time.Hour, retention.Raw/2)
}

// scopeOf is what a cursor is bound to: the license and every parameter that selects servers, as they were sent, in any
// order.
func scopeOf(license uuid.UUID, values url.Values, known map[string]bool) cursorScope {
	h := sha256.New()
	h.Write(license[:])
	var names []string
	for name := range known {
		if !slices.Contains(unbound(), name) && len(values[name]) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		sent := slices.Clone(values[name])
		slices.Sort(sent)
		h.Write([]byte("\x00" + name + "\x01" + strings.Join(slices.Compact(sent), "\x01")))
	}
	return cursorScope(h.Sum(nil))
}

// unbound are the parameters of an export that may change from one export to the next.
func unbound() []string {
	return []string{"range", "from", "to", "tz", "granularity", "format", "after", "compression", "split"}
}

// after reads the parameter after into a request that was read without it.
func (in *inputs) after(keys *auth.Keys, scope cursorScope, request *encode.Request) {
	text := in.one("after")
	if len(in.values["after"]) == 0 {
		return
	}
	refuse := func(location, message string, value any) {
		in.add(query.Fault{Location: location, Message: message, Value: value})
	}
	for _, name := range []string{"range", "from", "to"} {
		if sent := in.values[name]; len(sent) > 0 {
			refuse("query."+name, "cannot be given with after: that chooses by when samples were received", sent[0])
		}
	}
	if request.Granularity != schema.Raw {
		refuse("query.after", "is for raw samples: hours change as samples arrive; export the last days of hours again", text)
		return
	}
	c, err := openCursor(keys, text)
	switch {
	case err != nil:
		refuse("query.after", "is not a cursor of an export", text)
	case c.scope != scope:
		refuse("query.after", "was made for another license or another selection of servers", text)
	case in.now.Sub(c.since) > cursorLife(in.retention):
		in.code = codeExpired
		refuse("query.after", "is older than "+cursorLife(in.retention).String()+
			": samples received since may be gone; start again with an export without after", text)
	default:
		request.From, request.To = time.Time{}, time.Time{}
		request.StoredSince, request.Ahead = c.since, c.ahead
	}
}
