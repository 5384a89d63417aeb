package platform

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// MaxPage bounds the licenses of one page.
const MaxPage = 500

// MaxReason bounds a suspension's reason, characters.
const MaxReason = 500

// License is one license as the operator's list has it.
type License struct {
	ID              uuid.UUID  `json:"license_id"`
	Name            string     `json:"name"`
	Owner           string     `json:"owner" doc:"The email of its owner; empty = it has none"`
	Members         int64      `json:"members"`
	CreatedAt       time.Time  `json:"created_at"`
	SuspendedAt     *time.Time `json:"suspended_at" doc:"null = in good standing"`
	SuspendedReason string     `json:"suspended_reason,omitempty"`
}

// LicenseDetails is one license with what belongs to it.
type LicenseDetails struct {
	License
	SuspendedBy    *uuid.UUID `json:"suspended_by" doc:"The account that suspended it; null = a command, or nobody"`
	NATSUsers      int64      `json:"nats_users" doc:"Logins of game servers and agents"`
	WrittenServers int64      `json:"written_servers" doc:"Servers of which people wrote something"`
	Quotas         Quotas     `json:"quotas"`
}

// LicenseFilter chooses licenses.
type LicenseFilter struct {
	// Search finds a part of the name, or the beginning of the id.
	Search string
	// State is active, suspended, or empty for both.
	State string
	// Before is where the page begins; zero = the newest.
	Before LicensePlace
	// Limit is 1 to MaxPage.
	Limit int
}

// LicensePlace is where a page of licenses ended.
type LicensePlace struct {
	At time.Time
	ID uuid.UUID
}

// Licenses gives a page of licenses, newest first, and where the next one begins; nil = it was the last.
func (s *Service) Licenses(ctx context.Context, f LicenseFilter) (page []License, next *LicensePlace, err error) {
	if f.Limit < 1 || f.Limit > MaxPage {
		return nil, nil, fmt.Errorf("list licenses: limit %d: want 1 to %d", f.Limit, MaxPage)
	}
	if f.Before.At.IsZero() {
		f.Before.At = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	rows, err := s.store.Queries().ListLicenses(ctx, pg.ListLicensesParams{
		BeforeAt: f.Before.At, BeforeID: f.Before.ID, Search: f.Search, State: f.State, Most: int32(f.Limit + 1),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list licenses: %w", err)
	}
	page = []License{}
	for _, r := range rows[:min(len(rows), f.Limit)] {
		page = append(page, License{
			ID: r.ID, Name: r.Name, Owner: r.Owner, Members: r.Members, CreatedAt: r.CreatedAt.UTC(), SuspendedAt: utc(r.SuspendedAt),
			SuspendedReason: r.SuspendedReason,
		})
	}
	if len(rows) > f.Limit {
		last := page[f.Limit-1]
		next = &LicensePlace{last.CreatedAt, last.ID}
	}
	return page, next, nil
}

// License reads one, or fails with ErrNoLicense.
func (s *Service) License(ctx context.Context, id uuid.UUID) (LicenseDetails, error) {
	return s.license(ctx, s.store.Queries(), id)
}

func (s *Service) license(ctx context.Context, q *pg.Queries, id uuid.UUID) (LicenseDetails, error) {
	r, err := q.FindLicenseDetails(ctx, id)
	if store.Missing(err) {
		return LicenseDetails{}, ErrNoLicense
	}
	if err != nil {
		return LicenseDetails{}, fmt.Errorf("read license: %w", err)
	}
	return LicenseDetails{
		License: License{
			ID: r.ID, Name: r.Name, Owner: r.Owner, Members: r.Members, CreatedAt: r.CreatedAt.UTC(), SuspendedAt: utc(r.SuspendedAt),
			SuspendedReason: r.SuspendedReason,
		},
		SuspendedBy: r.SuspendedBy, NATSUsers: r.NatsUsers, WrittenServers: r.ServersWritten,
		Quotas: s.quotas(ownQuotas{r.SamplesPerSecond, r.BytesPerSecond, r.Servers, r.MetricNames}),
	}, nil
}

// Suspend ends a license's NATS connections within seconds, and refuses its tokens and keys, until Resume. by is the account
// that asked; nil = none. Suspending again changes the reason. It fails with ErrNoLicense.
func (s *Service) Suspend(ctx context.Context, id uuid.UUID, reason string, by *uuid.UUID) (LicenseDetails, error) {
	return s.standing(ctx, id, func(q *pg.Queries) error { return suspend(ctx, q, s.now(), id, reason, by) })
}

// Resume ends a suspension; a license that is in good standing stays so. It fails with ErrNoLicense.
func (s *Service) Resume(ctx context.Context, id uuid.UUID) (LicenseDetails, error) {
	return s.standing(ctx, id, func(q *pg.Queries) error { return resume(ctx, q, s.now(), id) })
}

// Suspend is Service.Suspend for commands, which no account gives.
func Suspend(ctx context.Context, on *store.Store, id uuid.UUID, reason string) error {
	return on.Tx(ctx, func(q *pg.Queries) error { return suspend(ctx, q, time.Now(), id, reason, nil) })
}

// Resume is Service.Resume for commands.
func Resume(ctx context.Context, on *store.Store, id uuid.UUID) error {
	return on.Tx(ctx, func(q *pg.Queries) error { return resume(ctx, q, time.Now(), id) })
}

func suspend(ctx context.Context, q *pg.Queries, now time.Time, id uuid.UUID, reason string, by *uuid.UUID) error {
	n, err := q.SuspendLicense(ctx, id)
	if err := oneLicense(n, err); err != nil {
		return err
	}
	var details map[string]any
	if reason == "" { // commands need give none
		err = q.DeleteSuspension(ctx, id)
	} else {
		details = map[string]any{"reason": reason}
		err = q.PutSuspension(ctx, pg.PutSuspensionParams{LicenseID: id, Reason: reason, SuspendedBy: by, At: now})
	}
	if err != nil {
		return fmt.Errorf("change license: %w", err)
	}
	return audit.Write(ctx, q, now, audit.Done(ctx, "license.suspended", id, "license", id.String(), details))
}

func resume(ctx context.Context, q *pg.Queries, now time.Time, id uuid.UUID) error {
	n, err := q.ResumeLicense(ctx, id)
	if err := oneLicense(n, err); err != nil {
		return err
	}
	if err := q.DeleteSuspension(ctx, id); err != nil {
		return fmt.Errorf("change license: %w", err)
	}
	return audit.Write(ctx, q, now, audit.Done(ctx, "license.resumed", id, "license", id.String(), nil))
}

func oneLicense(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNoLicense
	}
	return store.Wrap("change license", err)
}

// standing changes a license and gives it as it is then.
func (s *Service) standing(ctx context.Context, id uuid.UUID, change func(*pg.Queries) error) (after LicenseDetails, err error) {
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		if err := change(q); err != nil {
			return err
		}
		after, err = s.license(ctx, q, id)
		return err
	})
	return after, err
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
