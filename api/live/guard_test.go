package live

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
)

func TestListenersAreSentAway(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), nil)
	ours, theirs, session := uuid.New(), uuid.New(), uuid.New()
	suspended, signedOut, stays := r.join(Ask{License: ours}), r.join(Ask{License: theirs, Session: session}), r.join(Ask{License: theirs, Session: uuid.New()})
	f := func(l *Listener, reason string) {
		t.Helper()
		select {
		case <-l.Ended():
			if l.Reason() != reason {
				t.Errorf("got %s, want %s", l.Reason(), reason)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: not sent away", reason)
		}
	}
	r.guard.set(func() { r.guard.reason[ours], r.guard.session[session] = EndedSuspended, true })
	f(suspended, EndedSuspended)
	f(signedOut, EndedSession)
	r.guard.set(func() { r.guard.err = errors.New("Postgres is away") })
	if err := r.check(t.Context()); err == nil {
		t.Error("the guard's error is lost")
	}
	select {
	case <-stays.Ended():
		t.Errorf("sent away for %s", stays.Reason())
	default:
	}
	r.Close()
	f(stays, EndedShutdown)
	if _, err := r.Join(t.Context(), Ask{License: ours}); err == nil {
		t.Error("joined a closed hub")
	}
}

func TestLimits(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), func(c *Config, _ *Deps) {
		c.MaxListeners, c.MaxLicenseListeners, c.MaxAddressListeners, c.MaxViews, c.Linger = 4, 3, 2, 2, time.Millisecond
	})
	ours, theirs := uuid.New(), uuid.New()
	refused := func(ask Ask) {
		t.Helper()
		if _, err := r.Join(t.Context(), ask); !errors.Is(err, ErrTooMany) {
			t.Errorf("%+v: %v", ask, err)
		}
	}
	first := r.join(Ask{License: ours, Address: "1"})
	r.join(Ask{License: ours, Address: "1", Selection: only("a")})
	refused(Ask{License: theirs, Address: "1"})
	refused(Ask{License: ours, Address: "2", Selection: only("b")}) // a third selection
	r.join(Ask{License: ours, Address: "2"})
	refused(Ask{License: ours, Address: "3"})
	last := r.join(Ask{License: theirs, Address: "3"})
	refused(Ask{License: theirs, Address: "4"})
	first.Leave()
	first.Leave()
	r.join(Ask{License: ours, Address: "1"})
	last.Leave()
	localtest.CheckFor(t, 10*time.Second, 5*time.Millisecond, func() error {
		if _, networks := r.count(); networks != 1 {
			return fmt.Errorf("%d licenses are followed", networks)
		}
		return nil
	})
}
