package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"corrosion/schema/pg"
)

// MaxList bounds one page.
const MaxList = 1000

// Entry is what somebody did, as it was written down.
type Entry struct {
	ID         int64           `json:"id" doc:"Entries are numbered in the order in which they were written; numbers may be left out"`
	At         time.Time       `json:"at"`
	LicenseID  *uuid.UUID      `json:"license_id" doc:"The license that it concerns; null = none"`
	ActorID    *uuid.UUID      `json:"actor_id" doc:"The account that did it; null = a script, a command, or a stranger"`
	Actor      string          `json:"actor" doc:"Its email at that time, the script's name, cli, or program; empty = a stranger"`
	Action     string          `json:"action" doc:"noun.verb; what was refused ends in -refused" example:"server.changed"`
	TargetKind string          `json:"target_kind" example:"server"`
	TargetID   string          `json:"target_id"`
	Address    string          `json:"address" doc:"Where the request came from"`
	UserAgent  string          `json:"user_agent"`
	RequestID  string          `json:"request_id"`
	Details    json.RawMessage `json:"details" doc:"Further words, by name"`
}

// Filter chooses entries; what is zero chooses all.
type Filter struct {
	License *uuid.UUID
	Actor   *uuid.UUID
	// Action is one, or all of a noun where it ends in .*
	Action               string
	TargetKind, TargetID string
	// From and To bound when, half-open.
	From, To *time.Time
	// Before is the id below which the page lies; 0 = the newest.
	Before int64
}

// List gives a page of entries, newest first; limit is 1 to MaxList.
func List(ctx context.Context, q *pg.Queries, f Filter, limit int) ([]Entry, error) {
	if limit < 1 || limit > MaxList {
		return nil, fmt.Errorf("list audit entries: limit %d: want 1 to %d", limit, MaxList)
	}
	if f.Before == 0 {
		f.Before = math.MaxInt64
	}
	rows, err := q.PageAudit(ctx, pg.PageAuditParams{
		Before: f.Before, LicenseID: f.License, ActorID: f.Actor, Action: f.Action, TargetKind: f.TargetKind, TargetID: f.TargetID,
		AtFrom: f.From, AtTo: f.To, Most: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list audit entries: %w", err)
	}
	entries := make([]Entry, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		entries = append(entries, Entry{
			ID: r.ID, At: r.At.UTC(), LicenseID: r.LicenseID, ActorID: r.ActorID, Actor: r.Actor, Action: r.Action, TargetKind: r.TargetKind,
			TargetID: r.TargetID, Address: r.Address, UserAgent: r.UserAgent, RequestID: r.RequestID, Details: r.Details,
		})
	}
	return entries, nil
}
