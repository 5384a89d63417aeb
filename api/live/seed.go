package live

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
)

var (
	//go:embed sql/newest.sql
	newestText string
	//go:embed sql/heard.sql
	heardText string
)

// Store reads newest samples from ClickHouse; conn stays the caller's.
type Store struct{ conn driver.Conn }

// NewStore makes a Store.
func NewStore(conn driver.Conn) *Store { return &Store{conn} }

// newestSQL is the statement with the columns of all fields, in their order.
func newestSQL() string {
	names := make([]string, 0, schema.NumFields)
	for f := range schema.NumFields {
		names = append(names, f.String())
	}
	return strings.ReplaceAll(newestText, "{{ .Fields }}", strings.Join(names, ", "))
}

// Newest implements Seeder.
func (s *Store) Newest(ctx context.Context, license uuid.UUID, since time.Time, most int) (samples []schema.Sample, err error) {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"log_comment": "api/live newest"}))
	rows, err := s.conn.Query(ctx, newestSQL(), clickhouse.Named("license", license.String()),
		clickhouse.Named("since", since.UnixMilli()), clickhouse.Named("most", most))
	if err != nil {
		return nil, fmt.Errorf("read newest samples: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		sample, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read newest samples: %w", err)
		}
		sample.License = license
		samples = append(samples, sample)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read newest samples: %w", err)
	}
	return samples, nil
}

// Heard implements Seeder.
func (s *Store) Heard(ctx context.Context, license uuid.UUID, most int) (map[string]int64, error) {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"log_comment": "api/live heard"}))
	rows, err := s.conn.Query(ctx, heardText, clickhouse.Named("license", license.String()), clickhouse.Named("most", most))
	if err != nil {
		return nil, fmt.Errorf("read heard servers: %w", err)
	}
	defer rows.Close()
	heard := map[string]int64{}
	for rows.Next() {
		var id string
		var at int64
		if err := rows.Scan(&id, &at); err != nil {
			return nil, fmt.Errorf("read heard servers: %w", err)
		}
		heard[id] = at
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read heard servers: %w", err)
	}
	return heard, nil
}

// cell is where a field's value is scanned to; nil where it was not measured.
type cell struct {
	text  *string
	whole *uint64
	small *uint32
	real  *float64
}

func (c *cell) target(f schema.Field) any {
	switch f.Info().Kind {
	case schema.Text:
		return &c.text
	case schema.Uint64:
		return &c.whole
	case schema.Uint32:
		return &c.small
	default:
		return &c.real
	}
}

func (c *cell) set(s *schema.Sample, f schema.Field) {
	switch {
	case c.text != nil:
		s.SetText(f, *c.text)
	case c.whole != nil:
		s.SetUint(f, *c.whole)
	case c.small != nil:
		s.SetUint(f, uint64(*c.small))
	case c.real != nil:
		s.SetFloat(f, *c.real)
	}
}

func scan(rows driver.Rows) (s schema.Sample, err error) {
	var cells [schema.NumFields]cell
	var metrics map[string]float64
	targets := []any{&s.ServerID, &s.TS}
	for f := range schema.NumFields {
		targets = append(targets, cells[f].target(f))
	}
	if err := rows.Scan(append(targets, &metrics)...); err != nil {
		return s, err
	}
	for f := range schema.NumFields {
		cells[f].set(&s, f)
	}
	for name, value := range metrics {
		s.Metrics = append(s.Metrics, schema.Metric{Name: name, Value: value})
	}
	slices.SortFunc(s.Metrics, func(a, b schema.Metric) int { return cmp.Compare(a.Name, b.Name) })
	return s, nil
}
