package earlyaccess

import (
	"context"
	"fmt"
	"strconv"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// ListRequest asks for signups in the order of their places.
type ListRequest struct {
	// Segment is one of Segments, or "" for all.
	Segment string
	// After is the last place of the page before.
	After int64
	// Limit bounds the page.
	Limit int32
}

// List reads a page of signups. For platform administrators.
func (s *Service) List(ctx context.Context, r ListRequest) ([]pg.ListSignupsRow, error) {
	rows, err := s.store.Queries().ListSignups(ctx, pg.ListSignupsParams{After: r.After, Segment: r.Segment, Most: r.Limit})
	return rows, store.Wrap("list signups", err)
}

// SegmentCount is how many signups a segment has, and how many of them are confirmed.
type SegmentCount struct {
	Segment            string
	Signups, Confirmed int64
}

// Counts are those of all segments, in order, also of empty ones.
func (s *Service) Counts(ctx context.Context) ([]SegmentCount, error) {
	rows, err := s.store.Queries().CountSegments(ctx)
	if err != nil {
		return nil, fmt.Errorf("count signups: %w", err)
	}
	counts := make([]SegmentCount, len(Segments()))
	for i, segment := range Segments() {
		counts[i].Segment = segment
		for _, row := range rows {
			if row.Segment == segment {
				counts[i] = SegmentCount(row)
			}
		}
	}
	return counts, nil
}

// Forget takes what tells a person out of a signup and its votes. The place stays, so that nobody else's changes; a
// founding slot falls free. It fails with ErrPlace.
func (s *Service) Forget(ctx context.Context, position int64, by audit.Event) error {
	nobody := strconv.FormatInt(position, 10) + "@erased.invalid"
	return s.store.Tx(ctx, func(q *pg.Queries) error {
		if _, err := q.LockEarlyAccess(ctx); err != nil {
			return fmt.Errorf("lock early access: %w", err)
		}
		key, err := q.ForgetSignup(ctx, pg.ForgetSignupParams{Position: position, Nobody: nobody})
		if store.Missing(err) {
			return ErrPlace
		}
		if err != nil {
			return fmt.Errorf("forget the signup: %w", err)
		}
		if err := q.FreeSlot(ctx, &position); err != nil {
			return fmt.Errorf("free the founding slot: %w", err)
		}
		if err := q.ForgetVoter(ctx, pg.ForgetVoterParams{EmailKey: key, Nobody: nobody}); err != nil {
			return fmt.Errorf("forget the votes: %w", err)
		}
		by.Action, by.TargetKind, by.TargetID = "early-access.signup-erased", "signup", strconv.FormatInt(position, 10)
		return audit.Write(ctx, q, s.now(), by)
	})
}

// Exported notes who took the list along.
func (s *Service) Exported(ctx context.Context, segment string, by audit.Event) error {
	by.Action, by.TargetKind, by.TargetID = "early-access.exported", "early-access", segment
	return audit.Write(ctx, s.store.Queries(), s.now(), by)
}
