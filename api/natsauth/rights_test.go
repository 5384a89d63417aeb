package natsauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"corrosion/api/account"
	"corrosion/schema"
	"corrosion/schema/command"
)

// try is one operation of the matrix: a publish or a subscribe on a subject.
type try struct {
	subject string
	allowed bool
}

// Every subject that a game server or an agent may use, and those that it might like to.
func TestRights(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine, other := w.license(), w.license()
		agent, err := account.CreateAgentUser(t.Context(), w.pool, mine.LicenseID, "eu-1")
		if err != nil {
			t.Fatal(err)
		}
		a, b := "corrosion."+mine.LicenseID.String()+".", "corrosion."+other.LicenseID.String()+"."
		nobody := []try{
			{b + "stats", false}, {b + "stats.eu-1", false}, {b + "events", false}, {b + "reply.x", false}, {b + "eu-1.cmd", false}, {b + "eu-1.status", false},
			{a + "eu-1.cmd", false}, {a + "eu-2.cmd", false}, {a + "eu-2.status", false}, {a + "reply.x", false}, {a + "stats.x.y", false}, {a + "other", false},
			{"corrosion_dead." + mine.LicenseID.String(), false}, {"corrosion", false}, {"x", false}, {"_INBOX.x", false},
			{"$JS.API.INFO", false}, {"$JS.API.STREAM.NAMES", false}, {"$JS.API.STREAM.DELETE.STATS", false}, {"$JS.API.CONSUMER.CREATE.STATS", false},
			{"$JS.ACK.STATS.c.1.1.1.1.0", false}, {"$SYS.REQ.USER.AUTH", false}, {"$SYS.REQ.SERVER.PING", false}, {"$SYS.REQ.USER.INFO", false}, {"$SRV.PING", false},
		}
		w.publishes("server", mine.NATSUser, mine.NATSPassword, append([]try{
			{a + "stats", true}, {a + "stats.eu-1", true}, {a + "stats.anything", true}, {a + "events", true}, {a + "eu-1.status", false},
		}, nobody...))
		w.publishes("agent", agent.NATSUser, agent.NATSPassword, append([]try{
			{a + "eu-1.status", true}, {a + "stats", false}, {a + "stats.eu-1", false}, {a + "events", false},
		}, nobody...))
		closed := []try{
			{">", false}, {"*", false}, {"corrosion.>", false}, {"corrosion.*.stats", false}, {a + ">", false}, {a + "*", false}, {a + "stats", false}, {a + "stats.*", false},
			{a + "events", false}, {a + "*.cmd", false}, {a + "eu-2.cmd", false}, {a + "eu-1.status", false}, {b + "reply.>", false}, {b + "eu-1.cmd", false}, {b + "stats", false},
			{"_INBOX.>", false}, {"_INBOX.x", false}, {"$JS.>", false}, {"$JS.EVENT.>", false}, {"$SYS.>", false}, {"$SYS.REQ.USER.AUTH", false}, {"corrosion_dead.>", false},
		}
		w.subscribes("server", mine.NATSUser, mine.NATSPassword, append([]try{{a + "reply.>", true}, {a + "reply.x.y", true}, {a + "eu-1.cmd", false}}, closed...))
		w.subscribes("agent", agent.NATSUser, agent.NATSPassword, append([]try{{a + "eu-1.cmd", true}, {a + "reply.>", false}}, closed...))
	})
}

// publishes tries each subject and sees with the platform's eyes what came through.
func (w *world) publishes(who, user, password string, tries []try) {
	w.t.Helper()
	platform := w.asPlatform()
	heard, err := platform.SubscribeSync(">")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := platform.Flush(); err != nil {
		w.t.Fatal(err)
	}
	for _, try := range tries {
		c := w.connect(user, password)
		if err := c.Publish(try.subject, []byte(who)); err != nil {
			w.t.Fatal(err)
		}
		if err := c.refusal(); (err == nil) != try.allowed || err != nil && !errors.Is(err, nats.ErrPermissionViolation) {
			w.t.Errorf("%s publishes on %s: got %v, want allowed %v", who, try.subject, err, try.allowed)
		}
		c.Close()
	}
	if err := platform.Publish("end", nil); err != nil {
		w.t.Fatal(err)
	}
	came := map[string]bool{}
	for {
		m, err := heard.NextMsg(patience)
		if err != nil {
			w.t.Fatal(err)
		}
		if m.Subject == "end" {
			break
		}
		if string(m.Data) == who {
			came[m.Subject] = true
		}
	}
	for _, try := range tries {
		if came[try.subject] != try.allowed {
			w.t.Errorf("%s on %s: came through %v, want %v", who, try.subject, came[try.subject], try.allowed)
		}
	}
}

func (w *world) subscribes(who, user, password string, tries []try) {
	w.t.Helper()
	for _, try := range tries {
		for _, queue := range []string{"", "q"} {
			c := w.connect(user, password)
			if _, err := c.QueueSubscribeSync(try.subject, queue); err != nil {
				w.t.Fatal(err)
			}
			if err := c.refusal(); (err == nil) != try.allowed || err != nil && !errors.Is(err, nats.ErrPermissionViolation) {
				w.t.Errorf("%s subscribes to %s (queue %q): got %v, want allowed %v", who, try.subject, queue, err, try.allowed)
			}
			c.Close()
		}
	}
}

// Game servers hear JetStream's acknowledgements under their own prefix, and agents answer commands and nothing else.
func TestAnswers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		mine := w.license()
		platform := w.asPlatform()
		stream := w.stats(platform)
		game := w.connect(mine.NATSUser, mine.NATSPassword, nats.CustomInboxPrefix(schema.ReplyPrefix(mine.LicenseID)))
		reply, err := game.Request(schema.StatsSubject(mine.LicenseID), []byte(`{"server_id":"eu-1"}`), patience)
		if err != nil || !strings.Contains(string(reply.Data), `"stream":"STATS"`) {
			t.Fatalf("acknowledgement: got %v, %v", reply, err)
		}
		if n := w.stored(stream); n != 1 {
			t.Errorf("%d messages stored, want 1", n)
		}
		agent, err := account.CreateAgentUser(t.Context(), w.pool, mine.LicenseID, "eu-1")
		if err != nil {
			t.Fatal(err)
		}
		c := w.connect(agent.NATSUser, agent.NATSPassword)
		command := command.Subject(mine.LicenseID, "eu-1")
		if _, err := c.Subscribe(command, func(m *nats.Msg) { _ = m.Respond([]byte("done")) }); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		answer, err := platform.Request(command, []byte("do"), patience)
		if err != nil || string(answer.Data) != "done" {
			t.Fatalf("answer to a command: got %v, %v", answer, err)
		}
		if err := c.Publish("_INBOX.of.somebody", nil); err != nil {
			t.Fatal(err)
		}
		if err := c.refusal(); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("answer to what it did not receive: got %v", err)
		}
	})
}
