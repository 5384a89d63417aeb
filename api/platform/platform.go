// Package platform is what platform administrators do: licenses, quotas, jobs, retention, and the health of ingest. Every
// change is written down in the audit log with who asked for it, which the context says.
package platform

import (
	"context"
	"errors"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// What can be wrong with a request.
var (
	ErrNoLicense = errors.New("there is no such license")
	ErrNoJob     = errors.New("there is no such job")
	// ErrChanged says that somebody else changed the thing since it was read.
	ErrChanged = errors.New("it was changed since it was read")
)

// Deps are what a Service works with. All but Now are required.
type Deps struct {
	Store      *store.Store
	ClickHouse driver.Conn
	// Quotas are those of licenses that have none of their own.
	Quotas schema.Quotas
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service is safe for concurrent use; what it works with stays the caller's.
type Service struct {
	store    *store.Store
	conn     driver.Conn
	defaults schema.Quotas
	now      func() time.Time
}

// New makes a Service.
func New(deps Deps) (*Service, error) {
	if deps.Store == nil || deps.ClickHouse == nil {
		return nil, errors.New("platform: Store and ClickHouse are required")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Service{store: deps.Store, conn: deps.ClickHouse, defaults: deps.Quotas, now: deps.Now}, nil
}

// Audit gives a page of what was done in all licenses and none.
func (s *Service) Audit(ctx context.Context, f audit.Filter, limit int) ([]audit.Entry, error) {
	return audit.List(ctx, s.store.Queries(), f, limit)
}

// Note writes down what the context's asker did, where the change is not in Postgres.
func (s *Service) Note(ctx context.Context, action string, license uuid.UUID, kind, id string, details map[string]any) error {
	return s.write(ctx, s.store.Queries(), action, license, kind, id, details)
}

func (s *Service) write(ctx context.Context, q *pg.Queries, action string, license uuid.UUID, kind, id string, details map[string]any) error {
	return audit.Write(ctx, q, s.now(), audit.Done(ctx, action, license, kind, id, details))
}
