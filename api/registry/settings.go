package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"corrosion/api/audit"
	"corrosion/schema/pg"
)

// MaxServers bounds the servers of a license of which something is written.
const MaxServers = 20_000

// Bounds of what is written of one server.
const (
	MaxName     = 200 // characters
	MaxNotes    = 4000
	MaxTags     = 50
	MaxGroups   = 50
	MaxInterval = 24 * time.Hour
)

// Settings are what people say about a server.
type Settings struct {
	Name   string            `json:"name"`
	Tags   map[string]string `json:"tags"`
	Groups []string          `json:"groups"`
	Notes  string            `json:"notes"`
	// ExpectedIntervalS is how many seconds lie between the server's samples, as it is meant to be; nil is not written.
	ExpectedIntervalS *int `json:"expected_interval_s"`
	// ArchivedAt is when the server was taken out of counts and lists; nil is never.
	ArchivedAt *time.Time `json:"archived_at"`
}

// Tag names this version of the settings, for ETags.
func (s Settings) Tag() string {
	document, _ := json.Marshal(s) // plain values
	sum := sha256.Sum256(document)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// normal has no nil maps and slices, groups in order and once each, and times as Postgres keeps them.
func (s Settings) normal() Settings {
	if s.Tags == nil {
		s.Tags = map[string]string{}
	}
	groups := slices.Clone(s.Groups)
	slices.Sort(groups)
	s.Groups = append([]string{}, slices.Compact(groups)...)
	if s.ArchivedAt != nil {
		at := s.ArchivedAt.UTC().Truncate(time.Microsecond)
		s.ArchivedAt = &at
	}
	return s
}

func settingsOf(row pg.Server) (Settings, error) {
	s := Settings{Name: row.Name, Groups: row.Groups, Notes: row.Notes, ArchivedAt: row.ArchivedAt}
	if row.ExpectedIntervalS.Valid {
		seconds := int(row.ExpectedIntervalS.Int32)
		s.ExpectedIntervalS = &seconds
	}
	if err := json.Unmarshal(row.Tags, &s.Tags); err != nil {
		return Settings{}, fmt.Errorf("read tags of %s: %w", row.ServerID, err)
	}
	return s.normal(), nil
}

// Settings reads what is written of a server; registered is false where nothing is.
func (r *Registry) Settings(ctx context.Context, license uuid.UUID, server string) (s Settings, registered bool, err error) {
	return find(ctx, r.queries, license, server)
}

func find(ctx context.Context, q *pg.Queries, license uuid.UUID, server string) (Settings, bool, error) {
	row, err := q.FindServer(ctx, pg.FindServerParams{LicenseID: license, ServerID: server})
	if errors.Is(err, pgx.ErrNoRows) {
		return Settings{}.normal(), false, nil
	}
	if err != nil {
		return Settings{}, false, stored("read server", err)
	}
	s, err := settingsOf(row)
	return s, true, err
}

// Change writes what change makes of a server's settings. The server must be known, by a row or by a sample: else
// ErrUnknown. Changes of one server follow each other, and an error of change leaves everything as it was.
func (r *Registry) Change(ctx context.Context, license uuid.UUID, server string, change func(Settings) (Settings, error)) (Settings, error) {
	return r.write(ctx, license, server, "server.changed", func(before Settings, registered bool) (Settings, error) {
		if !registered {
			heard, err := r.heard(ctx, license, []string{server})
			if err != nil {
				return before, err
			}
			if len(heard) == 0 {
				return before, ErrUnknown
			}
		}
		return change(before)
	})
}

// Create adds a server by hand. One that has a row or was heard is ErrExists.
func (r *Registry) Create(ctx context.Context, license uuid.UUID, server string, s Settings) (Settings, error) {
	return r.write(ctx, license, server, "server.created", func(before Settings, registered bool) (Settings, error) {
		heard, err := r.heard(ctx, license, []string{server})
		switch {
		case err != nil:
			return before, err
		case registered, len(heard) > 0:
			return before, ErrExists
		}
		return s, nil
	})
}

// write makes a change and writes it down, both or neither.
func (r *Registry) write(ctx context.Context, license uuid.UUID, server, action string, change func(Settings, bool) (Settings, error)) (after Settings, err error) {
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		q := r.queries.WithTx(tx)
		if err := q.LockThing(ctx, "server "+license.String()+" "+server); err != nil {
			return stored("wait for another change", err)
		}
		before, registered, err := find(ctx, q, license, server)
		if err != nil {
			return err
		}
		if after, err = change(before, registered); err != nil {
			return err
		}
		if !registered {
			if count, err := q.CountServers(ctx, license); err != nil || count >= MaxServers {
				return errors.Join(stored("count servers", err), full(count))
			}
		}
		if after, err = put(ctx, q, license, server, after.normal()); err != nil {
			return err
		}
		return audit.Write(ctx, q, r.now(), audit.Done(ctx, action, license, "server", server, map[string]any{"fields": differing(before, after)}))
	})
	return after, err
}

// differing names the settings that a change has changed.
func differing(before, after Settings) []string {
	names := []string{}
	for name, same := range map[string]bool{
		"name": before.Name == after.Name, "tags": maps.Equal(before.Tags, after.Tags), "groups": slices.Equal(before.Groups, after.Groups),
		"notes": before.Notes == after.Notes, "expected_interval_s": equal(before.ExpectedIntervalS, after.ExpectedIntervalS),
		"archived_at": equal(before.ArchivedAt, after.ArchivedAt),
	} {
		if !same {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func full(count int64) error {
	if count < MaxServers {
		return nil
	}
	return ErrFull
}

func put(ctx context.Context, q *pg.Queries, license uuid.UUID, server string, s Settings) (Settings, error) {
	tags := &bytes.Buffer{}
	if err := json.NewEncoder(tags).Encode(s.Tags); err != nil {
		return Settings{}, fmt.Errorf("write tags: %w", err)
	}
	params := pg.PutServerParams{
		LicenseID: license, ServerID: server, Name: s.Name, Tags: tags.Bytes(), Groups: s.Groups, Notes: s.Notes, ArchivedAt: s.ArchivedAt,
	}
	if s.ExpectedIntervalS != nil {
		params.ExpectedIntervalS = pgtype.Int4{Int32: int32(*s.ExpectedIntervalS), Valid: true}
	}
	row, err := q.PutServer(ctx, params)
	if err != nil {
		return Settings{}, stored("write server", err)
	}
	return settingsOf(row)
}
