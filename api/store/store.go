// Package store is where transactions on Postgres are composed: a service says what belongs together, the store makes
// it one transaction and runs it again where Postgres asks for that.
package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/schema/pg"
)

// Store is Postgres as services see it. It is safe for concurrent use.
type Store struct{ pool *pgxpool.Pool }

// New works on pool, which stays the caller's.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// Queries are for single statements, each of which is a transaction of its own.
func (s *Store) Queries() *pg.Queries { return pg.New(s.pool) }

// maxTries is how often a transaction is tried that others keep getting in the way of.
const maxTries = 4

// Tx runs do in one transaction: all or nothing. do may run several times and must not change anything but through its
// queries. What do fails with is returned as it is.
func (s *Store) Tx(ctx context.Context, do func(*pg.Queries) error) error {
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return do(pg.New(tx)) })
		if err == nil || try == maxTries || !collided(err) {
			return err
		}
	}
}

// The SQLSTATEs of transactions that lost against another one, and of a value that is there already.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	uniqueViolation      = "23505"
)

func collided(err error) bool {
	return hasCode(err, serializationFailure) || hasCode(err, deadlockDetected)
}

// Taken tells whether err says that a unique value is there already.
func Taken(err error) bool { return hasCode(err, uniqueViolation) }

// Missing tells whether err says that there is no such row.
func Missing(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

func hasCode(err error, code string) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == code
}

// Wrap names what was being done, and leaves nil alone.
func Wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
