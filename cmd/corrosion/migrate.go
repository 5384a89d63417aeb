package main

import (
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
	"corrosion/schema/move"
)

type migrateCommand struct {
	services
	retention
	To string `name:"to" placeholder:"URL" help:"Copy what --clickhouse-url has stored into the cluster of this URL (with ?cluster=NAME): day by day, compared by counts and sums. May be stopped and repeated; the last time with nothing published."`
}

// Run applies both schemas, and a retention that is longer than the tables have; a shorter one it refuses.
func (c *migrateCommand) Run(e *env) error {
	if err := c.retention.validate(); err != nil {
		return err
	}
	if c.To != "" {
		return c.move(e)
	}
	if err := c.find(&c.ClickHouseURL, &c.PostgresURL); err != nil {
		return err
	}
	applied, err := schema.Migrate(e.ctx, c.ClickHouseURL, c.PostgresURL)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d migrations applied; both stores have the newest schema\n", applied)
	return c.withClickHouse(e, func(conn driver.Conn) error { return c.retention.lengthen(e.ctx, conn) })
}

// move brings the cluster to the newest schema and copies into it.
func (c *migrateCommand) move(e *env) error {
	if c.RetentionRaw != nil || c.RetentionHourly != nil {
		return errors.New("--to takes over how long the server keeps its rows: set the retention of the cluster afterwards")
	}
	if err := c.find(&c.ClickHouseURL); err != nil {
		return err
	}
	applied, err := schema.MigrateClickHouse(e.ctx, c.To)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d migrations applied to the cluster\n", applied)
	result, err := move.Move(e.ctx, c.ClickHouseURL, c.To, func(p move.Progress) { fmt.Fprintln(e.stdout, p) })
	if err != nil {
		return fmt.Errorf("copied %d rows of %d partitions, then: %w (run it again to go on)", result.Rows, result.Copied, err)
	}
	fmt.Fprintf(e.stdout, "%d partitions compared, %d copied, %d rows; the cluster has what the server has\n", result.Partitions, result.Copied, result.Rows)
	return nil
}
