package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
)

func told(license uuid.UUID, server, data string) Notice {
	return Notice{License: license, Server: server, Event: "installation", Data: []byte(`{"is":"` + data + `"}`)}
}

// A notice comes to the listeners of its license who selected the server and may have it, once, and to nobody else.
func TestNotices(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), nil)
	ours, theirs := uuid.New(), uuid.New()
	all, chosen, other := r.join(Ask{License: ours}), r.join(Ask{License: ours, Selection: only("b")}), r.join(Ask{License: theirs})
	measured := r.join(Ask{License: ours, Selection: Selection{Measured: true}})
	for _, l := range []*Listener{all, chosen, other, measured} {
		until(t, l, "event: snapshot")
	}
	r.Announce(told(uuid.New(), "a", "nobody's"))
	r.Announce(told(ours, "a", "one"))
	r.Announce(told(ours, "b", "two"))
	got := until(t, all, `{"is":"two"}`)
	if want := "event: installation\ndata: {\"is\":\"one\"}\n\n"; strings.Count(got, want) != 1 || strings.Count(got, "event: installation\n") != 2 {
		t.Errorf("got %s", got)
	}
	r.publish(ours, "b", 7)
	r.publish(theirs, "b", 7)
	if again := until(t, all, `"current":7`); strings.Contains(again, "installation") {
		t.Errorf("told twice: %s", again)
	}
	if got := until(t, chosen, `"current":7`); strings.Contains(got, `"one"`) || strings.Count(got, `"two"`) != 1 {
		t.Errorf("who selected b got %s", got)
	}
	for name, l := range map[string]*Listener{"another license": other, "who may not have them": measured} {
		if got := until(t, l, `"current":7`); strings.Contains(got, "installation") {
			t.Errorf("%s got %s", name, got)
		}
	}
	again := r.join(Ask{License: ours, LastID: lastID(got)})
	if got := until(t, again, `"current":7`); strings.Contains(got, "installation") || strings.Contains(got, "snapshot") {
		t.Errorf("resumed behind both with %s", got)
	}
}

// Who has missed notices is told so by a snapshot: one that was away too long, and everybody when Postgres was away.
func TestMissedNotices(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), nil)
	license := uuid.New()
	l, measured := r.join(Ask{License: license}), r.join(Ask{License: license, Selection: Selection{Measured: true}})
	id := lastID(until(t, l, "event: snapshot"))
	until(t, measured, "event: snapshot")
	for i := range maxNotices + 1 {
		r.Announce(told(license, "a", fmt.Sprint(i)))
	}
	localtest.CheckFor(t, 10*time.Second, 5*time.Millisecond, func() error {
		l.n.mu.Lock()
		defer l.n.mu.Unlock()
		if l.n.noticed() || len(l.n.notices) != maxNotices {
			return fmt.Errorf("%d notices", len(l.n.notices))
		}
		return nil
	})
	late := r.join(Ask{License: license, LastID: id})
	if got := until(t, late, "id: "); !strings.Contains(got, "event: snapshot") || strings.Contains(got, "installation") {
		t.Errorf("who was behind got %s", got)
	}
	until(t, l, "event: snapshot")
	r.Missed()
	until(t, l, "event: snapshot")
	r.publish(license, "a", 3)
	if got := until(t, measured, `"current":3`); strings.Contains(got, "snapshot") {
		t.Errorf("who gets no notices began anew: %s", got)
	}
}
