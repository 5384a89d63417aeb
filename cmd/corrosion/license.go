package main

import (
	"encoding/json"

	"corrosion/api/account"
)

type licenseCommand struct {
	Create     licenseCreateCommand    `cmd:"" help:"Make a license; prints its id and its NATS user as JSON, once."`
	SQLAccess  licenseSQLAccessCommand `cmd:"" name:"sql-access" help:"Give a license a read-only ClickHouse user that sees its own rows alone."`
	Quota      licenseQuotaCommand     `cmd:"" help:"Show what a license may publish, and set it: a number, 0 for without bound, or default."`
	Suspend    licenseSuspendCommand   `cmd:"" help:"Turn a license away: its NATS connections end, its tokens and keys are refused."`
	Resume     licenseResumeCommand    `cmd:"" help:"End a suspension."`
	Archive    licenseArchiveCommand   `cmd:"" help:"Take everything of a license out, as a ZIP file of NDJSON."`
	NATSRotate natsRotateCommand       `cmd:"" name:"nats-rotate" help:"Give a license's game servers a new NATS password; prints it as JSON, once."`
}

type licenseCreateCommand struct {
	services
	Name  string `required:"" help:"What the license is called."`
	Email string `help:"Its owner; a new account gets a one-time password."`
}

// Run creates the license and prints what is shown only now.
func (c *licenseCreateCommand) Run(e *env) error {
	if err := c.find(&c.PostgresURL); err != nil {
		return err
	}
	pool, err := c.openPool(e.ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	created, err := account.CreateLicense(e.ctx, pool, account.NewLicense{Name: c.Name, Email: c.Email})
	if err != nil {
		return err
	}
	out := json.NewEncoder(e.stdout)
	out.SetIndent("", "  ")
	return out.Encode(created)
}
