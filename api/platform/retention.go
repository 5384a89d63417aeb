package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/pg"
)

// Kept is how long rows are kept, as the tables have it.
type Kept struct {
	RawDays    int         `json:"raw_days"`
	HourlyDays int         `json:"hourly_days"`
	Tables     []KeptTable `json:"tables"`
}

// KeptTable is one table's limit and what it holds.
type KeptTable struct {
	Table      string            `json:"table"`
	Resolution schema.Resolution `json:"resolution" doc:"The setting that moves the limit; fixed = none does" example:"raw"`
	Days       int               `json:"days"`
	Rows       uint64            `json:"rows" doc:"Of all licenses"`
	Bytes      uint64            `json:"bytes" doc:"Compressed, on disk"`
}

// Loss is what a table loses by a shorter limit.
type Loss struct {
	Table    string     `json:"table"`
	FromDays int        `json:"from_days"`
	ToDays   int        `json:"to_days"`
	Rows     uint64     `json:"rows"`
	Oldest   *time.Time `json:"oldest" doc:"Of the rows lost; null = none is old enough today"`
	Bytes    uint64     `json:"bytes"`
}

// LossError says that a change deletes rows and was not confirmed.
type LossError struct{ Losses []Loss }

func (e *LossError) Error() string { return "the change deletes rows" }

const day = 24 * time.Hour

// RetentionChange is what to set; nil stays. It is checked by its method Over.
type RetentionChange struct{ RawDays, HourlyDays *int }

// Over puts what is given in place of what stands.
func (c RetentionChange) Over(standing schema.Retention) schema.Retention {
	if c.RawDays != nil {
		standing.Raw = time.Duration(*c.RawDays) * day
	}
	if c.HourlyDays != nil {
		standing.Hourly = time.Duration(*c.HourlyDays) * day
	}
	return standing
}

// Retention reads how long rows are kept.
func (s *Service) Retention(ctx context.Context) (Kept, error) {
	standing, err := schema.ReadRetention(ctx, s.conn)
	if err != nil {
		return Kept{}, err
	}
	tables, err := schema.KeptTables(ctx, s.conn)
	if err != nil {
		return Kept{}, err
	}
	kept := Kept{RawDays: int(standing.Raw / day), HourlyDays: int(standing.Hourly / day), Tables: []KeptTable{}}
	for _, t := range tables {
		kept.Tables = append(kept.Tables, KeptTable{Table: t.Name, Resolution: t.Resolution, Days: int(t.Keep / day), Rows: t.Rows, Bytes: t.Bytes})
	}
	return kept, nil
}

// ErrRetention says that no table could have such a retention.
var ErrRetention = errors.New("no such retention")

// SetRetention changes how long rows are kept, one change at a time. fits says whether what stands is what the asker has
// seen. What is deleted must be confirmed: else nothing changes, and LossError says what would be lost. ErrChanged says that
// fits refused, ErrRetention wraps what cannot be.
func (s *Service) SetRetention(ctx context.Context, change RetentionChange, confirmed bool, fits func(schema.Retention) bool) (kept Kept, err error) {
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		if err := q.LockThing(ctx, "retention"); err != nil {
			return fmt.Errorf("wait for other changes of retention: %w", err)
		}
		kept, err = s.setRetention(ctx, change, confirmed, fits)
		return err
	})
	return kept, err
}

func (s *Service) setRetention(ctx context.Context, change RetentionChange, confirmed bool, fits func(schema.Retention) bool) (Kept, error) {
	standing, err := schema.ReadRetention(ctx, s.conn)
	if err != nil {
		return Kept{}, err
	}
	if !fits(standing) {
		return Kept{}, ErrChanged
	}
	want := change.Over(standing)
	losses, err := s.losses(ctx, want)
	if err != nil {
		return Kept{}, err
	}
	if len(losses) > 0 && !confirmed {
		return Kept{}, &LossError{losses}
	}
	// Written down first: what was deleted without a word would be worse than a word about what was not.
	err = s.Note(ctx, "retention.changed", uuid.Nil, "retention", "", map[string]any{
		"raw_days": int(want.Raw / day), "hourly_days": int(want.Hourly / day), "before_raw_days": int(standing.Raw / day),
		"before_hourly_days": int(standing.Hourly / day), "losses": losses,
	})
	if err != nil {
		return Kept{}, err
	}
	if err := schema.ApplyRetention(ctx, s.conn, want); err != nil {
		return Kept{}, err
	}
	return s.Retention(ctx)
}

// Losses says what a change would delete; empty = nothing.
func (s *Service) Losses(ctx context.Context, change RetentionChange) ([]Loss, error) {
	standing, err := schema.ReadRetention(ctx, s.conn)
	if err != nil {
		return nil, err
	}
	return s.losses(ctx, change.Over(standing))
}

func (s *Service) losses(ctx context.Context, want schema.Retention) ([]Loss, error) {
	if err := want.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRetention, err)
	}
	found, err := schema.Losses(ctx, s.conn, want)
	losses := []Loss{}
	for _, l := range found {
		loss := Loss{Table: l.Table, FromDays: int(l.From / day), ToDays: int(l.To / day), Rows: l.Rows, Bytes: l.Bytes}
		if !l.Oldest.IsZero() {
			loss.Oldest = utc(&l.Oldest)
		}
		losses = append(losses, loss)
	}
	return losses, err
}
