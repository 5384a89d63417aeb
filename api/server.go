package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Server is the HTTP server. New makes it, Open starts it, Close ends it.
type Server struct {
	cfg     Config
	deps    Deps
	app     *fiber.App
	metrics *metrics

	// huma serves and describes JSON routes; documenter describes into the same document what Fiber answers.
	huma, documenter huma.API

	// known are the query parameters of each path.
	known    map[string]map[string]bool
	document []byte
	docs     page
	static   *staticFiles

	tokenLimit, licenseLimit, addressLimit, siteLimit *limiter
	answers                                           answers
	standings                                         standings
	exports                                           *exportSlots

	// base ends when Close has waited long enough; every request's work hangs on it.
	base   context.Context
	cancel context.CancelCauseFunc

	// draining tells /readyz and every connection that others are to be asked from now on.
	draining atomic.Bool

	listener *listener
	serving  sync.WaitGroup
	// streams are the live ones, which fasthttp does not know any more.
	streams sync.WaitGroup
	served  error
}

// New makes a server that does not listen yet.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	deps, err := deps.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, deps: deps, known: map[string]map[string]bool{}, exports: newExportSlots(cfg),
		tokenLimit: newLimiter("token", cfg.TokenQuota), licenseLimit: newLimiter("license", cfg.LicenseQuota), addressLimit: newLimiter("address", cfg.AddressQuota),
		siteLimit: newLimiter("site", cfg.SiteQuota),
	}
	for _, l := range s.limiters() {
		l.shared = deps.Limits != nil
	}
	s.base, s.cancel = context.WithCancelCause(context.Background())
	if s.metrics, err = newMetrics(deps.Registerer); err != nil {
		return nil, err
	}
	if s.static, err = loadStatic(deps.Static, cfg.ContentSecurityPolicy); err != nil {
		return nil, err
	}
	s.app = s.newApp()
	s.routes()
	if err := s.publish(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) newApp() *fiber.App {
	return fiber.New(fiber.Config{
		AppName: "corrosion",
		// Strings from Fiber would otherwise change under what outlives the handler: exports, logs, limiters.
		Immutable: true,
		// One path, one spelling: what guards a prefix must see the same path as the router.
		CaseSensitive: true, StrictRouting: true,
		BodyLimit: s.cfg.MaxBody, ReadTimeout: s.cfg.ReadTimeout, IdleTimeout: s.cfg.IdleTimeout,
		// Room for a thousand server ids in a query.
		ReadBufferSize: 80 << 10,
		// No WriteTimeout: it would bound whole answers; the listener bounds each write.
		DisableStartupMessage: true, DisableDefaultDate: false,
		ErrorHandler: func(c *fiber.Ctx, err error) error {
			newProblem(err, requestID("")).write(c.Response())
			if conn, ok := unwrap(c.Context().Conn()); ok {
				conn.refused.Store(errors.Is(err, fiber.ErrRequestEntityTooLarge))
			}
			return nil
		},
	})
}

// routes is the table of everything that is served.
func (s *Server) routes() {
	s.app.Use(s.observe, s.headAsGet, s.compress, s.guard, s.carryTrace, s.cors, s.identify, s.limit)
	s.app.Use(accountPrefix, s.readBrowser)
	s.app.Use(licensePath, s.readBrowser) // and licensesPath, which begins with it
	s.app.Use("/api", s.requireToken, s.nameAsker, s.idempotent)

	s.openAPI()
	s.app.Get(openAPIPath+".json", s.serveDocument)
	s.app.Get(docsPath, s.serveDocs)
	s.describeHealth()
	s.app.Get("/livez", s.livez)
	s.app.Get("/readyz", s.readyz)
	s.app.Get("/metrics", s.serveMetrics())

	if s.deps.Accounts != nil {
		s.registerAccounts()
		s.registerLicenses()
	}
	if s.deps.EarlyAccess != nil {
		s.registerEarlyAccess()
	}

	s.app.Use("/api/analytics", s.etag)
	s.app.Use("/api/public/demo", s.etag)
	for _, path := range []string{"/api/analytics/summary", "/api/analytics/timeseries"} {
		s.app.Use(path, s.remembered)
	}
	s.registerSummary()
	s.registerTimeseries()
	s.registerRetention()
	s.registerIngest()
	s.registerDemo()
	s.registerServers()
	s.registerEvents()
	s.registerMetricNames()
	s.registerDemoNetwork()
	s.registerInstallations() // before what stands for any module
	s.describeExport()
	s.app.Get(exportPath, s.export)
	s.registerExportJobs()
	if s.deps.Modules != nil && s.deps.Purchases != nil {
		s.registerModules()
	}
	s.describeLive()
	s.app.Get(livePath, s.live)
	s.app.Get(demoLivePath, s.demoLive)

	s.app.Use(auditPath, s.etag)
	s.registerAudit()
	s.registerAdmin()

	s.app.Use(s.serveStatic)
}

// Open listens, so that a port in use is an error here, and serves in the background.
func (s *Server) Open() error {
	inner := s.deps.Listener
	if inner == nil {
		var config net.ListenConfig
		var err error
		if inner, err = config.Listen(s.base, "tcp", s.cfg.Listen); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	s.listener = newListener(inner, s.cfg.WriteTimeout)
	handler := s.app.Handler()
	s.app.Server().Handler = func(ctx *fasthttp.RequestCtx) { s.handle(ctx, handler) }
	if s.deps.Limits != nil {
		s.serving.Go(func() { s.syncLimits(s.base) })
	}
	s.app.Server().HeaderReceived = s.allowUploads
	s.serving.Go(func() { s.served = s.app.Server().Serve(s.listener) })
	return nil
}

// handle keeps methods away from Fiber that it would answer in plain text.
func (s *Server) handle(ctx *fasthttp.RequestCtx, next fasthttp.RequestHandler) {
	switch string(ctx.Method()) {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodPost, fiber.MethodPut, fiber.MethodPatch, fiber.MethodDelete,
		fiber.MethodOptions, fiber.MethodConnect, fiber.MethodTrace:
		next(ctx)
	default:
		newProblem(fiber.ErrNotImplemented, requestID("")).write(&ctx.Response)
	}
	if s.draining.Load() {
		ctx.SetConnectionClose() // the next request comes by a new connection, which leads elsewhere
	}
}

// Addr is where the server listens; meaningful after Open.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Drain makes /readyz answer 503 and each connection end with its next answer, and goes on serving for d or until ctx ends,
// so that whoever spreads requests over processes has turned to others before Close.
func (s *Server) Drain(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	s.draining.Store(true)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Close stops listening, waits up to ShutdownTimeout for answers under way, then breaks what is left, and waits for
// that. It fails when something had to be broken.
func (s *Server) Close() error {
	defer s.cancel(errShutdown)
	if s.listener == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	if s.deps.Live != nil {
		s.deps.Live.Close() // their streams say goodbye
	}
	err := s.app.ShutdownWithContext(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("answers were still under way after %s", s.cfg.ShutdownTimeout)
	case errors.Is(err, net.ErrClosed): // it was closed before
		err = nil
	}
	s.cancel(errShutdown)
	_ = s.listener.Close() // a server that had not begun to accept by then would never end
	s.listener.closeConns()
	s.listener.open.Wait()
	s.streams.Wait()
	s.serving.Wait()
	return errors.Join(err, s.served)
}
