package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/installation"
)

type natsRotateCommand struct {
	services
	License string        `required:"" help:"Whose game servers."`
	Overlap time.Duration `default:"0s" help:"How long the old password goes on beside the new one; 0s = its connections end now."`
}

// Run rotates and prints what is shown only now.
func (c *natsRotateCommand) Run(e *env) error {
	return c.withLicense(e, c.License, func(pool *pgxpool.Pool, license uuid.UUID) error {
		made, err := account.RotateNATS(e.ctx, pool, license, c.Overlap)
		if err != nil {
			return err
		}
		return printCredentials(e, made)
	})
}

type agentUserCommand struct {
	Create agentUserCreateCommand `cmd:"" help:"Make the NATS user of one server's agent; prints it as JSON, once."`
	Revoke agentUserRevokeCommand `cmd:"" help:"Take it away; its connections end."`
}

type agentUserCreateCommand struct {
	services
	agentFlags
	License  string `required:"" help:"The license of the server."`
	ServerID string `required:"" help:"The server that the agent runs beside."`
	Out      string `help:"File to write, mode 0600, instead of printing; it must not be there."`
}

// Run makes the user and prints what is shown only now: the agent's file of credentials.
func (c *agentUserCreateCommand) Run(e *env) error {
	return c.withLicense(e, c.License, func(pool *pgxpool.Pool, license uuid.UUID) error {
		keys, err := auth.LoadOrCreateKeys(c.keyFile(c.Data))
		if err != nil {
			return err
		}
		url, err := c.natsURL(c.NATSURL)
		if err != nil {
			return err
		}
		out := e.stdout
		if c.Out != "" {
			file, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fmt.Errorf("write credentials: %w", err)
			}
			defer file.Close()
			out = file
		}
		made, err := installation.Enrol(e.ctx, pool, keys, url, license, c.ServerID)
		if err != nil {
			return err
		}
		text := json.NewEncoder(out)
		text.SetIndent("", "  ")
		return text.Encode(made)
	})
}

type agentUserRevokeCommand struct {
	services
	License  string `required:"" help:"The license of the server."`
	ServerID string `required:"" help:"The server that the agent runs beside."`
}

// Run takes the user away.
func (c *agentUserRevokeCommand) Run(e *env) error {
	return c.withLicense(e, c.License, func(pool *pgxpool.Pool, license uuid.UUID) error {
		if err := account.RevokeAgentUser(e.ctx, pool, license, c.ServerID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(e.stderr, "the agent of %s may connect no longer\n", c.ServerID)
		return err
	})
}

// withLicense opens Postgres for what is done to one license.
func (s *services) withLicense(e *env, id string, do func(*pgxpool.Pool, uuid.UUID) error) error {
	license, err := uuid.Parse(id)
	if err != nil {
		return fmt.Errorf("--license %q is not a UUID", id)
	}
	if err := s.find(&s.PostgresURL); err != nil {
		return err
	}
	pool, err := s.openPool(e.ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(pool, license)
}

func printCredentials(e *env, made account.NATSCredentials) error {
	out := json.NewEncoder(e.stdout)
	out.SetIndent("", "  ")
	return out.Encode(made)
}
