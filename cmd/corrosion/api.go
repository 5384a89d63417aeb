package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api"
	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/query"
	"corrosion/dashboards"
	"corrosion/deploy/local"
)

type apiCommand struct {
	services
	logging
	jwtKeys
	listening
	Demo bool `help:"Let the demo network be read without signing in."`
}

// listening is where the API and the dashboard are served.
type listening struct {
	Listen string `env:"CORROSION_LISTEN" default:"127.0.0.1:8080" help:"Address of the API and the dashboard."`
}

// Run serves the API until the first signal.
func (c *apiCommand) Run(e *env) (err error) {
	if err := c.require(&c.ClickHouseURL, &c.PostgresURL); err != nil {
		return err
	}
	r := newRoles(c.services, c.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	if err := r.openPostgres(e.ctx); err != nil {
		return err
	}
	if err := r.openClickHouse(e.ctx); err != nil {
		return err
	}
	if r.ClickHouseHTTPURL == "" {
		r.ClickHouseHTTPURL = local.HTTPFromNative(r.ClickHouseURL)
	}
	url, err := r.startAPI(c.path(c.Data), c.listening, c.Demo)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "corrosion api is ready: %s\n  stop with Ctrl-C\n", url)
	<-e.ctx.Done()
	return nil
}

// startAPI listens and serves until close; it returns the URL.
func (r *roles) startAPI(keyFile string, l listening, demo bool) (string, error) {
	keys, err := auth.LoadOrCreateKeys(keyFile)
	if err != nil {
		return "", err
	}
	files := encode.DefaultConfig()
	files.URL = r.ClickHouseHTTPURL
	exporter, err := encode.New(files)
	if err != nil {
		return "", err
	}
	r.onClose("exporter", func(context.Context) error { exporter.Close(); return nil })
	config := api.DefaultConfig()
	config.Listen = l.Listen
	deps := api.Deps{
		Queries: query.New(r.clickhouse, query.DefaultConfig(), time.Now), Exporter: exporter, Keys: keys, Licenses: r.book,
		Readiness: r.readiness(), Gatherer: r.registry, Registerer: r.registry, Logger: r.log,
	}
	if pages, built := dashboards.Web(); built {
		deps.Static = pages
	} else {
		r.log.Warn("the dashboard was not built into this binary: run `make build`")
	}
	if demo {
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
	r.onClose("api", func(context.Context) error { return server.Close() })
	return "http://" + server.Addr().String(), nil
}

// readiness is what /readyz waits for in this process.
func (r *roles) readiness() []api.Readiness {
	checks := []api.Readiness{
		func(ctx context.Context) (string, error) { return "clickhouse", unreachable(r.clickhouse.Ping(ctx)) },
		func(ctx context.Context) (string, error) { return "postgres", unreachable(r.pool.Ping(ctx)) },
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
