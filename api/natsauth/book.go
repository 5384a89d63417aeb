package natsauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/singleflight"

	"corrosion/schema/pg"
)

// Store is where NATS users are kept; *pg.Queries is one.
type Store interface {
	FindNATSUser(ctx context.Context, name string) (pg.FindNATSUserRow, error)
	ListNATSUsers(ctx context.Context, names []string) ([]pg.ListNATSUsersRow, error)
}

// book remembers users, so that ten thousand servers that come back at once
// cost Postgres one question a user.
type book struct {
	config GateConfig
	store  Store
	now    func() time.Time
	asking singleflight.Group

	mu      sync.Mutex // covers what follows
	users   map[string]noted
	changes uint64 // counts what was forgotten: an answer from before must not be noted
	failed  time.Time
}

// failedFor is how long Postgres counts as away after a failure: users who are
// known do not wait for it then.
const failedFor = 2 * time.Second

type noted struct {
	row pg.FindNATSUserRow
	at  time.Time
}

func newBook(config GateConfig, store Store, now func() time.Time) *book {
	return &book{config: config, store: store, now: now, users: map[string]noted{}}
}

// recall gives a user as Postgres had it at most Fresh ago, or Stale while
// Postgres is away.
func (b *book) recall(name string) (row pg.FindNATSUserRow, known bool) {
	age := b.config.Fresh
	if b.away() {
		age = b.config.Stale
	}
	return b.remembered(name, age)
}

// find asks Postgres for a user; while that is away it gives what was known at
// most Stale ago. known is false for a name that is nobody's.
//
// right says whether the answer will do: one that another login has asked for
// may be older than this login, so where it will not, Postgres is asked anew.
func (b *book) find(ctx context.Context, name string, right func(pg.FindNATSUserRow) bool) (row pg.FindNATSUserRow, known bool, err error) {
	answer, err, shared := b.asking.Do(name, func() (any, error) { return b.ask(ctx, name) })
	found, _ := answer.(*pg.FindNATSUserRow)
	if err == nil && shared && (found == nil || !right(*found)) {
		found, err = b.ask(ctx, name)
	}
	if err != nil {
		row, known = b.remembered(name, b.config.Stale)
		if known {
			err = nil
		}
		return row, known, err
	}
	if found == nil {
		return row, false, nil
	}
	return *found, true, nil
}

func (b *book) remembered(name string, age time.Duration) (row pg.FindNATSUserRow, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if user, ok := b.users[name]; ok && b.now().Sub(user.at) < age {
		return user.row, true
	}
	return row, false
}

// askAgain bounds how often an answer that a change overtook is asked anew.
const askAgain = 3

// ask reads a user; nil = there is none.
func (b *book) ask(ctx context.Context, name string) (*pg.FindNATSUserRow, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.config.Lookup) // others may wait for the same answer
	defer cancel()
	for try := 1; ; try++ {
		before := b.changeCount()
		row, err := b.store.FindNATSUser(ctx, name)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			b.fail()
			return nil, fmt.Errorf("find the NATS user: %w", err)
		}
		found := &row
		if err != nil {
			found = nil
		}
		if b.note(name, found, before) || try == askAgain {
			return found, nil
		}
	}
}

func (b *book) away() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now().Sub(b.failed) < failedFor
}

func (b *book) fail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = b.now()
}

func (b *book) changeCount() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes
}

// note keeps an answer unless something was forgotten since it was asked for.
func (b *book) note(name string, row *pg.FindNATSUserRow, before uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changes != before {
		return false
	}
	if row == nil {
		delete(b.users, name)
		return true
	}
	makeRoom(b.users, b.config.Users)
	b.users[name] = noted{*row, b.now()}
	return true
}

// makeRoom drops any one of a full map.
func makeRoom[V any](of map[string]V, size int) {
	if len(of) < size {
		return
	}
	for victim := range of {
		delete(of, victim)
		return
	}
}

// forget drops a license's users.
func (b *book) forget(license uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes++
	for name, user := range b.users {
		if user.row.LicenseID == license {
			delete(b.users, name)
		}
	}
}

// expire makes every user be asked for again. They stay known for when
// Postgres does not answer.
func (b *book) expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes++
	old := b.now().Add(-b.config.Fresh)
	for name, user := range b.users {
		if user.at.After(old) {
			user.at = old
			b.users[name] = user
		}
	}
}
