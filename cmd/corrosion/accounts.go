package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/earlyaccess"
	"corrosion/api/mail"
	"corrosion/api/store"
)

// accountFlags are the settings of people's accounts.
type accountFlags struct {
	SMTPURL      string `name:"smtp-url" env:"CORROSION_SMTP_URL" help:"Mail server (smtp://user:password@host:587?from=a@example.org, or smtps://); unset = links are given to administrators, never sent."`
	PublicURL    string `name:"public-url" env:"CORROSION_PUBLIC_URL" help:"Where people reach the dashboard, for links in mails; https also keeps cookies encrypted. Unset = http:// and the listening address."`
	Registration string `env:"CORROSION_REGISTRATION" default:"open" enum:"open,closed" help:"Whether strangers may make accounts: ${enum}."`
}

// config is that of accounts for a server that listens at l.
func (a accountFlags) config(l listening) account.Config {
	config := account.DefaultConfig()
	config.MailEnabled, config.Registration = a.SMTPURL != "", a.Registration != "closed"
	config.PublicURL = a.PublicURL
	if config.PublicURL == "" {
		config.PublicURL = "http://" + l.Listen
	}
	return config
}

// people are the services that know of persons.
type people struct {
	accounts *account.Service
	early    *earlyaccess.Service
}

// startPeople makes the services that know of persons, and what works for them in the background until close.
func (r *roles) startPeople(keys *auth.Keys, a accountFlags, early earlyFlags, l listening) (people, error) {
	hasher, err := auth.NewHasher(auth.DefaultHasherConfig())
	if err != nil {
		return people{}, err
	}
	stored := store.New(r.pool)
	wake := func() {}
	var p people
	config := a.config(l)
	p.accounts, err = account.NewService(config, account.Deps{Store: stored, Keys: keys, Hasher: hasher, Wake: func() { wake() }})
	if err != nil {
		return people{}, err
	}
	p.early, err = earlyaccess.NewService(early.config(config), earlyaccess.Deps{
		Store: stored, Keys: keys, Registerer: r.registry, Wake: func() { wake() },
	})
	if err != nil {
		return people{}, err
	}
	if a.SMTPURL != "" {
		renderers := p.accounts.Renderers()
		maps.Copy(renderers, p.early.Renderers())
		worker, err := r.startMail(stored, renderers, a.SMTPURL)
		if err != nil {
			return people{}, err
		}
		wake = worker.Wake
	}
	r.background("accounts", p.accounts.Run)
	r.background("early access", p.early.Run)
	return p, nil
}

// background runs a loop until close.
func (r *roles) background(name string, run func(context.Context, *slog.Logger)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with cancel
		defer close(done)
		run(ctx, r.log)
	}()
	r.onClose(name, func(context.Context) error { cancel(); <-done; return nil })
}

// startMail sends what stands in the outbox until close.
func (r *roles) startMail(stored *store.Store, renderers map[string]mail.Renderer, smtpURL string) (*mail.Worker, error) {
	config, err := mail.ParseURL(smtpURL)
	if err != nil {
		return nil, fmt.Errorf("CORROSION_SMTP_URL: %w", err)
	}
	sender, err := mail.NewSMTP(config)
	if err != nil {
		return nil, err
	}
	worker, err := mail.NewWorker(mail.DefaultWorkerConfig(), mail.WorkerDeps{
		Store: stored, Sender: sender, Renderers: renderers, Registerer: r.registry, Logger: r.log,
	})
	if err != nil {
		return nil, err
	}
	worker.Open()
	r.onClose("mail", func(context.Context) error { worker.Close(); return nil })
	return worker, nil
}
