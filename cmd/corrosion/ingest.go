package main

import (
	"errors"
	"fmt"
)

type ingestCommand struct {
	services
	logging
	memory
	ingestFlags
	probing
}

// Run ingests until the first signal; what is in hand then is stored first.
func (c *ingestCommand) Run(e *env) (err error) {
	if err := c.require(&c.NATSURL, &c.ClickHouseURL, &c.PostgresURL); err != nil {
		return err
	}
	if err := c.apply(); err != nil {
		return err
	}
	r := newRoles(c.services, c.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	return e.untilStopped(func() error {
		if err := r.openPostgres(e.ctx); err != nil {
			return err
		}
		if err := r.startIngest(e.ctx, c.ingestFlags); err != nil {
			return err
		}
		if err := r.startProbes(e.ctx, c.ProbeListen); err != nil {
			return err
		}
		fmt.Fprintln(e.stderr, "ingesting; stop with Ctrl-C")
		return nil
	})
}
