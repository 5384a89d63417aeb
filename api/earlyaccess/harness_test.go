package earlyaccess

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// desk is a Service on a real Postgres with a clock that the test moves.
type desk struct {
	*Service
	t    *testing.T
	pool *pgxpool.Pool

	mu    sync.Mutex
	clock time.Time
}

func openDesk(t *testing.T, change func(*Config)) *desk {
	t.Helper()
	keys, err := auth.LoadOrCreateKeys(filepath.Join(t.TempDir(), "jwt.key"))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, pool: schematest.Postgres(t), clock: time.Now().Truncate(time.Second)}
	config := DefaultConfig()
	config.Work = Work{Puzzles: 4, Bits: 4}
	config.Plain.Free = 10_000
	if change != nil {
		change(&config)
	}
	d.Service, err = NewService(config, Deps{Store: store.New(d.pool), Keys: keys, Registerer: prometheus.NewRegistry(), Now: d.Now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clock
}

func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = d.clock.Add(by)
}

func emailOf(t *testing.T, text string) account.Email {
	t.Helper()
	email, err := account.ParseEmail(text)
	if err != nil {
		t.Fatal(err)
	}
	return email
}

func (d *desk) signup(email string, servers int32) Signup {
	return Signup{Email: emailOf(d.t, email), ServerCount: servers, Asker: Asker{Address: "192.0.2.1"}}
}

func (d *desk) join(email string, servers int32) Place {
	d.t.Helper()
	place, err := d.Join(d.t.Context(), d.signup(email, servers))
	if err != nil {
		d.t.Fatal(err)
	}
	return place
}

func (d *desk) claim(email string) Slot {
	d.t.Helper()
	slot, err := d.Claim(d.t.Context(), d.signup(email, 7), "Network of "+email)
	if err != nil {
		d.t.Fatal(err)
	}
	return slot
}

func (d *desk) status() Status {
	d.t.Helper()
	status, err := d.Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return status
}

// link makes the link of an email's newest mail, as the worker does.
func (d *desk) link(email string, what linkMail) string {
	d.t.Helper()
	token, digest := auth.NewToken(auth.EarlyAccessToken)
	params := pg.AddEarlyAccessLinkParams{TokenDigest: digest, Purpose: string(what.Purpose), EmailKey: emailOf(d.t, email).Key, ExpiresAt: d.Now().Add(24 * time.Hour)}
	if what.Item != "" {
		params.ItemID = &what.Item
	}
	if err := pg.New(d.pool).AddEarlyAccessLink(d.t.Context(), params); err != nil {
		d.t.Fatal(err)
	}
	return token
}
