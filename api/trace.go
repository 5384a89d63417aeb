package api

import (
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/gofiber/fiber/v2"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// carryTrace hands the trace that a request belongs to (W3C Trace Context) on to the stores: to ClickHouse with every
// query, and in the context to whoever asks over HTTP or sends messages. What is malformed belongs to no trace.
func (s *Server) carryTrace(c *fiber.Ctx) error {
	parent := c.Get("Traceparent")
	if parent == "" {
		return c.Next()
	}
	carrier := propagation.MapCarrier{"traceparent": parent, "tracestate": c.Get("Tracestate")}
	ctx := propagation.TraceContext{}.Extract(c.UserContext(), carrier)
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return c.Next()
	}
	stateOf(c).trace = span.TraceID().String()
	c.SetUserContext(clickhouse.Context(ctx, clickhouse.WithSpan(span)))
	return c.Next()
}
