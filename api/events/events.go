// Package events keeps the marks that people and scripts make by the API, and reads all there are: wipes, restarts,
// deploys, map changes, notes.
package events

import (
	"context"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/audit"
	"corrosion/api/query"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// What can be wrong with a request.
var (
	// ErrUnknown says that the license has no such mark.
	ErrUnknown = errors.New("no such mark")
	// ErrTaken says that the id is that of another mark, or of one that was deleted.
	ErrTaken = errors.New("the id is another mark's")
	// ErrCursor says that a cursor is not of this list.
	ErrCursor = errors.New("the cursor is not of this list")
)

const (
	// queryTimeout bounds one statement, in ClickHouse; answerGrace is how long it may take to say so.
	queryTimeout = 10 * time.Second
	answerGrace  = 3 * time.Second
)

//go:embed sql/*.sql
var sqlFiles embed.FS

var templates = template.Must(template.ParseFS(sqlFiles, "sql/*.sql"))

// Store reads and writes marks. It is safe for concurrent use; pool and conn stay the caller's.
type Store struct {
	pool *pgxpool.Pool
	conn driver.Conn
	now  func() time.Time
}

// New makes a Store; now is the clock. Postgres makes requests for one mark follow each other, and has
// the audit log.
func New(pool *pgxpool.Pool, conn driver.Conn, now func() time.Time) *Store {
	return &Store{pool: pool, conn: conn, now: now}
}

// Filter chooses marks of a license, newest first.
type Filter struct {
	License uuid.UUID
	query.Range
	Kinds []schema.EventKind
	// Servers are the chosen servers, whose marks come with those of the whole network; Chosen is false for all.
	Servers []string
	Chosen  bool
	// Limit is how many marks a page has; Cursor is where it begins, as the page before said.
	Limit  int
	Cursor string
}

// place is where a page ended.
type place struct {
	TS int64     `json:"t"`
	ID uuid.UUID `json:"i"`
}

// maxCursor bounds a cursor, bytes.
const maxCursor = 256

func readCursor(text string) (*place, error) {
	if text == "" {
		return nil, nil
	}
	document, err := base64.RawURLEncoding.DecodeString(text)
	var p place
	if len(text) > maxCursor || err != nil || json.Unmarshal(document, &p) != nil || p.ID == uuid.Nil || p.TS < 0 || p.TS > math.MaxUint32*1000 {
		return nil, ErrCursor
	}
	return &p, nil
}

// composition is what the templates see.
type composition struct{ Servers, Kinds, After bool }

func text(name string, c composition) string {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name+".sql", c); err != nil {
		panic(fmt.Sprintf("compose %s: %v", name, err)) // a fault in a template shows in every test of it
	}
	return b.String()
}

// List gives a page of marks and the cursor of the next one, empty on the last.
func (s *Store) List(ctx context.Context, f Filter) (marks []schema.Event, next string, err error) {
	after, err := readCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	c := composition{Servers: f.Chosen, Kinds: len(f.Kinds) > 0, After: after != nil}
	args := []any{
		clickhouse.Named("license", f.License.String()), clickhouse.Named("from", f.From.UnixMilli()), clickhouse.Named("to", f.To.UnixMilli()),
		clickhouse.Named("most", f.Limit+1),
	}
	if c.Servers {
		args = append(args, clickhouse.Named("servers", append([]string{""}, f.Servers...)))
	}
	if c.Kinds {
		kinds := make([]string, len(f.Kinds))
		for i, kind := range f.Kinds {
			kinds[i] = string(kind)
		}
		args = append(args, clickhouse.Named("kinds", kinds))
	}
	if c.After {
		args = append(args, clickhouse.Named("after_ts", after.TS), clickhouse.Named("after_id", after.ID.String()))
	}
	err = s.ask(ctx, "list", text("list", c), args, func(rows driver.Rows) error {
		mark := schema.Event{License: f.License, Version: schema.EventCreated}
		err := scan(rows, &mark)
		marks = append(marks, mark)
		return err
	})
	if err != nil || len(marks) <= f.Limit {
		return marks, "", err
	}
	marks = marks[:f.Limit]
	last := &marks[f.Limit-1]
	document, err := json.Marshal(place{last.TS, last.ID})
	return marks, base64.RawURLEncoding.EncodeToString(document), err
}

// scan reads a row; more are the targets of further columns.
func scan(rows driver.Rows, e *schema.Event, more ...any) error {
	var ts, received time.Time
	var kind, source string
	targets := []any{&e.ID, &e.ServerID, &ts, &kind, &e.Title, &e.Text, &e.Data, &source, &received}
	if err := rows.Scan(append(targets, more...)...); err != nil {
		return err
	}
	e.TS, e.ReceivedAt, e.Kind, e.Source = ts.UnixMilli(), received.UnixMilli(), schema.EventKind(kind), schema.EventSource(source)
	return nil
}

// find reads a mark as it was last written; nil where there never was one.
func (s *Store) find(ctx context.Context, license, id uuid.UUID) (found *schema.Event, err error) {
	args := []any{clickhouse.Named("license", license.String()), clickhouse.Named("id", id.String())}
	err = s.ask(ctx, "find", text("find", composition{}), args, func(rows driver.Rows) error {
		found = &schema.Event{License: license}
		var deleted uint8
		err := scan(rows, found, &deleted)
		found.Deleted = deleted > 0
		return err
	})
	return found, err
}

// Add stores a mark. One whose ID is nil gets an id; with an id it is stored once: the same mark again gives what is
// stored, and made is false. Another mark of that id is ErrTaken. TS 0 is now, and the same as any.
func (s *Store) Add(ctx context.Context, e schema.Event) (stored *schema.Event, made bool, err error) {
	now := s.now().UnixMilli()
	e.Source, e.ReceivedAt, e.Version = schema.FromAPI, now, schema.EventCreated
	timed := e.TS != 0
	if !timed {
		e.TS = now
	}
	if e.ID == uuid.Nil {
		e.ID = uuid.Must(uuid.NewV7())
		return &e, true, s.change(ctx, pg.New(s.pool), "mark.created", &e)
	}
	err = s.alone(ctx, e.License, e.ID, func(q *pg.Queries) error {
		before, err := s.find(ctx, e.License, e.ID)
		switch {
		case err != nil:
			return err
		case before == nil:
			stored, made = &e, true
			return s.change(ctx, q, "mark.created", &e)
		case before.Deleted, !same(before, &e, timed):
			return ErrTaken
		}
		stored = before
		return nil
	})
	return stored, made, err
}

func same(a, b *schema.Event, timed bool) bool {
	return a.Source == b.Source && a.ServerID == b.ServerID && a.Kind == b.Kind && a.Title == b.Title && a.Text == b.Text && a.Data == b.Data &&
		(!timed || a.TS == b.TS)
}

// Delete takes a mark away for good, wherever it came from; ErrUnknown where there is none.
func (s *Store) Delete(ctx context.Context, license, id uuid.UUID) error {
	return s.alone(ctx, license, id, func(q *pg.Queries) error {
		e, err := s.find(ctx, license, id)
		if err != nil {
			return err
		}
		if e == nil || e.Deleted {
			return ErrUnknown
		}
		e.Deleted, e.Version = true, schema.EventDeleted
		return s.change(ctx, q, "mark.deleted", e)
	})
}

// alone makes requests for one mark follow each other, whichever process has them. do works with the connection that it
// holds: asking the pool for another one would let many requests wait for each other.
func (s *Store) alone(ctx context.Context, license, id uuid.UUID, do func(*pg.Queries) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := pg.New(tx).LockThing(ctx, "event "+license.String()+" "+id.String()); err != nil {
			return fmt.Errorf("wait for another request: %w", err)
		}
		return do(pg.New(tx))
	})
}

// change writes a mark, and then down that it was: where that fails, the request does and is sent again.
func (s *Store) change(ctx context.Context, q *pg.Queries, action string, e *schema.Event) error {
	if err := s.write(ctx, e); err != nil {
		return err
	}
	details := map[string]any{"kind": e.Kind, "title": e.Title, "server_id": e.ServerID}
	return audit.Write(ctx, q, s.now(), audit.Done(ctx, action, e.License, "mark", e.ID.String(), details))
}

func (s *Store) write(ctx context.Context, e *schema.Event) error {
	ctx, cancel := bounded(ctx, "write")
	defer cancel()
	batch, err := s.conn.PrepareBatch(ctx, schema.InsertEvents())
	if err != nil {
		return fmt.Errorf("store mark: %w", query.Classify(ctx, err))
	}
	defer batch.Close()
	if err := batch.Append(e.Row()...); err != nil {
		return fmt.Errorf("store mark: %w", err)
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("store mark: %w", query.Classify(ctx, err))
	}
	return nil
}

// bounded ends a statement, here and in ClickHouse.
func bounded(ctx context.Context, name string) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(queryTimeout+answerGrace, cancel)
	settings := clickhouse.Settings{"log_comment": "api/events " + name, "max_execution_time": math.Ceil(queryTimeout.Seconds())}
	return clickhouse.Context(ctx, clickhouse.WithSettings(settings)), func() {
		timer.Stop()
		cancel()
	}
}

func (s *Store) ask(ctx context.Context, name, text string, args []any, scan func(driver.Rows) error) error {
	ctx, cancel := bounded(ctx, name)
	defer cancel()
	rows, err := s.conn.Query(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("marks, %s: %w", name, query.Classify(ctx, err))
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("marks, %s: %w", name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("marks, %s: %w", name, query.Classify(ctx, err))
	}
	return nil
}
