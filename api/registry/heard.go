package registry

import (
	"context"
	"embed"
	"fmt"
	"math"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/api/query"
	"corrosion/schema"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

var templates = template.Must(template.ParseFS(sqlFiles, "sql/*.sql"))

const (
	// queryTimeout bounds one query, in ClickHouse; answerGrace is how long it may take to say so.
	queryTimeout = 10 * time.Second
	answerGrace  = 3 * time.Second
	// sparkHours is how many hours a sparkline shows, the running one included.
	sparkHours = 24
)

// composition is what the templates see.
type composition struct {
	Chosen bool
	Fields []string
}

func text(name string, c composition) string {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name+".sql", c); err != nil {
		panic(fmt.Sprintf("compose %s: %v", name, err)) // a fault in a template shows in every test of it
	}
	return b.String()
}

// latestFields are the measured fields that a server's latest values have, in column order.
func latestFields() (names []string) {
	for _, f := range schema.MetricFields() {
		names = append(names, f.String())
	}
	return names
}

// ask runs one statement for a license and hands each row to scan.
func (r *Registry) ask(ctx context.Context, name string, c composition, license uuid.UUID, args []any, scan func(driver.Rows) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(queryTimeout+answerGrace, cancel)
	defer timer.Stop()
	settings := clickhouse.Settings{"log_comment": "api/registry " + name, "max_execution_time": math.Ceil(queryTimeout.Seconds())}
	args = append(args, clickhouse.Named("license", license.String()))
	rows, err := r.conn.Query(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), text(name, c), args...)
	if err != nil {
		return fmt.Errorf("servers, %s: %w", name, query.Classify(ctx, err))
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("servers, %s: %w", name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("servers, %s: %w", name, query.Classify(ctx, err))
	}
	return nil
}

// span is since and until when a server was heard.
type span struct{ first, last time.Time }

// heard asks which servers were heard; nil servers are all.
func (r *Registry) heard(ctx context.Context, license uuid.UUID, servers []string) (map[string]span, error) {
	c := composition{Chosen: servers != nil}
	var args []any
	if c.Chosen {
		args = append(args, clickhouse.Named("servers", servers))
	}
	heard := map[string]span{}
	err := r.ask(ctx, "heard", c, license, args, func(rows driver.Rows) error {
		var server string
		var s span
		if err := rows.Scan(&server, &s.first, &s.last); err != nil {
			return err
		}
		heard[server] = span{s.first.UTC(), s.last.UTC()}
		return nil
	})
	return heard, err
}

// values asks for one field of every server, as it was last measured.
func (r *Registry) values(ctx context.Context, license uuid.UUID, field string) (map[string]float64, error) {
	values := map[string]float64{}
	err := r.ask(ctx, "values", composition{Fields: []string{field}}, license, nil, func(rows driver.Rows) error {
		var server string
		var value *float64
		if err := rows.Scan(&server, &value); err != nil {
			return err
		}
		if value != nil {
			values[server] = *value
		}
		return nil
	})
	return values, err
}

// fill asks for the latest values and the sparklines of a page of servers.
func (r *Registry) fill(ctx context.Context, license uuid.UUID, page []*Server) error {
	if len(page) == 0 {
		return nil
	}
	byID := make(map[string]*Server, len(page))
	ids := make([]string, len(page))
	since := schema.FloorHour(r.now()).Add(-(sparkHours - 1) * time.Hour)
	for i, s := range page {
		byID[s.ServerID], ids[i] = s, s.ServerID
		s.Sparkline = Sparkline{Metric: schema.Players.String(), From: since, Step: time.Hour.String(), Values: make([]*float64, sparkHours)}
	}
	names := latestFields()
	args := []any{clickhouse.Named("servers", ids), clickhouse.Named("since", since.Unix())}
	err := r.ask(ctx, "hours", composition{Chosen: true, Fields: names}, license, args, func(rows driver.Rows) error {
		return fillHour(rows, names, since, byID)
	})
	if err != nil {
		return err
	}
	return r.ask(ctx, "words", composition{}, license, args[:1], func(rows driver.Rows) error {
		var server, level, build string
		if err := rows.Scan(&server, &level, &build); err != nil {
			return err
		}
		s := byID[server]
		s.Map, s.Version = nonEmpty(level), nonEmpty(build)
		return nil
	})
}

// fillHour puts one server's hour into its place; hours come in order, so that later measurements win.
func fillHour(rows driver.Rows, names []string, since time.Time, byID map[string]*Server) error {
	var server string
	var hour time.Time
	var mean *float64
	values := make([]*float64, len(names))
	targets := []any{&server, &hour, &mean}
	for i := range values {
		targets = append(targets, &values[i])
	}
	if err := rows.Scan(targets...); err != nil {
		return err
	}
	s := byID[server]
	if i := int(hour.Sub(since) / time.Hour); i >= 0 && i < sparkHours && !hour.Before(since) {
		s.Sparkline.Values[i] = mean
	}
	if s.LastSeen == nil || hour.Before(schema.FloorHour(*s.LastSeen).Add(-time.Hour)) {
		return nil
	}
	for i, v := range values {
		if v != nil {
			s.Latest[names[i]] = *v
		}
	}
	return nil
}

func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
