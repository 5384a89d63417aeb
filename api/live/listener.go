package live

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Selection chooses servers of a license. The zero Selection is all of them.
type Selection struct {
	// Key is the same for the same choice; listeners with one Key share their frames.
	Key string
	// Measured leaves out everything but what servers measured: no notices.
	Measured bool
	// Resolve finds the servers. It is asked again as long as somebody listens.
	Resolve func(context.Context) ([]string, error)
}

// key tells apart views of the same servers.
func (s Selection) key() string {
	if s.Measured {
		return "measured " + s.Key
	}
	return s.Key
}

// Ask is what a listener wants.
type Ask struct {
	License uuid.UUID
	// Session is the sign-in, or the API key, whose end ends the stream; uuid.Nil where there is none.
	Session uuid.UUID
	// Address is where the listener comes from, for the limit.
	Address string
	// LastID is the id of the last event that it has; empty = none.
	LastID string
	Selection
}

// Why a listener is sent away.
const (
	EndedToken     = "token-expired"
	EndedSession   = "session-ended"
	EndedSuspended = "license-suspended"
	EndedUnknown   = "license-unknown"
	EndedShutdown  = "shutting-down"
)

// ErrTooMany says that there are as many listeners, or selections, as may be.
var ErrTooMany = errors.New("too many listeners")

// Listener is one stream. Leave must be called at its end.
type Listener struct {
	ask Ask
	n   *network
	v   *view
	// last is the frame that it has; one goroutine asks for frames.
	last uint64

	once   sync.Once
	ended  chan struct{}
	reason string // readable once ended is closed
	left   sync.Once
}

// Frame is what the listener has not got yet, or nil, and what closes with the next frame.
func (l *Listener) Frame() (*Frame, <-chan struct{}) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	if l.last != 0 && l.last == l.n.seq {
		return nil, l.n.next
	}
	f := l.v.frame(l.last)
	l.last = l.n.seq
	return f, l.n.next
}

// Ended closes when the listener is sent away; Reason then says why.
func (l *Listener) Ended() <-chan struct{} { return l.ended }

// Reason is meaningful once Ended has closed.
func (l *Listener) Reason() string { return l.reason }

func (l *Listener) end(reason string) {
	l.once.Do(func() { l.reason = reason; close(l.ended) })
}

// Leave gives the listener's place back. It may be called more than once.
func (l *Listener) Leave() { l.left.Do(func() { l.n.hub.leave(l) }) }

// view finds or makes the view of a selection; members are what it has found now.
func (n *network) view(s Selection, members map[string]bool) (*view, error) {
	v := n.views[s.key()]
	if v == nil {
		if len(n.views) >= n.hub.cfg.MaxViews {
			return nil, ErrTooMany
		}
		v = newView(n, s, members)
		n.views[s.key()] = v
	} else if s.Resolve != nil && !maps.Equal(v.members, members) {
		v.reselect(members)
	}
	return v, nil
}

// reselect makes everybody begin anew: with another choice of servers a change is none of the one before.
func (v *view) reselect(members map[string]bool) {
	v.members, v.since = members, v.n.seq+1
	v.n.totalsDue = true
	v.n.due()
}

// selectAgain finds out anew who is selected, for each view that listeners have.
func (n *network) selectAgain() {
	n.mu.Lock()
	var views []*view
	for _, v := range n.views {
		if v.selection.Resolve != nil {
			views = append(views, v)
		}
	}
	n.mu.Unlock()
	for _, v := range views {
		members, err := n.hub.resolve(n.ctx, v.selection)
		if err != nil {
			continue // the choice of before holds until the next round
		}
		n.mu.Lock()
		if !maps.Equal(v.members, members) {
			v.reselect(members)
		}
		n.mu.Unlock()
	}
}

// resolve gives a selection's servers; nil are all.
func (h *Hub) resolve(ctx context.Context, s Selection) (map[string]bool, error) {
	if s.Resolve == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.SeedTimeout)
	defer cancel()
	ids, err := s.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	members := make(map[string]bool, len(ids))
	for _, id := range ids {
		members[id] = true
	}
	return members, nil
}

// rest lets a network go when nobody has come for a while.
func (n *network) rest(after time.Duration) {
	n.idle = time.AfterFunc(after, func() { n.hub.drop(n) })
}
