package main

import (
	"encoding/json"
	"fmt"

	"corrosion/api/account"
	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/deploy/local"
)

type adminCommand struct {
	Create    adminCreateCommand    `cmd:"" help:"Make a platform administrator; prints a one-time password as JSON, once."`
	ResetLink adminResetLinkCommand `cmd:"" help:"Print the link with which a person sets a new password; hand it over yourself."`
}

type adminCreateCommand struct {
	services
	Email string `required:"" help:"Whom to trust; an account that is there already keeps its password."`
}

// Run makes the administrator and prints what is shown only now.
func (c *adminCreateCommand) Run(e *env) error {
	if err := c.find(&c.PostgresURL); err != nil {
		return err
	}
	pool, err := c.openPool(e.ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	created, err := account.CreateAdmin(e.ctx, pool, c.Email)
	if err != nil {
		return err
	}
	out := json.NewEncoder(e.stdout)
	out.SetIndent("", "  ")
	return out.Encode(created)
}

type adminResetLinkCommand struct {
	services
	jwtKeys
	accountFlags
	listening
	Email string `required:"" help:"Whose password is to be set anew."`
}

// Run prints the link, which works once and for an hour.
func (c *adminResetLinkCommand) Run(e *env) error {
	if err := c.find(&c.PostgresURL); err != nil {
		return err
	}
	if running, err := local.ReadEndpoints(c.Data); err == nil {
		fill(&c.PublicURL, running.HTTP)
	}
	email, err := account.ParseEmail(c.Email)
	if err != nil {
		return fmt.Errorf("--email %q %w", c.Email, err)
	}
	keys, err := auth.LoadOrCreateKeys(c.path(c.Data))
	if err != nil {
		return err
	}
	hasher, err := auth.NewHasher(auth.DefaultHasherConfig())
	if err != nil {
		return err
	}
	pool, err := c.openPool(e.ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	service, err := account.NewService(c.config(c.listening), account.Deps{Store: store.New(pool), Keys: keys, Hasher: hasher})
	if err != nil {
		return err
	}
	link, err := service.ResetLink(e.ctx, email, audit.Event{Actor: "cli"})
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, link)
	return nil
}
