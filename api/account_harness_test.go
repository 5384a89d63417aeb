package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// people is a server with accounts on a real Postgres and a clock of its own.
type people struct {
	*harness
	t       testing.TB
	pool    *pgxpool.Pool
	clock   *clock
	service *account.Service
	keyFile string
}

// cheap are costs of passwords that let a test make many.
func cheap() auth.HasherConfig {
	return auth.HasherConfig{Params: auth.PasswordParams{Time: 1, MemoryKiB: 64, Threads: 1}, Parallel: 2, Waiting: 64}
}

func openPeople(t testing.TB, change func(*account.Config, *account.Deps), more ...func(*people, *Deps)) *people {
	t.Helper()
	return openPeopleWith(t, change, func(*Config, *Deps) {}, more...)
}

// openPeopleWith is openPeople with more beside the accounts.
func openPeopleWith(t testing.TB, change func(*account.Config, *account.Deps), with func(*Config, *Deps), more ...func(*people, *Deps)) *people {
	t.Helper()
	return openPeopleOn(t, schematest.Postgres(t), change, with, more...)
}

// openPeopleOn is openPeopleWith on a database that others use too.
func openPeopleOn(t testing.TB, pool *pgxpool.Pool, change func(*account.Config, *account.Deps), with func(*Config, *Deps), more ...func(*people, *Deps)) *people {
	t.Helper()
	p := &people{t: t, pool: pool, clock: &clock{now: time.Now().Truncate(time.Second)}, keyFile: filepath.Join(t.TempDir(), "jwt.key")}
	keys, err := auth.LoadOrCreateKeys(p.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	hasher, err := auth.NewHasher(cheap())
	if err != nil {
		t.Fatal(err)
	}
	cfg, deps := account.DefaultConfig(), account.Deps{Store: store.New(p.pool), Keys: keys, Hasher: hasher, Now: p.clock.Now}
	if change != nil {
		change(&cfg, &deps)
	}
	if p.service, err = account.NewService(cfg, deps); err != nil {
		t.Fatal(err)
	}
	p.harness = open(t, unreachable, func(c *Config, d *Deps) {
		c.AddressQuota = Quota{Requests: 100000, Window: time.Minute}
		d.Keys, d.Accounts, d.Now, d.Licenses = keys, p.service, p.clock.Now, everyLicense{}
		for _, add := range more {
			add(p, d)
		}
		with(c, d)
	})
	return p
}

// everyLicense is active.
type everyLicense struct{ Licenses }

func (everyLicense) Status(_ context.Context, _ uuid.UUID) (LicenseStatus, error) {
	return LicenseActive, nil
}

// send makes a JSON request.
func (p *people) send(method, path, token string, body any, headers ...string) answer {
	p.t.Helper()
	var encoded io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		encoded = bytes.NewReader([]byte(b))
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			p.t.Fatal(err)
		}
		encoded = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, encoded)
	if err != nil {
		p.t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response, string(text), err}
}

func (p *people) post(path, token string, body any, headers ...string) answer {
	p.t.Helper()
	return p.send(http.MethodPost, path, token, body, headers...)
}

// ok checks a's status and decodes its body into out, where one is given.
func (a answer) ok(t testing.TB, status int, out any) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("got %d %s, want %d", a.StatusCode, a.body, status)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			t.Fatalf("%v in %s", err, a.body)
		}
	}
	return a
}

type object = map[string]any

const goodPassword = "correct horse battery"

// signUp registers an account and signs in, with the refresh token in the body.
func (p *people) signUp(email string) TokensBody {
	p.t.Helper()
	p.post(registerPath, "", object{"email": email, "password": goodPassword}).ok(p.t, 202, nil)
	return p.login(email, goodPassword)
}

func (p *people) login(email, password string) (tokens TokensBody) {
	p.t.Helper()
	p.post(loginPath, "", object{"email": email, "password": password, "delivery": "body"}).ok(p.t, 200, &tokens)
	return tokens
}

func (p *people) refresh(token string) answer {
	p.t.Helper()
	return p.post(refreshPath, "", object{"refresh_token": token})
}

// license makes one with a member.
func (p *people) license(email, role string) uuid.UUID {
	p.t.Helper()
	created, err := account.CreateLicense(p.t.Context(), p.pool, account.NewLicense{Name: "License of " + email})
	if err != nil {
		p.t.Fatal(err)
	}
	key, err := account.ParseEmail(email)
	if err != nil {
		p.t.Fatal(err)
	}
	user, err := pg.New(p.pool).FindUserByEmail(p.t.Context(), key.Key)
	if err != nil {
		p.t.Fatal(err)
	}
	err = pg.New(p.pool).AddMember(p.t.Context(), pg.AddMemberParams{LicenseID: created.LicenseID, UserID: user.ID, Role: role})
	if err != nil {
		p.t.Fatal(err)
	}
	return created.LicenseID
}

// audited counts the entries of an action.
func (p *people) audited(action string) (n int) {
	p.t.Helper()
	if err := p.pool.QueryRow(p.t.Context(), "SELECT count(*) FROM audit_log WHERE action = $1", action).Scan(&n); err != nil {
		p.t.Fatal(err)
	}
	return n
}
