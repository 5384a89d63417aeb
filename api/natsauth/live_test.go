package natsauth_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"corrosion/api/account"
	"corrosion/api/natsauth"
	"corrosion/api/platform"
	"corrosion/api/store"
	"corrosion/schema"
	"corrosion/schema/command"
)

// lost tells that a client has lost its connection at least once since reconnects were counted.
func (c *client) lost(reconnects uint64) error {
	if c.IsConnected() && c.Stats().Reconnects == reconnects {
		return errors.New("the connection is still there")
	}
	return nil
}

func (c *client) back() error {
	if !c.IsConnected() {
		return fmt.Errorf("not connected: %w", c.LastError())
	}
	return nil
}

// publishEvery publishes until the test ends, as a game server does.
func (c *client) publishEvery(subject string) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_ = c.Publish(subject, []byte(`{"server_id":"eu-1"}`)) // buffered while away
			}
		}
	}()
	c.t.Cleanup(func() { close(done) })
}

// A suspension ends live connections within seconds, nothing of the license arrives then, and its clients come back by
// themselves when it is resumed. Another license notices nothing.
func TestSuspensionOfLiveConnections(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine, other := w.license(), w.license()
		stream := w.stats(w.asPlatform())
		game := w.connect(mine.NATSUser, mine.NATSPassword, nats.ReconnectBufSize(-1))
		bystander := w.connect(other.NATSUser, other.NATSPassword)
		game.publishEvery(schema.StatsSubject(mine.LicenseID))
		w.eventually(func() error { return arrived(w.stored(stream), 10) })
		if err := platform.Suspend(t.Context(), store.New(w.pool), mine.LicenseID, ""); err != nil {
			t.Fatal(err)
		}
		w.eventually(func() error { return game.lost(0) })
		w.eventually(func() error { return arrived(uint64(w.metrics.Denied(natsauth.DeniedSuspended)), 3) })
		after := w.stored(stream)
		tries := w.metrics.Denied(natsauth.DeniedSuspended)
		w.eventually(func() error {
			return arrived(uint64(w.metrics.Denied(natsauth.DeniedSuspended)), uint64(tries)+5)
		})
		if now := w.stored(stream); now != after {
			t.Errorf("%d messages arrived while suspended", now-after)
		}
		if game.IsClosed() {
			t.Fatalf("the client gave up: %v", game.LastError())
		}
		if err := platform.Resume(t.Context(), store.New(w.pool), mine.LicenseID); err != nil {
			t.Fatal(err)
		}
		w.eventually(game.back)
		w.eventually(func() error { return arrived(w.stored(stream), after+5) })
		if err := bystander.lost(0); err == nil {
			t.Error("another license's connection was ended")
		}
	})
}

func arrived(got, want uint64) error {
	if got < want {
		return fmt.Errorf("%d, want %d", got, want)
	}
	return nil
}

// Rotation without an overlap drops who showed the old password; the new one works, the old one is refused for good.
func TestRotationOfLiveConnections(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine := w.license()
		old := w.connect(mine.NATSUser, mine.NATSPassword)
		made, err := account.RotateNATS(t.Context(), w.pool, mine.LicenseID, 0)
		if err != nil {
			t.Fatal(err)
		}
		w.eventually(func() error {
			if !old.IsClosed() {
				return errors.New("the client still hopes")
			}
			return nil
		})
		if err := old.LastError(); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("the old password: got %v", err)
		}
		w.connect(made.NATSUser, made.NATSPassword)
		if conn, err := w.dial(mine.NATSUser, mine.NATSPassword); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("the old password: got %v, %v", conn, err)
		}
	})
}

// Within the overlap both passwords work and nobody is dropped; at its end only those of the old one are.
func TestOverlap(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine := w.license()
		old := w.connect(mine.NATSUser, mine.NATSPassword)
		overlap := 4 * time.Second
		made, err := account.RotateNATS(t.Context(), w.pool, mine.LicenseID, overlap)
		if err != nil {
			t.Fatal(err)
		}
		rolled := w.connect(made.NATSUser, made.NATSPassword)
		late := w.connect(mine.NATSUser, mine.NATSPassword)
		if time.Now().Before(*made.PreviousUntil) {
			for _, c := range []*client{old, late} {
				if err := c.lost(0); err == nil {
					t.Error("dropped within the overlap")
				}
			}
		}
		for _, c := range []*client{old, late} {
			w.eventually(func() error { return c.lost(0) })
			if time.Now().Before(*made.PreviousUntil) {
				t.Error("dropped within the overlap")
			}
			w.eventually(func() error {
				if !c.IsClosed() {
					return errors.New("the client still hopes")
				}
				return nil
			})
		}
		if err := rolled.lost(0); err == nil {
			t.Error("a server with the new password was dropped")
		}
		if n := w.metrics.Denied(natsauth.DeniedOldPassword); n == 0 {
			t.Error("old passwords after the overlap are not counted")
		}
	})
}

// A revoked agent loses its connection, even where its user is made again at once.
func TestRevokedAgent(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine := w.license()
		agent, err := account.CreateAgentUser(t.Context(), w.pool, mine.LicenseID, "eu-1")
		if err != nil {
			t.Fatal(err)
		}
		c := w.connect(agent.NATSUser, agent.NATSPassword)
		if err := account.RevokeAgentUser(t.Context(), w.pool, mine.LicenseID, "eu-1"); err != nil {
			t.Fatal(err)
		}
		again, err := account.CreateAgentUser(t.Context(), w.pool, mine.LicenseID, "eu-1")
		if err != nil {
			t.Fatal(err)
		}
		w.eventually(func() error { return c.lost(0) })
		w.connect(again.NATSUser, again.NATSPassword)
	})
}

// An erased license's connections end too.
func TestErasedLicense(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine := w.license()
		c := w.connect(mine.NATSUser, mine.NATSPassword)
		if _, err := w.pool.Exec(t.Context(), "DELETE FROM licenses WHERE id = $1", mine.LicenseID); err != nil {
			t.Fatal(err)
		}
		w.eventually(func() error { return c.lost(0) })
	})
}

// What the server refuses is counted on the local server; a stock one writes it to its log.
func TestForgedSubjectsAreCounted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine, other := w.license(), w.license()
		c := w.connect(mine.NATSUser, mine.NATSPassword)
		for _, subject := range []string{schema.StatsSubject(other.LicenseID), command.Subject(mine.LicenseID, "eu-1"), "$JS.API.INFO"} {
			if err := c.Publish(subject, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.SubscribeSync(schema.StatsSubject(other.LicenseID)); err != nil {
			t.Fatal(err)
		}
		if err := c.refusal(); err == nil {
			t.Fatal("not refused")
		}
		w.eventually(func() error {
			if w.stock != nil {
				return countIn(w.stock.Log(t), map[string]int{"Publish Violation": 3, "Subscription Violation": 1})
			}
			if v := w.embedded.Violations(); v.Publish != 3 || v.Subscribe != 1 {
				return fmt.Errorf("%+v", v)
			}
			return nil
		})
	})
}

// A login that the gate cannot judge is tried again; one that is wrong gets a clear error.
func TestWrongLogins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine := w.license()
		for name, login := range map[string][2]string{
			"a wrong password": {mine.NATSUser, "wrong"}, "nobody": {"nobody", mine.NATSPassword}, "no user": {"", ""},
			"a connection's name": {mine.NATSUser + "#1", mine.NATSPassword}, "the platform's": {"corrosion", "wrong"}, "a wildcard": {"server-%", mine.NATSPassword},
		} {
			if c, err := w.dial(login[0], login[1]); !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("%s: got %v, %v", name, c, err)
			}
		}
		if w.metrics.Denied(natsauth.DeniedPassword) == 0 || w.metrics.Denied(natsauth.DeniedUnknown) == 0 {
			t.Error("wrong logins are not counted")
		}
	})
}

// JetStream acknowledges to whatever subject the publisher names, another license's too: no right covers it. What gets
// there is the server's own acknowledgement and nothing that the publisher chose, which is a bad sample.
func TestReplySubjectOfAnother(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine, other := w.license(), w.license()
		stream := w.stats(w.asPlatform())
		c := w.connect(mine.NATSUser, mine.NATSPassword)
		message := nats.NewMsg(schema.StatsSubject(mine.LicenseID))
		message.Reply, message.Data = schema.ServerStatsSubject(other.LicenseID, "eu-1"), []byte(`{"server_id":"eu-1","players":7}`)
		message.Header.Set("Content-Encoding", "gzip")
		if err := c.PublishMsg(message); err != nil {
			t.Fatal(err)
		}
		w.eventually(func() error { return arrived(w.stored(stream), 2) })
		m, err := stream.GetLastMsgForSubject(t.Context(), message.Reply)
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Data) != `{"stream":"STATS","seq":1}` || len(m.Header) != 0 {
			t.Errorf("got %s, header %v", m.Data, m.Header)
		}
	})
}
