package main

import (
	"context"
	"fmt"

	"corrosion/api/account"
	"corrosion/api/auth"
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

// startAccounts makes the service of accounts, and what works for it in the background until close.
func (r *roles) startAccounts(keys *auth.Keys, a accountFlags, l listening) (*account.Service, error) {
	hasher, err := auth.NewHasher(auth.DefaultHasherConfig())
	if err != nil {
		return nil, err
	}
	stored := store.New(r.pool)
	wake := func() {}
	service, err := account.NewService(a.config(l), account.Deps{Store: stored, Keys: keys, Hasher: hasher, Wake: func() { wake() }})
	if err != nil {
		return nil, err
	}
	if a.SMTPURL != "" {
		worker, err := r.startMail(stored, service, a.SMTPURL)
		if err != nil {
			return nil, err
		}
		wake = worker.Wake
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with cancel
		defer close(done)
		service.Run(ctx, r.log)
	}()
	r.onClose("accounts", func(context.Context) error { cancel(); <-done; return nil })
	return service, nil
}

// startMail sends what stands in the outbox until close.
func (r *roles) startMail(stored *store.Store, service *account.Service, smtpURL string) (*mail.Worker, error) {
	config, err := mail.ParseURL(smtpURL)
	if err != nil {
		return nil, fmt.Errorf("CORROSION_SMTP_URL: %w", err)
	}
	sender, err := mail.NewSMTP(config)
	if err != nil {
		return nil, err
	}
	worker, err := mail.NewWorker(mail.DefaultWorkerConfig(), mail.WorkerDeps{
		Store: stored, Sender: sender, Renderers: service.Renderers(), Registerer: r.registry, Logger: r.log,
	})
	if err != nil {
		return nil, err
	}
	worker.Open()
	r.onClose("mail", func(context.Context) error { worker.Close(); return nil })
	return worker, nil
}
