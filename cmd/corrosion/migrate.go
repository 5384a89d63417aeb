package main

import (
	"fmt"

	"corrosion/schema"
)

type migrateCommand struct {
	services
}

// Run applies both schemas.
func (c *migrateCommand) Run(e *env) error {
	if err := c.find(&c.ClickHouseURL, &c.PostgresURL); err != nil {
		return err
	}
	applied, err := schema.Migrate(e.ctx, c.ClickHouseURL, c.PostgresURL)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d migrations applied; both stores have the newest schema\n", applied)
	return nil
}
