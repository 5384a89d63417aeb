package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"corrosion/schema/pg"
)

// The bounds of what is remembered of keys: how many, and how old a noted last use must be to be noted anew.
const (
	maxKeysKnown = 10_000
	useGrain     = 5 * time.Minute
)

// keyBook remembers keys that were looked up a moment ago, and when keys were used, until that is written down.
type keyBook struct{ *keyPages }

type keyPages struct {
	mu    sync.Mutex
	known map[[32]byte]knownKey
	used  map[uuid.UUID]time.Time
}

type knownKey struct {
	row pg.FindAPIKeyRow
	at  time.Time
}

func newKeyBook() keyBook {
	return keyBook{&keyPages{known: map[[32]byte]knownKey{}, used: map[uuid.UUID]time.Time{}}}
}

// recall gives a key that was looked up after a moment.
func (b keyBook) recall(digest []byte, after time.Time) (pg.FindAPIKeyRow, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, ok := b.known[[32]byte(digest)]
	return k.row, ok && k.at.After(after)
}

// remember keeps what was looked up; a full book begins anew, which costs a question a key.
func (b keyBook) remember(row pg.FindAPIKeyRow, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) >= maxKeysKnown {
		clear(b.known)
	}
	b.known[[32]byte(row.Digest)] = knownKey{row, now}
}

// forgetKey has this process look a key up again at its next use; others do so by themselves.
func (b keyBook) forgetKey(id uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for digest, k := range b.known {
		if k.row.ID == id {
			delete(b.known, digest)
		}
	}
}

// note keeps a use that is worth writing down.
func (b keyBook) note(row pg.FindAPIKeyRow, now time.Time) {
	if row.LastUsedAt != nil && now.Sub(*row.LastUsedAt) < useGrain {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.used) < maxKeysKnown {
		b.used[row.ID] = now
	}
}

// take gives all noted uses and forgets them.
func (b keyBook) take() (ids []uuid.UUID, at []time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, t := range b.used {
		ids, at = append(ids, id), append(at, t)
	}
	clear(b.used)
	return ids, at
}

// writeUses writes down when keys were last used, for all at once. What cannot be written is lost: it is a coarse figure.
func (s *Service) writeUses(ctx context.Context) error {
	ids, at := s.used.take()
	if len(ids) == 0 {
		return nil
	}
	if err := s.store.Queries().TouchAPIKeys(ctx, pg.TouchAPIKeysParams{Ids: ids, UsedAt: at}); err != nil {
		return fmt.Errorf("note the last use of keys: %w", err)
	}
	return nil
}
