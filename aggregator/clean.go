package aggregator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// cleaning is a table of Postgres whose rows are forgotten some time after a moment that a column holds.
type cleaning struct {
	table, column string
	after         time.Duration
}

// cleanings are the tables that the retention job cleans. One that is not there yet is left out.
func cleanings() []cleaning {
	const day = 24 * time.Hour
	return []cleaning{
		{"job_runs", "started_at", 90 * day},
		{"job_requests", "requested_at", 90 * day},
		{"password_resets", "expires_at", 0},
		{"registrations", "expires_at", 0},
		{"refresh_tokens", "expires_at", 30 * day}, // until then one that is used again gives its thief away
		{"sessions", "expires_at", 30 * day},
		{"idempotency_keys", "expires_at", 0},
	}
}

const hasColumn = `SELECT EXISTS (SELECT FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND column_name = $2)`

// clean deletes what has expired in Postgres, by that server's clock, and counts it by table.
func (a *Aggregator) clean(ctx context.Context, cleaned map[string]int64) error {
	var faults []error
	for _, c := range cleanings() {
		n, err := a.cleanTable(ctx, c)
		if n > 0 {
			cleaned[c.table] = n
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("clean %s: %w", c.table, err))
		}
	}
	return errors.Join(faults...)
}

func (a *Aggregator) cleanTable(ctx context.Context, c cleaning) (int64, error) {
	var there bool
	if err := a.deps.Postgres.QueryRow(ctx, hasColumn, c.table, c.column).Scan(&there); err != nil || !there {
		return 0, err
	}
	table, column := pgx.Identifier{c.table}.Sanitize(), pgx.Identifier{c.column}.Sanitize()
	tag, err := a.deps.Postgres.Exec(ctx, "DELETE FROM "+table+" WHERE "+column+" < now() - make_interval(secs => $1)", c.after.Seconds())
	return tag.RowsAffected(), err
}
