package api

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/auth"
	"corrosion/api/idempotency"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// withKeys makes a server honour Idempotency-Key on a database.
func withKeys(pool *pgxpool.Pool, now func() time.Time) func(*Config, *Deps) {
	return func(_ *Config, d *Deps) { d.Idempotency = idempotency.New(pg.New(pool), d.Keys, now) }
}

// The same key gives the same answer and changes nothing twice; with another request it is refused; it is the asker's own.
func TestIdempotencyKey(t *testing.T) {
	pool := schematest.Postgres(t)
	clock := &clock{now: time.Now()}
	h := openStoredOn(t, pool, withKeys(pool, clock.Now))
	owner := h.token(t, ourLicense, auth.Owner)
	post := func(token, body, key string) answer {
		t.Helper()
		return h.send(t, http.MethodPost, eventsPath, token, body, "Idempotency-Key", key)
	}
	first := post(owner, `{"kind":"note","title":"secret words"}`, "k1").ok(t, 201, nil)
	again := post(owner, ` { "kind": "note", "title": "secret words" } `, "k1").ok(t, 201, nil)
	if again.body != first.body || again.Header.Get("Location") != first.Header.Get("Location") || again.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("again: %v %s", again.Header, again.body)
	}
	post(owner, `{"kind":"note","title":"another"}`, "k1").problem(t, 422, "idempotency-key-reused")
	h.send(t, http.MethodPost, serversPath, owner, `{"server_id":"x"}`, "Idempotency-Key", "k1").problem(t, 422, "idempotency-key-reused")
	if other := post(h.token(t, theirLicense, auth.Owner), `{"kind":"note","title":"secret words"}`, "k1").ok(t, 201, nil); other.body == first.body {
		t.Error("another license got our answer")
	}
	if a := post(h.token(t, ourLicense, auth.Viewer), `{"kind":"note","title":"secret words"}`, "k1"); a.StatusCode != 403 {
		t.Errorf("a viewer got an owner's answer: %d", a.StatusCode)
	}
	for _, bad := range []string{strings.Repeat("x", 256), "a\tb", "ключ"} {
		if a := post(owner, `{"kind":"note","title":"x"}`, bad); a.StatusCode != 422 {
			t.Errorf("key %q: %d", bad, a.StatusCode)
		}
	}
	// What was refused changed nothing, and the key is free for the right request.
	post(owner, `{"kind":"party"}`, "k2").problem(t, 422, "invalid-request")
	post(owner, `{"kind":"note","title":"right"}`, "k2").ok(t, 201, nil)
	var sealed []byte
	if err := pool.QueryRow(t.Context(), "SELECT body FROM idempotency_keys WHERE key = 'k1' AND scope LIKE $1", ourLicense.String()+"/owner/%").Scan(&sealed); err != nil || bytes.Contains(sealed, []byte("secret")) {
		t.Errorf("kept as %q, %v", sealed, err)
	}
	clock.pass(idempotency.Keep + time.Minute)
	if late := post(owner, `{"kind":"note","title":"secret words"}`, "k1").ok(t, 201, nil); late.body == first.body {
		t.Error("the answer was kept longer than a day")
	}
}

// Of many requests with one key at once one is done; the others are told to wait, or get its answer.
func TestIdempotencyKeyAtOnce(t *testing.T) {
	pool := schematest.Postgres(t)
	h := openStoredOn(t, pool, withKeys(pool, time.Now))
	owner := h.token(t, ourLicense, auth.Owner)
	var wait sync.WaitGroup
	answers := make(chan answer, 20)
	for range cap(answers) {
		wait.Go(func() {
			answers <- h.send(t, http.MethodPost, serversPath, owner, `{"server_id":"once"}`, "Idempotency-Key", "k")
		})
	}
	wait.Wait()
	close(answers)
	made := 0
	for a := range answers {
		switch {
		case a.StatusCode == 201:
			made++
		case a.StatusCode == 409 && strings.Contains(a.body, "idempotency-key-in-use") && a.Header.Get("Retry-After") != "":
		default:
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	}
	if made == 0 {
		t.Error("nobody was served")
	}
}

// A process that died leaves its key in use; later the same request may have it, another one not.
func TestIdempotencyKeyOfTheDead(t *testing.T) {
	pool := schematest.Postgres(t)
	clock := &clock{now: time.Now()}
	keys, err := auth.LoadOrCreateKeys(t.TempDir() + "/jwt.key")
	if err != nil {
		t.Fatal(err)
	}
	store := idempotency.New(pg.New(pool), keys, clock.Now)
	use, other := idempotency.Use{Scope: "s", Key: "k", Fingerprint: [32]byte{1}}, idempotency.Use{Scope: "s", Key: "k", Fingerprint: [32]byte{2}}
	dead, before, err := store.Begin(t.Context(), use)
	if err != nil || before != nil {
		t.Fatal(before, err)
	}
	expect := func(use idempotency.Use, want error) {
		t.Helper()
		if _, _, err := store.Begin(t.Context(), use); err != want { //nolint:errorlint // the very error
			t.Errorf("got %v, want %v", err, want)
		}
	}
	expect(use, idempotency.ErrInProgress)
	expect(other, idempotency.ErrReused)
	clock.pass(5 * time.Minute)
	expect(other, idempotency.ErrReused)
	next, _, err := store.Begin(t.Context(), use)
	if err != nil || next == uuid.Nil {
		t.Fatal(err)
	}
	// The dead one comes back late: its answer is not kept, and it does not give away what is another's.
	if err := store.Finish(t.Context(), use, dead, idempotency.Answer{Status: 201, Body: []byte("dead")}); err != nil {
		t.Fatal(err)
	}
	if err := store.Release(t.Context(), use, dead); err != nil {
		t.Fatal(err)
	}
	expect(use, idempotency.ErrInProgress)
	if err := store.Finish(t.Context(), use, next, idempotency.Answer{Status: 201, Body: []byte("alive")}); err != nil {
		t.Fatal(err)
	}
	if _, before, err := store.Begin(t.Context(), use); err != nil || string(before.Body) != "alive" {
		t.Errorf("%+v, %v", before, err)
	}
}
