// Package ratestore keeps what is left of rate limits in Postgres, for all API processes together.
package ratestore

import (
	"context"
	"fmt"
	"time"

	"corrosion/schema/pg"
)

// Store is safe for concurrent use.
type Store struct{ queries *pg.Queries }

// New makes a Store.
func New(queries *pg.Queries) *Store { return &Store{queries} }

// Spend takes amounts from buckets and gives what is left in them, by Postgres' clock. Buckets that are not there are full.
func (s *Store) Spend(ctx context.Context, quota string, burst, perSecond float64, spent map[string]float64) (map[string]float64, error) {
	params := pg.SpendTokensParams{Name: quota, Burst: burst, PerSecond: perSecond}
	for key, amount := range spent {
		params.Keys, params.Amounts = append(params.Keys, key), append(params.Amounts, amount)
	}
	rows, err := s.queries.SpendTokens(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("tell of spent rate limits: %w", err)
	}
	left := make(map[string]float64, len(rows))
	for _, row := range rows {
		left[row.Key] = row.Tokens
	}
	return left, nil
}

// Forget removes buckets that nobody has spent from for a window and one more, in which debts are paid: they are full.
func (s *Store) Forget(ctx context.Context, quota string, window time.Duration) error {
	if _, err := s.queries.SweepTokens(ctx, pg.SweepTokensParams{Name: quota, Seconds: 3 * window.Seconds()}); err != nil {
		return fmt.Errorf("forget rate limits: %w", err)
	}
	return nil
}
