package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corrosion/api/account"
	"corrosion/deploy/local"
	"corrosion/schema"
)

type serveCommand struct {
	services
	logging
	memory
	retention
	jwtKeys
	ingestFlags
	listening
	exportFlags
	moduleFlags
	agentFlags
	accountFlags
	earlyFlags
	natsLogins
	Demo bool `help:"Add a demo network of 50 servers with 30 days of history."`
}

// Run serves until the first signal; then everything stops in order.
func (c *serveCommand) Run(e *env) (err error) {
	if err := errors.Join(c.retention.validate(), c.natsLogins.check(c.NATSURL), c.memory.apply(), c.listening.check()); err != nil {
		return err
	}
	r := newRoles(c.services, c.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	if err := e.untilStopped(func() error { return c.open(e, r) }); err != nil {
		return err
	}
	fmt.Fprintln(e.stderr, "stopping: what is in hand is stored first; a second signal skips the waiting")
	return nil
}

func (c *serveCommand) open(e *env, r *roles) error {
	begun := time.Now()
	stack, err := c.startServices(e, r)
	if err != nil {
		return err
	}
	if err := c.migrate(e, r); err != nil {
		return err
	}
	r.slowFrom = c.SlowQuery
	if err := r.openPostgres(e.ctx); err != nil {
		return err
	}
	if err := r.admitNATS(c.natsLogins, stack.gate, stack.NATS()); err != nil {
		return err
	}
	if err := r.openClickHouse(e.ctx); err != nil {
		return err
	}
	if err := c.retention.lengthen(e.ctx, r.clickhouse); errors.Is(err, errShrinks) {
		r.log.Warn("the retention stays as the tables have it", "error", err)
	} else if err != nil {
		return err
	}
	if err := syncSQLAccess(e.ctx, r, c.Data); err != nil {
		return err
	}
	if c.Demo {
		if _, err := account.EnsureDemo(e.ctx, r.pool); err != nil {
			return err
		}
	}
	if err := r.startIngest(e.ctx, c.ingestFlags); err != nil {
		return err
	}
	if err := r.startAggregator(); err != nil {
		return err
	}
	url, err := r.startAPI(apiSettings{
		keyFile: c.path(c.Data), listening: c.listening, accountFlags: c.accountFlags, earlyFlags: c.earlyFlags, files: c.exportFlags.config(c.Data),
		modules: c.moduleFlags, agents: c.agentFlags, replicas: c.StreamReplicas, quotas: c.quotas(), demo: c.Demo,
	})
	if err != nil {
		return err
	}
	if err := stack.WriteEndpoints(url); err != nil {
		return err
	}
	if c.Demo {
		c.startDemo(e, r)
	}
	fmt.Fprintf(e.stderr, "corrosion is ready after %.1f s: %s\n  data, endpoints.json and logs: %s\n  stop with Ctrl-C\n", time.Since(begun).Seconds(), url, c.Data)
	return nil
}

// gatedStack is the local services with the gate that their NATS asks.
type gatedStack struct {
	*local.Stack
	gate *natsGate
}

// startServices starts what has no URL and fills the URLs in.
func (c *serveCommand) startServices(e *env, r *roles) (gatedStack, error) {
	gate := &natsGate{}
	config := local.DefaultConfig()
	config.DataDir = c.Data
	config.NATSURL, config.ClickHouseURL, config.ClickHouseHTTPURL, config.PostgresURL = c.NATSURL, c.ClickHouseURL, c.ClickHouseHTTPURL, c.PostgresURL
	config.Authenticate = gate.check
	config.Logger = r.log
	config.Progress = func(event local.Event) {
		if event.Phase == "ready" || event.Phase == "stopped" || event.Phase == "failed" {
			fmt.Fprintf(e.stderr, "%-10s %s in %.1f s\n", event.Service, event.Phase, event.Elapsed.Seconds())
		}
	}
	stack, err := local.Start(e.ctx, config)
	if err != nil {
		return gatedStack{}, err
	}
	r.onClose("local services", stack.Close)
	found := stack.Endpoints()
	r.NATSURL, r.ClickHouseURL, r.ClickHouseHTTPURL, r.PostgresURL = found.NATS, found.ClickHouseNative, found.ClickHouseHTTP, found.Postgres
	return gatedStack{stack, gate}, nil
}

func (c *serveCommand) migrate(e *env, r *roles) error {
	applied, err := schema.Migrate(e.ctx, r.ClickHouseURL, r.PostgresURL)
	if err != nil {
		return err
	}
	if applied > 0 {
		fmt.Fprintf(e.stderr, "%-10s %d migrations applied\n", "schema", applied)
	}
	return nil
}

// startDemo fills and feeds the demo network in the background.
func (c *serveCommand) startDemo(e *env, r *roles) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with cancel
		defer close(done)
		if err := runDemo(ctx, e, r); err != nil && ctx.Err() == nil {
			r.log.Error("the demo network stopped; start again to continue it", "error", err)
		}
	}()
	r.onClose("demo", func(context.Context) error { cancel(); <-done; return nil })
}
