package main

import (
	"context"
	"errors"
	"fmt"

	"corrosion/aggregator"
)

type aggregateCommand struct {
	services
	logging
	probing
}

// Run keeps rollups equal to their rows, and runs the platform's jobs, until the first signal.
func (c *aggregateCommand) Run(e *env) (err error) {
	if err := c.require(&c.ClickHouseURL, &c.PostgresURL); err != nil {
		return err
	}
	r := newRoles(c.services, c.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	return e.untilStopped(func() error {
		if err := r.openPostgres(e.ctx); err != nil {
			return err
		}
		if err := r.dialClickHouse(); err != nil {
			return err
		}
		if err := r.startAggregator(); err != nil {
			return err
		}
		if err := r.startProbes(e.ctx, c.ProbeListen); err != nil {
			return err
		}
		fmt.Fprintln(e.stderr, "aggregating; stop with Ctrl-C")
		return nil
	})
}

// newAggregator knows every job of the platform.
func (r *roles) newAggregator() (*aggregator.Aggregator, error) {
	config := aggregator.DefaultConfig()
	config.PostgresURL = r.PostgresURL
	return aggregator.New(config, aggregator.Deps{Postgres: r.pool, ClickHouse: r.clickhouse, Registerer: r.registry, Logger: r.log})
}

// startAggregator runs jobs until close.
func (r *roles) startAggregator() error {
	a, err := r.newAggregator()
	if err != nil {
		return err
	}
	if err := a.Start(); err != nil {
		return err
	}
	r.aggregator = a
	r.onClose("aggregator", func(context.Context) error { return a.Close() })
	return nil
}
