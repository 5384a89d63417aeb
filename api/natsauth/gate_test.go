package natsauth_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"corrosion/api/natsauth"
	"corrosion/schema/pg"
)

// fakeStore counts questions and can fail; only for time and faults.
type fakeStore struct {
	mu    sync.Mutex
	users map[string]pg.FindNATSUserRow
	err   error
	asked int
}

func (s *fakeStore) FindNATSUser(_ context.Context, name string) (pg.FindNATSUserRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.err != nil {
		return pg.FindNATSUserRow{}, s.err
	}
	user, known := s.users[name]
	if !known {
		return user, pgx.ErrNoRows
	}
	return user, nil
}

func (s *fakeStore) ListNATSUsers(context.Context, []string) ([]pg.ListNATSUsersRow, error) {
	return nil, nil
}

// judged is a gate over a fake store and a clock that the test sets.
type judged struct {
	*natsauth.Gate
	t       *testing.T
	store   *fakeStore
	metrics *natsauth.Metrics
	now     time.Time
	license uuid.UUID
}

func newJudged(t *testing.T) *judged {
	t.Helper()
	j := &judged{t: t, now: time.Now(), license: uuid.New(), metrics: natsauth.NewMetrics(nil)}
	right := sha256.Sum256([]byte("right"))
	j.store = &fakeStore{users: map[string]pg.FindNATSUserRow{
		"server": {Name: "server", LicenseID: j.license, Kind: natsauth.KindServer, PasswordSha256: right[:], Generation: 1},
	}}
	var err error
	j.Gate, err = natsauth.NewGate(natsauth.DefaultGateConfig(), natsauth.GateDeps{
		Store: j.store, Metrics: j.metrics, Now: func() time.Time { return j.now }})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// want checks one login's verdict and how often the store was asked in all.
func (j *judged) want(user, password, address string, denied string, asked int) {
	j.t.Helper()
	d := j.Decide(j.t.Context(), natsauth.Login{User: user, Password: password, Address: address})
	if d.Denied != denied || (d.Verdict == natsauth.Admitted) != (denied == "") {
		j.t.Errorf("%s/%s from %s: got %+v, want %q", user, password, address, d, denied)
	}
	if j.store.asked != asked {
		j.t.Errorf("%s/%s from %s: %d questions, want %d", user, password, address, j.store.asked, asked)
	}
}

func TestUsersAreRemembered(t *testing.T) {
	j := newJudged(t)
	for range 5000 {
		j.want("server", "right", "192.0.2.1:1", "", 1)
	}
	j.now = j.now.Add(11 * time.Second)
	j.want("server", "right", "192.0.2.1:1", "", 2)
	j.Forget(j.license)
	j.want("server", "right", "192.0.2.1:1", "", 3)
	j.Forget(uuid.New())
	j.want("server", "right", "192.0.2.1:1", "", 3)
	j.Expire()
	j.want("server", "right", "192.0.2.1:1", "", 4)
}

func TestUsersAreKnownWhilePostgresIsAway(t *testing.T) {
	j := newJudged(t)
	j.want("server", "right", "192.0.2.1:1", "", 1)
	j.store.err = errors.New("away")
	j.Expire()
	j.want("server", "right", "192.0.2.1:1", "", 2)
	j.want("server", "right", "192.0.2.1:1", "", 2) // it was away a moment ago
	j.want("server", "wrong", "192.0.2.1:1", natsauth.DeniedPassword, 3)
	j.want("nobody", "right", "192.0.2.1:1", natsauth.DeniedUnavailable, 4)
	j.now = j.now.Add(9 * time.Minute)
	j.want("server", "right", "192.0.2.1:1", "", 5)
	j.now = j.now.Add(2 * time.Minute)
	j.want("server", "right", "192.0.2.1:1", natsauth.DeniedUnavailable, 6)
}

func TestGuessesAreBounded(t *testing.T) {
	j := newJudged(t)
	j.want("server", "right", "192.0.2.1:1", "", 1)
	for i := range 1000 {
		j.Decide(t.Context(), natsauth.Login{User: fmt.Sprintf("user-%d", i), Password: "x", Address: fmt.Sprintf("192.0.2.1:%d", i)})
	}
	if asked := j.store.asked; asked != 12 { // the first, ten free ones, and the one after which it waits
		t.Errorf("%d questions for 1000 guesses, want 12", asked)
	}
	if n := j.metrics.Denied(natsauth.DeniedThrottled); n != 989 {
		t.Errorf("%d throttled, want 989", n)
	}
	j.want("server", "right", "192.0.2.1:9", "", 12)                       // was right from there lately
	j.want("server", "right", "192.0.2.2:9", "", 12)                       // another address
	j.want("server", "wrong", "192.0.2.1:9", natsauth.DeniedThrottled, 12) // an unseen one waits
	j.now = j.now.Add(1100 * time.Millisecond)
	j.want("server", "w1", "192.0.2.1:9", natsauth.DeniedPassword, 13)
	j.now = j.now.Add(1100 * time.Millisecond) // the wait has doubled
	j.want("server", "w2", "192.0.2.1:9", natsauth.DeniedThrottled, 13)
	j.now = j.now.Add(time.Second)
	j.want("server", "w2", "192.0.2.1:9", natsauth.DeniedPassword, 14)
	j.now = j.now.Add(16 * time.Minute) // forgotten
	for i := range 10 {
		j.want("server", fmt.Sprintf("again-%d", i), "192.0.2.1:9", natsauth.DeniedPassword, 15+i)
	}
}

// A new password works at once, before anybody has told that it was changed.
func TestRememberedUsersDoNotRefuse(t *testing.T) {
	j := newJudged(t)
	j.want("server", "right", "192.0.2.1:1", "", 1)
	renewed := sha256.Sum256([]byte("new"))
	row := j.store.users["server"]
	row.PasswordSha256, row.Generation = renewed[:], 2
	j.store.users["server"] = row
	j.want("server", "new", "192.0.2.1:1", "", 2)
	j.want("server", "right", "192.0.2.1:1", natsauth.DeniedPassword, 3)
}

// A server that shows the same wrong password for ever costs nothing and shuts nobody out.
func TestTheSameWrongPasswordIsNoNewGuess(t *testing.T) {
	j := newJudged(t)
	for range 1000 {
		j.want("server", "old", "192.0.2.1:1", natsauth.DeniedPassword, 1)
		j.now = j.now.Add(time.Millisecond)
	}
	j.want("server", "right", "192.0.2.1:2", "", 1)
	j.now = j.now.Add(2 * time.Minute)
	j.want("server", "old", "192.0.2.1:1", natsauth.DeniedPassword, 2) // looked at again
}

func TestAddressesAreCountedByNetwork(t *testing.T) {
	for _, one := range []struct {
		first, second string
		same          bool
	}{
		{"192.0.2.1:1", "192.0.2.1:2", true}, {"192.0.2.1", "192.0.2.1:2", true}, {"192.0.2.1:1", "192.0.2.2:1", false},
		{"[2001:db8::1]:1", "[2001:db8::ffff]:9", true}, {"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[::ffff:192.0.2.1]:1", "192.0.2.1:1", true}, {"", "", true}, {"pipe", "pipe", true},
	} {
		j := newJudged(t)
		for i := range 20 {
			j.Decide(t.Context(), natsauth.Login{User: "server", Password: fmt.Sprint(i), Address: one.first})
		}
		d := j.Decide(t.Context(), natsauth.Login{User: "server", Password: "another", Address: one.second})
		if same := d.Denied == natsauth.DeniedThrottled; same != one.same {
			t.Errorf("%s and %s: counted as one %v, want %v", one.first, one.second, same, one.same)
		}
	}
}

// What is remembered of addresses stays within its bounds.
func TestThrottleForgetsTheOldestAddress(t *testing.T) {
	j := newJudged(t)
	config := natsauth.DefaultGateConfig()
	config.Throttle.Addresses, config.Users = 2, 1
	gate, err := natsauth.NewGate(config, natsauth.GateDeps{Store: j.store, Now: func() time.Time { return j.now }})
	if err != nil {
		t.Fatal(err)
	}
	guess := func(address string, i int) string {
		return gate.Decide(t.Context(), natsauth.Login{User: fmt.Sprintf("user-%d", i), Address: address}).Denied
	}
	for i := range 20 {
		guess("192.0.2.1", i)
	}
	if got := guess("192.0.2.1", 100); got != natsauth.DeniedThrottled {
		t.Errorf("got %q", got)
	}
	guess("192.0.2.2", 0)
	guess("192.0.2.3", 0)
	if got := guess("192.0.2.1", 101); got != natsauth.DeniedUnknown {
		t.Errorf("the oldest address: got %q, want it forgotten", got)
	}
}

func TestConfigsValidate(t *testing.T) {
	if err := errors.Join(natsauth.DefaultGateConfig().Validate(), natsauth.DefaultWardenConfig().Validate(), natsauth.DefaultCalloutConfig().Validate()); err != nil {
		t.Error(err)
	}
	for _, err := range []error{natsauth.GateConfig{}.Validate(), natsauth.WardenConfig{}.Validate(), natsauth.CalloutConfig{}.Validate()} {
		if err == nil {
			t.Error("an empty one is taken")
		}
	}
}
