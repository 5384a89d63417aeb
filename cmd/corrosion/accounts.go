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
	"corrosion/schema/connect"
)

// accountFlags are the settings of people's accounts.
type accountFlags struct {
	SMTPURL          string `name:"smtp-url" env:"CORROSION_SMTP_URL" help:"Mail server (smtp://user:password@host:587?from=a@example.org, or smtps://); unset = links are given to administrators, never sent."`
	SMTPPasswordFile string `name:"smtp-password-file" env:"CORROSION_SMTP_PASSWORD_FILE" help:"Password of the user in --smtp-url, read again for each mail."`
	PublicURL        string `name:"public-url" env:"CORROSION_PUBLIC_URL" help:"Where people reach the dashboard, for links in mails; https also keeps cookies encrypted. Unset = http:// and the listening address."`
	Registration     string `env:"CORROSION_REGISTRATION" default:"open" enum:"open,closed" help:"Whether strangers may make accounts: ${enum}."`
}

// mailServer is where mail goes out; nil = nowhere.
func (a accountFlags) mailServer() (*mail.SMTPConfig, error) {
	server := a.SMTPURL
	if err := joinFiles("smtp", connect.Files{Password: a.SMTPPasswordFile}, &server); err != nil || server == "" {
		return nil, err
	}
	config, err := mail.ParseURL(server)
	if err != nil {
		return nil, fmt.Errorf("CORROSION_SMTP_URL: %w", err)
	}
	return &config, nil
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
	outbox, err := a.mailServer()
	if err != nil {
		return people{}, err
	}
	if outbox != nil {
		renderers := p.accounts.Renderers()
		maps.Copy(renderers, p.early.Renderers())
		worker, err := r.startMail(stored, renderers, *outbox)
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
func (r *roles) startMail(stored *store.Store, renderers map[string]mail.Renderer, server mail.SMTPConfig) (*mail.Worker, error) {
	sender, err := mail.NewSMTP(server)
	if err != nil {
		return nil, fmt.Errorf("CORROSION_SMTP_URL: %w", err)
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
