// Package registry knows the servers of licenses: those that were heard, from ClickHouse, and what people say about them
// (names, tags, groups, notes, expected intervals, archived or not), from Postgres. Both are joined when they are read,
// so that a server is known with its first sample; its row is made when somebody first writes something.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/query"
	"corrosion/schema/pg"
)

// What can be wrong with a change.
var (
	// ErrUnknown says that the license has no such server.
	ErrUnknown = errors.New("no such server")
	// ErrExists says that the server is known already.
	ErrExists = errors.New("the server is known already")
	// ErrChanged says that somebody else changed the server since it was read.
	ErrChanged = errors.New("the server was changed since it was read")
	// ErrFull says that the license has MaxServers servers by hand.
	ErrFull = errors.New("the license has as many servers as it may have")
)

// Registry reads and changes what is known of servers. It is safe for concurrent use; pool and conn stay the caller's.
type Registry struct {
	pool    *pgxpool.Pool
	queries *pg.Queries
	conn    driver.Conn
	now     func() time.Time
}

// New makes a Registry; now is the clock.
func New(pool *pgxpool.Pool, conn driver.Conn, now func() time.Time) *Registry {
	return &Registry{pool: pool, queries: pg.New(pool), conn: conn, now: now}
}

// Selector chooses servers by what is written of them: one of the values of each key, and one of the groups.
type Selector struct {
	Tags   []query.Tag
	Groups []string
}

// Empty tells whether s chooses by nothing.
func (s Selector) Empty() bool { return len(s.Tags) == 0 && len(s.Groups) == 0 }

// Select gives the servers that s chooses, archived ones too: their history counts. More than query.MaxSelected are cut
// to one more than that, which the engine refuses.
func (r *Registry) Select(ctx context.Context, license uuid.UUID, s Selector) ([]string, error) {
	wanted := map[string][]string{}
	for _, tag := range s.Tags {
		wanted[tag.Key] = append(wanted[tag.Key], tag.Value)
	}
	document, err := json.Marshal(wanted)
	if err != nil {
		return nil, fmt.Errorf("write tags: %w", err)
	}
	servers, err := r.queries.SelectServers(ctx, pg.SelectServersParams{
		LicenseID: license, Wanted: document, Groups: append([]string{}, s.Groups...), Most: query.MaxSelected + 1,
	})
	return servers, stored("select servers", err)
}

// Groups splits servers by a tag's values or by groups, in order of names. Of chosen servers it takes only those; nil
// chosen is all. A server without the tag, or in no group, is in none.
func (r *Registry) Groups(ctx context.Context, license uuid.UUID, by query.GroupBy, chosen []string) ([]query.Group, error) {
	var names, servers []string
	if key, tagged := by.Tag(); tagged {
		rows, err := r.queries.ServersByTag(ctx, pg.ServersByTagParams{LicenseID: license, Key: key})
		if err != nil {
			return nil, stored("group servers", err)
		}
		for _, row := range rows {
			names, servers = append(names, row.Name), append(servers, row.ServerID)
		}
	} else {
		rows, err := r.queries.ServersByGroup(ctx, license)
		if err != nil {
			return nil, stored("group servers", err)
		}
		for _, row := range rows {
			names, servers = append(names, row.Name), append(servers, row.ServerID)
		}
	}
	return join(names, servers, chosen), nil
}

// join makes groups of names, which stand together, and their servers.
func join(names, servers, chosen []string) (groups []query.Group) {
	within := make(map[string]bool, len(chosen))
	for _, id := range chosen {
		within[id] = true
	}
	for i, name := range names {
		if chosen != nil && !within[servers[i]] {
			continue
		}
		if len(groups) == 0 || groups[len(groups)-1].Name != name {
			groups = append(groups, query.Group{Name: name})
		}
		last := &groups[len(groups)-1]
		last.Servers = append(last.Servers, servers[i])
	}
	return groups
}

// Book is what a summary must know of a license's servers.
func (r *Registry) Book(ctx context.Context, license uuid.UUID) (*query.Book, error) {
	rows, err := r.queries.ServerBook(ctx, license)
	if err != nil {
		return nil, stored("read the book of servers", err)
	}
	book := &query.Book{Expected: map[string]time.Duration{}}
	for _, row := range rows {
		if row.Archived {
			book.Archived = append(book.Archived, row.ServerID)
		} else {
			book.Registered = append(book.Registered, row.ServerID)
		}
		if row.ExpectedIntervalS.Valid {
			book.Expected[row.ServerID] = time.Duration(row.ExpectedIntervalS.Int32) * time.Second
		}
	}
	return book, nil
}

// stored marks errors of a Postgres that does not answer.
func stored(step string, err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", step, err)
	}
	return fmt.Errorf("%s: %w: %w", step, query.ErrUnavailable, err)
}
