// Package audit writes down who did what to which thing, and from where. Entries are only ever added.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"corrosion/schema/pg"
)

// Event is one thing that somebody did.
type Event struct {
	// Action is noun.verb, as in account.login; what was refused ends in -refused.
	Action string
	// ActorID is the account that did it; nil where it is not known or not an account.
	ActorID *uuid.UUID
	// Actor is the account's email, a script's name, "cli", or "" for a stranger.
	Actor string
	// License is the license that it concerns; nil = none.
	License *uuid.UUID
	// TargetKind and TargetID name the thing, as in "session" and its id.
	TargetKind, TargetID string
	Origin
	// Details are further words. Never a secret.
	Details map[string]any
	// At is set by the recorder where it is zero.
	At time.Time
}

// Origin is where a request came from. Longer texts than the table takes are cut.
type Origin struct {
	Address   string
	UserAgent string
	RequestID string
}

// Recorder takes down events.
type Recorder interface {
	Audit(ctx context.Context, e Event) error
}

// The bounds of columns, runes.
const (
	MaxActor     = 254
	MaxUserAgent = 400
)

// Write appends e through q, so that it stands or falls with the transaction of what it speaks of.
func Write(ctx context.Context, q *pg.Queries, now time.Time, e Event) error {
	details, err := json.Marshal(e.Details)
	if err != nil {
		return fmt.Errorf("encode audit details: %w", err)
	}
	if e.Details == nil {
		details = []byte("{}")
	}
	if e.At.IsZero() {
		e.At = now
	}
	err = q.AddAudit(ctx, pg.AddAuditParams{
		At: e.At, LicenseID: e.License, ActorID: e.ActorID, Actor: Clip(e.Actor, MaxActor), Action: e.Action,
		TargetKind: e.TargetKind, TargetID: e.TargetID, Address: e.Address, UserAgent: Clip(e.UserAgent, MaxUserAgent),
		RequestID: e.RequestID, Details: details,
	})
	if err != nil {
		return fmt.Errorf("write audit entry: %w", err)
	}
	return nil
}

// Named puts an account's email where an event has nobody's name yet.
func Named(ctx context.Context, q *pg.Queries, e Event) (Event, error) {
	if e.Actor != "" || e.ActorID == nil {
		return e, nil
	}
	user, err := q.FindUser(ctx, *e.ActorID)
	if errors.Is(err, pgx.ErrNoRows) { // erased meanwhile
		e.Actor = e.ActorID.String()
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("look up who acts: %w", err)
	}
	e.Actor = user.Email
	return e, nil
}

// Log is the Recorder that writes to Postgres.
type Log struct {
	Queries *pg.Queries
	Now     func() time.Time
}

// Audit appends e by itself.
func (l Log) Audit(ctx context.Context, e Event) error { return Write(ctx, l.Queries, l.Now(), e) }

// Clip makes a text from outside fit for a column: valid UTF-8 without NUL, of at most most runes.
func Clip(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most])
	}
	return text
}
