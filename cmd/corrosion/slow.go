package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"corrosion/schema/connect/stores"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"
)

// slowLog writes down statements that took long: their names and times, never their arguments.
type slowLog struct {
	from time.Duration // 0: none is slow
	log  *slog.Logger
}

// note logs one statement of a store, if it was slow.
func (s slowLog) note(ctx context.Context, store, statement string, took time.Duration, err error) {
	if s.from <= 0 || took < s.from {
		return
	}
	fields := []any{"store", store, "statement", statement, "ms", took.Milliseconds(), "failed", err != nil}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		fields = append(fields, "trace_id", span.TraceID().String())
	}
	s.log.Warn("slow query", fields...)
}

type slowKey struct{}

type slowQuery struct {
	name  string
	begun time.Time
}

// TraceQueryStart implements pgx.QueryTracer.
func (s slowLog) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if s.from <= 0 {
		return ctx
	}
	return context.WithValue(ctx, slowKey{}, slowQuery{statementName(data.SQL), time.Now()})
}

// TraceQueryEnd implements pgx.QueryTracer.
func (s slowLog) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if q, ok := ctx.Value(slowKey{}).(slowQuery); ok {
		s.note(ctx, "postgres", q.name, time.Since(q.begun), data.Err)
	}
}

// statementName is what sqlc wrote over a statement; of others it is the first word, for their text may hold values.
func statementName(sql string) string {
	if rest, named := strings.CutPrefix(sql, "-- name: "); named {
		name, _, _ := strings.Cut(rest, " ")
		return name
	}
	word, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	return word
}

// newPool opens a pool whose slow statements are logged.
func newPool(ctx context.Context, url string, slow slowLog) (*pgxpool.Pool, error) {
	return stores.PostgresPool(ctx, url, func(config *pgxpool.Config) { config.ConnConfig.Tracer = slow })
}
