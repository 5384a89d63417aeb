package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/auth"
)

// requestState travels with a request through Fiber and huma.
type requestState struct {
	id       string
	started  time.Time
	values   url.Values
	identity *auth.Identity
	// tokenErr is why the token that was sent does not count; nil where it does.
	tokenErr error
	address  string
	// browser is what the account routes read of the request's headers.
	browser browser
	// err is what the handler failed with, for the log.
	err error
	// route is set where Fiber knows no template.
	route string
	// trace is the id of the trace that the request belongs to; empty = of none.
	trace string
	// stream is set where the answer goes on after the handler has returned.
	stream answerStream
}

// answerStream is a body that is sent after the handler has returned; f is called once it has been, or could not be.
type answerStream interface {
	whenEnded(f func(sent int, err error))
}

type stateKey struct{}

func stateOf(c *fiber.Ctx) *requestState { return c.Locals(stateKey{}).(*requestState) }

func stateFrom(ctx context.Context) *requestState { return ctx.Value(stateKey{}).(*requestState) }

// license is the asker's; without a token there is none, whatever route led here.
func (st *requestState) license() (uuid.UUID, error) {
	if err := st.known(); err != nil {
		return uuid.Nil, err
	}
	if st.identity.License == uuid.Nil {
		return uuid.Nil, errNoLicense
	}
	return st.identity.License, nil
}

// known fails where no token says who asks.
func (st *requestState) known() error {
	switch {
	case st.identity != nil:
		return nil
	case st.tokenErr != nil:
		return st.tokenErr
	}
	return errNoToken
}

// observe is the outermost step: it turns errors and panics into problems, and writes the log and the metrics.
func (s *Server) observe(c *fiber.Ctx) error {
	if _, again := c.Locals(stateKey{}).(*requestState); again {
		return c.Next()
	}
	st := &requestState{id: requestID(c.Get(fiber.HeaderXRequestID)), started: s.deps.Now(), address: s.clientAddress(c)}
	c.Locals(stateKey{}, st)
	c.Set(fiber.HeaderXRequestID, st.id)
	setSecurityHeaders(c)
	if err := s.nextRecovered(c); err != nil {
		st.err = err
		newProblem(err, st.id).write(c.Response())
		allowHead(c)
	}
	if st.stream == nil {
		s.record(c.Method(), routeOf(c, st), c.Response().StatusCode(), st, len(c.Response().Body()))
		return nil
	}
	// The route is only known here; the rest once the stream is over.
	method, route, status := c.Method(), routeOf(c, st), c.Response().StatusCode()
	st.stream.whenEnded(func(sent int, err error) {
		st.err = err
		s.record(method, route, status, st, sent)
	})
	return nil
}

func (s *Server) nextRecovered(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return c.Next()
}

// allowHead completes Fiber's header Allow: whatever answers GET answers HEAD.
func allowHead(c *fiber.Ctx) {
	if allow := c.GetRespHeader(fiber.HeaderAllow); allow == fiber.MethodGet {
		c.Set(fiber.HeaderAllow, "GET, HEAD")
	}
}

// routeOf is the route's template, never the path: a path or a query may hold what does not belong in a log.
func routeOf(c *fiber.Ctx, st *requestState) string {
	if st.route != "" {
		return st.route
	}
	// Steps that every request passes are mounted at the root or at /api.
	if path := c.Route().Path; path != "/" && path != "" && path != "/api" {
		return path
	}
	return "unmatched"
}

func (s *Server) record(method, route string, status int, st *requestState, bytes int) {
	took := s.deps.Now().Sub(st.started)
	s.metrics.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	s.metrics.seconds.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
	fields := []any{
		"method", method, "route", route, "status", status, "ms", took.Milliseconds(), "bytes", bytes,
		"request_id", st.id, "address", st.address,
	}
	if st.identity != nil {
		fields = append(fields, "license", st.identity.License, "token_id", st.identity.TokenID)
	}
	if st.trace != "" {
		fields = append(fields, "trace_id", st.trace)
	}
	level := slog.LevelDebug // metrics count what went well; dashboards ask every few seconds
	if status >= 400 {
		level = slog.LevelInfo
	}
	if s.cfg.SlowRequest > 0 && took >= s.cfg.SlowRequest && st.stream == nil {
		level = slog.LevelWarn
		fields = append(fields, "slow", true)
	}
	if st.err != nil && (status >= 500 || status < 400) && !errors.Is(st.err, context.Canceled) {
		level = slog.LevelError
		fields = append(fields, "error", st.err)
	}
	s.deps.Logger.Log(context.Background(), level, "http", fields...)
}

// requestID keeps a caller's id where it is harmless.
func requestID(sent string) string {
	if len(sent) == 0 || len(sent) > 64 {
		return uuid.Must(uuid.NewV7()).String()
	}
	for _, b := range []byte(sent) {
		letter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
		if !letter && b != '-' && b != '_' && b != '.' {
			return uuid.Must(uuid.NewV7()).String()
		}
	}
	return sent
}

// setSecurityHeaders are right for data; pages set their own policy over it.
func setSecurityHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
}

type metrics struct {
	requests      *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
	exportRows    *prometheus.CounterVec
	exportsBroken prometheus.Counter
	exports       prometheus.Gauge
	liveEnded     *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "corrosion_http_requests_total", Help: "Requests answered.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "corrosion_http_request_seconds", Help: "Time from a request to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120, 600},
		}, []string{"route", "status"}),
		exportRows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "corrosion_export_rows_total", Help: "Rows of exports that were completed.",
		}, []string{"granularity", "format"}),
		exportsBroken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "corrosion_exports_broken_total", Help: "Exports that ended before they were complete, for whatever reason.",
		}),
		exports: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "corrosion_exports", Help: "Exports under way.",
		}),
		liveEnded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "corrosion_live_ended_total", Help: "Live streams that ended, by why.",
		}, []string{"reason"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.exportRows, m.exportsBroken, m.exports, m.liveEnded} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}
