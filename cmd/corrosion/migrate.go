package main

import (
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
)

type migrateCommand struct {
	services
	retention
}

// Run applies both schemas, and a retention that is longer than the tables have; a shorter one it refuses.
func (c *migrateCommand) Run(e *env) error {
	if err := c.retention.validate(); err != nil {
		return err
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
