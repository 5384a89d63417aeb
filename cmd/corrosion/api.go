package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"

	"corrosion/api"
	"corrosion/api/account"
	"corrosion/api/archive"
	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/events"
	"corrosion/api/exportjob"
	"corrosion/api/idempotency"
	"corrosion/api/query"
	"corrosion/api/ratestore"
	"corrosion/api/registry"
	"corrosion/dashboards"
	"corrosion/schema"
)

type apiCommand struct {
	services
	logging
	jwtKeys
	listening
	exportFlags
	moduleFlags
	agentFlags
	natsLogins
	quotaFlags
	accountFlags
	earlyFlags
	replicaFlags
	Drain time.Duration `env:"CORROSION_DRAIN" default:"5s" help:"How long to go on answering after SIGTERM while /readyz says 503, so that a balancer turns to others first; at most 30s, 0s = stop at once."`
	Demo  bool          `help:"Let the demo network be read without signing in."`
}

// listening is where the API and the dashboard are served.
type listening struct {
	Listen         string        `env:"CORROSION_LISTEN" default:"127.0.0.1:8080" help:"Address of the API and the dashboard."`
	CORSOrigins    []string      `name:"cors-origins" env:"CORROSION_CORS_ORIGINS" placeholder:"ORIGIN" help:"Origins whose pages may use the API with a bearer token (https://stats.example.org), separated by commas; unset = none."`
	TrustedProxies []string      `name:"trusted-proxies" env:"CORROSION_TRUSTED_PROXIES" placeholder:"CIDR" help:"Addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas; unset = none."`
	SlowRequest    time.Duration `env:"CORROSION_SLOW_REQUEST" default:"5s" help:"Requests that take this long stand in the log as slow; 0s = none."`
	SlowQuery      time.Duration `env:"CORROSION_SLOW_QUERY" default:"1s" help:"Queries of the stores that take this long stand in the log by name, without their values; 0s = none."`
}

// apply puts the settings into the server's.
func (l listening) apply(config *api.Config) error {
	config.Listen, config.CORSOrigins, config.SlowRequest = l.Listen, l.CORSOrigins, l.SlowRequest
	for _, text := range l.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, addressErr := netip.ParseAddr(text)
			if addressErr != nil {
				return fmt.Errorf("--trusted-proxies: %q is neither an address nor a network like 10.0.0.0/8", text)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		config.TrustedProxies = append(config.TrustedProxies, prefix)
	}
	return nil
}

// check finds settings that make no sense.
func (l listening) check() error {
	config := api.DefaultConfig()
	faults := []error{l.apply(&config)}
	if _, _, err := net.SplitHostPort(l.Listen); err != nil {
		faults = append(faults, fmt.Errorf("--listen %q: want host:port", l.Listen))
	}
	if l.SlowQuery < 0 {
		faults = append(faults, errors.New("--slow-query must not be negative"))
	}
	return errors.Join(append(faults, config.Validate())...)
}

// exportFlags are the settings of export jobs.
type exportFlags struct {
	ExportDir             string `env:"CORROSION_EXPORT_DIR" help:"Files of export jobs; unset = exports in the data directory. API processes that share it serve each other's files."`
	ExportMaxBytes        int64  `env:"CORROSION_EXPORT_MAX_BYTES" default:"53687091200" help:"Bytes that files of export jobs take at most."`
	ExportLicenseMaxBytes int64  `env:"CORROSION_EXPORT_LICENSE_MAX_BYTES" default:"10737418240" help:"Bytes that those of one license take at most."`
}

func (f exportFlags) config(data string) exportjob.Config {
	dir := f.ExportDir
	if dir == "" {
		dir = filepath.Join(data, "exports")
	}
	config := exportjob.DefaultConfig(dir)
	config.MaxBytes, config.MaxLicenseBytes = f.ExportMaxBytes, f.ExportLicenseMaxBytes
	return config
}

// Run serves the API until the first signal.
func (c *apiCommand) Run(e *env) (err error) {
	needs := []*string{&c.ClickHouseURL, &c.PostgresURL}
	if c.NATSCalloutKeyFile != "" {
		needs = append(needs, &c.NATSURL)
	}
	if err := errors.Join(c.require(needs...), c.listening.check()); err != nil {
		return err
	}
	if c.Drain < 0 || c.Drain > mostDrain {
		return fmt.Errorf("--drain %s: want 0s to %s", c.Drain, mostDrain)
	}
	r := newRoles(c.services, c.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	return e.untilStopped(func() error { return c.open(e, r) })
}

func (c *apiCommand) open(e *env, r *roles) error {
	r.slowFrom = c.SlowQuery
	if err := r.openPostgres(e.ctx); err != nil {
		return err
	}
	if err := r.admitNATS(c.natsLogins, nil, nil); err != nil {
		return err
	}
	if err := r.openClickHouse(e.ctx); err != nil {
		return err
	}
	url, err := r.startAPI(apiSettings{
		keyFile: c.path(c.Data), listening: c.listening, accountFlags: c.accountFlags, earlyFlags: c.earlyFlags, files: c.exportFlags.config(c.Data),
		modules: c.moduleFlags, agents: c.agentFlags, replicas: c.StreamReplicas, quotas: c.quotas(), drain: c.Drain, demo: c.Demo,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "corrosion api is ready: %s\n  stop with Ctrl-C\n", url)
	return nil
}

// apiSettings is what startAPI needs to know.
type apiSettings struct {
	keyFile string
	listening
	accountFlags
	earlyFlags
	files   exportjob.Config
	modules moduleFlags
	agents  agentFlags
	// replicas are the copies of the stream of commands.
	replicas int
	quotas   schema.Quotas
	drain    time.Duration
	demo     bool
}

// mostDrain leaves an orderly stop time for the rest of its work.
const mostDrain = stopLimit / 2

// listen binds before links are made: they begin with the address, whose port is only then known where it is 0.
func (r *roles) listen(l *listening) (net.Listener, error) {
	host, _, err := net.SplitHostPort(l.Listen)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", l.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	// The server closes it first, unless it was never made.
	r.onClose("listener", func(context.Context) error { _ = listener.Close(); return nil })
	l.Listen = net.JoinHostPort(host, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	return listener, nil
}

// startAPI listens and serves until close; it returns the URL.
func (r *roles) startAPI(s apiSettings) (string, error) {
	listener, err := r.listen(&s.listening)
	if err != nil {
		return "", err
	}
	keys, err := auth.LoadOrCreateKeys(s.keyFile)
	if err != nil {
		return "", err
	}
	exports := encode.DefaultConfig()
	exports.URL = r.ClickHouseHTTPURL
	exporter, err := encode.New(exports)
	if err != nil {
		return "", err
	}
	r.onClose("exporter", func(context.Context) error { exporter.Close(); return nil })
	jobs, err := exportjob.New(s.files, exportjob.Deps{Pool: r.pool, Exporter: exporter, Cursor: api.ExportJobCursor(keys), Logger: r.log})
	if err != nil {
		return "", err
	}
	jobs.Start()
	r.onClose("export jobs", func(context.Context) error { jobs.Close(); return nil })
	people, err := r.startPeople(keys, s.accountFlags, s.earlyFlags, s.listening)
	if err != nil {
		return "", err
	}
	written := registry.New(r.pool, r.clickhouse, time.Now)
	hub, err := r.startLive(written)
	if err != nil {
		return "", err
	}
	erasures, err := r.startErasures()
	if err != nil {
		return "", err
	}
	config := api.DefaultConfig()
	if err := s.listening.apply(&config); err != nil {
		return "", err
	}
	config.PublicURL = s.PublicURL
	questions := query.DefaultConfig()
	questions.OnQuery = func(ctx context.Context, statement string, took time.Duration, err error) {
		r.slow().note(ctx, "clickhouse", statement, took, err)
	}
	deps := api.Deps{
		Queries: query.New(r.clickhouse, questions, time.Now), Live: hub,
		Registry: written, Events: events.New(r.pool, r.clickhouse, time.Now),
		Exporter: exporter, Keys: keys, Licenses: r.book, Accounts: people.accounts, EarlyAccess: people.early, Erasures: erasures, Archives: archive.New(r.pool, exporter),
		ExportJobs: jobs, Quotas: quotaBook{r.book, s.quotas},
		Listener: listener, Readiness: r.readiness(), Gatherer: r.registry, Registerer: r.registry, Logger: r.log,
	}
	if err := r.startModules(context.Background(), keys, s.modules, s.accountFlags.config(s.listening).PublicURL, &deps); err != nil {
		return "", err
	}
	if deps.Installations, err = r.startInstallations(s.agents, s.replicas, deps.Modules, hub); err != nil {
		return "", err
	}
	deps.Limits = ratestore.New(r.book.queries)
	deps.Idempotency = idempotency.New(r.book.queries, keys, time.Now)
	if deps.Platform, deps.DeadLetters, err = r.openPlatform(s.quotas); err != nil {
		return "", err
	}
	if pages, built := dashboards.Web(); built {
		deps.Static = pages
	} else {
		r.log.Warn("the dashboard was not built into this binary: run `make build`")
	}
	if s.demo {
		license := uuid.MustParse(account.DemoLicense)
		deps.Demo = &license
	}
	server, err := api.New(config, deps)
	if err != nil {
		return "", err
	}
	if err := server.Open(); err != nil {
		return "", err
	}
	r.onClose("api", func(ctx context.Context) error { server.Drain(ctx, s.drain); return server.Close() })
	return "http://" + server.Addr().String(), nil
}

// readiness is what /readyz waits for in this process.
func (r *roles) readiness() []api.Readiness {
	checks := []api.Readiness{
		func(ctx context.Context) (string, error) { return "postgres", unreachable(r.pool.Ping(ctx)) },
	}
	if r.clickhouse != nil { // an ingester alone has connections of its own, and says how they are
		checks = append(checks, func(ctx context.Context) (string, error) { return "clickhouse", unreachable(r.clickhouse.Ping(ctx)) })
	}
	if r.ingester != nil {
		checks = append(checks, func(context.Context) (string, error) {
			var reasons []error
			for _, reason := range r.ingester.Health().Reasons {
				reasons = append(reasons, errors.New(reason))
			}
			return "ingest", errors.Join(reasons...)
		})
	}
	if r.aggregator != nil {
		checks = append(checks, func(context.Context) (string, error) {
			var reasons []error
			for _, reason := range r.aggregator.Health().Reasons {
				reasons = append(reasons, errors.New(reason))
			}
			return "aggregator", errors.Join(reasons...)
		})
	}
	return checks
}

// unreachable hides a driver's text, which may hold addresses, from the public answer.
func unreachable(err error) error {
	if err == nil {
		return nil
	}
	return errors.New("does not answer")
}

// Status tells whether a license may ask the API.
func (b licenseBook) Status(ctx context.Context, id uuid.UUID) (api.LicenseStatus, error) {
	license, known, err := b.find(ctx, id)
	switch {
	case err != nil:
		return api.LicenseUnknown, err
	case !known:
		return api.LicenseUnknown, nil
	case license.SuspendedAt != nil:
		return api.LicenseSuspended, nil
	}
	return api.LicenseActive, nil
}
