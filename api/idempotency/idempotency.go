// Package idempotency remembers answers by the key that a client chose, so that a request that is sent again because its
// answer was lost changes nothing twice.
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Keep is how long an answer is remembered. The daily job removes what is older.
const Keep = 24 * time.Hour

// hold is how long a request may be under way before its process counts as dead; longer than any request lasts.
const hold = 2 * time.Minute

// lateLimit bounds what is written after the answer is made.
const lateLimit = 5 * time.Second

// What can be wrong with a key.
var (
	// ErrReused says that the key belongs to another request.
	ErrReused = errors.New("idempotency key of another request")
	// ErrInProgress says that the same request is under way.
	ErrInProgress = errors.New("the request with this idempotency key is under way")
)

// Use is a key as one request has it.
type Use struct {
	// Scope is who may use the key again, at most 400 characters.
	Scope string
	// Key is 1 to 255 characters.
	Key         string
	Fingerprint [sha256.Size]byte
}

// Answer is what is sent again.
type Answer struct {
	Status  int
	Headers map[string]string
	Body    []byte
}

// Sealer hides bodies in the store: they may hold what is shown once. *auth.Keys is one.
type Sealer interface {
	Encrypt(owner string, plain []byte) (keyID string, sealed []byte, err error)
	Decrypt(keyID, owner string, sealed []byte) ([]byte, error)
}

// Store keeps answers in Postgres, for all API processes. It is safe for concurrent use.
type Store struct {
	queries *pg.Queries
	sealer  Sealer
	now     func() time.Time
}

// New makes a Store; now is the clock.
func New(queries *pg.Queries, sealer Sealer, now func() time.Time) *Store {
	return &Store{queries: queries, sealer: sealer, now: now}
}

// maxTries is how often a key is asked for that is given back just then.
const maxTries = 3

// Begin takes a key: the caller does the request, and then Finish or Release. Where the same request was answered before
// it gives that answer. It fails with ErrReused and ErrInProgress.
func (s *Store) Begin(ctx context.Context, use Use) (claim uuid.UUID, before *Answer, err error) {
	for range maxTries {
		now := s.now()
		claim, err = s.queries.ClaimIdempotencyKey(ctx, pg.ClaimIdempotencyKeyParams{
			Scope: use.Scope, Key: use.Key, Fingerprint: use.Fingerprint[:], Claim: uuid.New(), LockedUntil: now.Add(hold), ExpiresAt: now.Add(Keep), Now: now,
		})
		if err == nil {
			return claim, nil, nil
		}
		if !store.Missing(err) {
			return uuid.Nil, nil, fmt.Errorf("take idempotency key: %w", err)
		}
		before, err = s.find(ctx, use)
		if !store.Missing(err) {
			return uuid.Nil, before, err
		}
	}
	return uuid.Nil, nil, ErrInProgress
}

func (s *Store) find(ctx context.Context, use Use) (*Answer, error) {
	row, err := s.queries.FindIdempotencyKey(ctx, pg.FindIdempotencyKeyParams{Scope: use.Scope, Key: use.Key})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read idempotency key: %w", err)
	case [sha256.Size]byte(row.Fingerprint) != use.Fingerprint:
		return nil, ErrReused
	case !row.Status.Valid:
		return nil, ErrInProgress
	}
	answer := &Answer{Status: int(row.Status.Int32)}
	if err := json.Unmarshal(row.Headers, &answer.Headers); err != nil {
		return nil, fmt.Errorf("read kept answer: %w", err)
	}
	keyID, sealed, _ := bytes.Cut(row.Body, []byte("\n"))
	if answer.Body, err = s.sealer.Decrypt(string(keyID), use.owner(), sealed); err != nil {
		return nil, fmt.Errorf("read kept answer: %w", err)
	}
	return answer, nil
}

// owner binds a body to its key.
func (u Use) owner() string { return "idempotent answer " + u.Scope + " " + u.Key }

// Finish keeps the answer of a claim.
func (s *Store) Finish(ctx context.Context, use Use, claim uuid.UUID, a Answer) error {
	headers, err := json.Marshal(a.Headers)
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	keyID, sealed, err := s.sealer.Encrypt(use.owner(), a.Body)
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	_, err = s.queries.FinishIdempotencyKey(ctx, pg.FinishIdempotencyKeyParams{
		Scope: use.Scope, Key: use.Key, Claim: claim, Status: int32(a.Status), Headers: headers, Body: append([]byte(keyID+"\n"), sealed...), ExpiresAt: s.now().Add(Keep),
	})
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}

// Release gives back the key of a request that changed nothing.
func (s *Store) Release(ctx context.Context, use Use, claim uuid.UUID) error {
	err := s.queries.ReleaseIdempotencyKey(ctx, pg.ReleaseIdempotencyKeyParams{Scope: use.Scope, Key: use.Key, Claim: claim})
	if err != nil {
		return fmt.Errorf("give idempotency key back: %w", err)
	}
	return nil
}

// Late is for what is written once the request itself is over, or given up.
func Late(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), lateLimit)
}
