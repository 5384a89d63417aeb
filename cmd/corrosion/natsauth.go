package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"corrosion/api/natsauth"
	"corrosion/deploy/local"
	"corrosion/schema/connect"
)

// natsLogins say how game servers and agents are admitted to a NATS of the operator's own.
type natsLogins struct {
	NATSCalloutKeyFile string        `name:"nats-callout-key-file" env:"CORROSION_NATS_CALLOUT_KEY_FILE" help:"Keys that 'corrosion nats config' made: answer the logins of the NATS at --nats-url. Unset = its users are set up by hand."`
	NATSLoginLifetime  time.Duration `name:"nats-login-lifetime" env:"CORROSION_NATS_LOGIN_LIFETIME" default:"12h" help:"After how long a connection to that NATS must log in again; at least 1m."`
}

// check refuses keys without the server that they are for.
func (l natsLogins) check(natsURL string) error {
	if l.NATSCalloutKeyFile != "" && natsURL == "" {
		return errors.New("--nats-callout-key-file is for a NATS of your own: give --nats-url too")
	}
	return nil
}

// natsGate asks the platform's gate, which comes up after the local NATS.
type natsGate struct{ gate atomic.Pointer[natsauth.Gate] }

// check is the local NATS's question about each connection that is not the platform's.
func (g *natsGate) check(login local.Login) (*local.Grant, bool) {
	gate := g.gate.Load()
	if gate == nil {
		return nil, true // cannot tell yet: the client tries again
	}
	decision := gate.Decide(context.Background(), natsauth.Login(login))
	if decision.Verdict != natsauth.Admitted {
		return nil, decision.Verdict == natsauth.Later
	}
	return &local.Grant{Name: decision.Name, Permissions: local.Permissions{
		PublishAllow: decision.Rights.Publish, SubscribeAllow: decision.Rights.Subscribe,
		Responses: decision.Rights.Responses, ResponseTTL: decision.Rights.ResponseFor,
	}}, true
}

// localConnections are those of the NATS in this process.
type localConnections struct{ nats *local.NATS }

// List gives all live connections.
func (l localConnections) List(context.Context) ([]natsauth.Connection, error) {
	live, err := l.nats.Connections()
	found := make([]natsauth.Connection, 0, len(live))
	for _, c := range live {
		found = append(found, natsauth.Connection{ID: c.ID, User: c.User})
	}
	return found, err
}

// Kick ends one.
func (l localConnections) Kick(_ context.Context, connection natsauth.Connection) error {
	l.nats.Disconnect(connection.ID)
	return nil
}

// admitNATS judges logins until close: at the local NATS through gate, or at one of the operator's own that asks.
func (r *roles) admitNATS(logins natsLogins, hook *natsGate, embedded *local.NATS) error {
	if embedded == nil && logins.NATSCalloutKeyFile == "" {
		return nil
	}
	var subjects natsauth.Subjects
	if embedded != nil {
		subjects = func() (int64, int64) { v := embedded.Violations(); return v.Publish, v.Subscribe }
	}
	metrics := natsauth.NewMetrics(subjects)
	if err := r.registry.Register(metrics); err != nil {
		return fmt.Errorf("register metrics of NATS logins: %w", err)
	}
	gate, err := natsauth.NewGate(natsauth.DefaultGateConfig(), natsauth.GateDeps{Store: r.book.queries, Metrics: metrics, Logger: r.log})
	if err != nil {
		return err
	}
	var connections natsauth.Connections = localConnections{embedded}
	if embedded == nil {
		if connections, err = r.startCallout(logins, gate, metrics); err != nil {
			return err
		}
	}
	warden, err := natsauth.StartWarden(natsauth.DefaultWardenConfig(), natsauth.WardenDeps{
		Pool: r.pool, Store: r.book.queries, Gate: gate, Connections: connections, Metrics: metrics, Logger: r.log,
	})
	if err != nil {
		return err
	}
	r.onClose("NATS warden", func(context.Context) error { warden.Close(); return nil })
	if embedded != nil {
		hook.gate.Store(gate)
	}
	return nil
}

// startCallout answers the logins of the NATS at the URL until close.
func (r *roles) startCallout(logins natsLogins, gate *natsauth.Gate, metrics *natsauth.Metrics) (natsauth.Connections, error) {
	keys, err := natsauth.LoadKeys(logins.NATSCalloutKeyFile)
	if err != nil {
		return nil, err
	}
	hosts, err := connect.WithoutLogin(r.NATSURL) // the keys name other users
	if err != nil {
		return nil, err
	}
	platform, err := r.connectNATS(hosts, "corrosion-logins", keys.PlatformUser, keys.PlatformPassword)
	if err != nil {
		return nil, err
	}
	system, err := r.connectNATS(hosts, "corrosion-warden", keys.SystemUser, keys.SystemPassword)
	if err != nil {
		return nil, err
	}
	connections := natsauth.NewSystemConnections(system, keys.Account)
	config := natsauth.DefaultCalloutConfig()
	config.Lifetime = logins.NATSLoginLifetime
	callout, err := natsauth.StartCallout(config, natsauth.CalloutDeps{
		Conn: platform, Keys: keys, Gate: gate, Connections: connections, Metrics: metrics, Logger: r.log,
	})
	if err != nil {
		return nil, err
	}
	r.onClose("NATS logins", func(context.Context) error { return callout.Close() })
	return connections, nil
}

// connectNATS keeps one connection until close, and tries for ever: NATS may come later than we do.
func (r *roles) connectNATS(hosts, name, user, password string) (*nats.Conn, error) {
	log := r.log.With("connection", name)
	conn, err := connect.NATS(hosts, nats.Name(name), nats.UserInfo(user, password), nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.ReconnectWait(500*time.Millisecond),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("NATS is away; trying again", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("NATS is back") }),
		nats.ErrorHandler(reportNATS(log)))
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	r.onClose(name, func(context.Context) error { conn.Close(); return nil })
	return conn, nil
}

func reportNATS(log *slog.Logger) nats.ErrHandler {
	return func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS says", "error", err) }
}
