package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/installation"
	"corrosion/api/live"
	"corrosion/api/module"
)

// startInstallations sends commands to agents and hears them until close.
func (r *roles) startInstallations(f agentFlags, replicas int, modules *module.Catalogue, hub *live.Hub) (*installation.Manager, error) {
	keys, err := auth.LoadOrCreateKeys(f.keyFile(r.Data))
	if err != nil {
		return nil, err
	}
	url, err := f.natsURL(r.NATSURL)
	if err != nil {
		return nil, err
	}
	if r.NATSURL == "" {
		r.log.Warn("no NATS: commands to agents are sent by other processes; give --nats-url")
	}
	deps := installation.Deps{
		Pool: r.pool, Catalogue: moduleCatalogue{modules}, Signer: keys, NATSURL: r.NATSURL, AgentNATSURL: url,
		Stats: installation.ClickHouseStats{Conn: r.clickhouse}, Registerer: r.registry, Logger: r.log,
	}
	if hub != nil {
		deps.Changed, deps.Missed = announce(hub, r.log), hub.Missed
	}
	config := installation.DefaultConfig()
	config.Replicas = replicas
	manager, err := installation.New(config, deps)
	if err != nil {
		return nil, err
	}
	if err := manager.Start(); err != nil {
		return nil, err
	}
	r.onClose("installations", func(context.Context) error { manager.Close(); return nil })
	return manager, nil
}

// announce puts what becomes of installations into the live streams of their licenses.
func announce(hub *live.Hub, log *slog.Logger) func(uuid.UUID, installation.Transition) {
	return func(license uuid.UUID, now installation.Transition) {
		data, err := json.Marshal(now)
		if err != nil {
			log.Error("encode an installation for live streams", "error", err)
			return
		}
		hub.Announce(live.Notice{License: license, Server: now.Server, Event: "installation", Data: data})
	}
}

// moduleCatalogue is what installations ask of the catalogue.
type moduleCatalogue struct{ modules *module.Catalogue }

// Owned implements installation.Catalogue.
func (c moduleCatalogue) Owned(ctx context.Context, license uuid.UUID, slug string) (bool, error) {
	return c.modules.Owned(ctx, license, slug)
}

// Release implements installation.Catalogue.
func (c moduleCatalogue) Release(ctx context.Context, slug, number string) (installation.Release, error) {
	v, err := c.modules.Version(ctx, slug, number)
	if errors.Is(err, module.ErrUnknown) {
		return installation.Release{}, installation.ErrNoModule
	}
	if err != nil {
		return installation.Release{}, err
	}
	release := installation.Release{Module: v.Module, Version: v.Version, File: v.File, SHA256: v.SHA256, Size: v.Size}
	for _, need := range v.Dependencies {
		release.Needs = append(release.Needs, installation.Need{Module: need.Module, MinVersion: need.MinVersion})
	}
	return release, nil
}

// Link implements installation.Catalogue.
func (c moduleCatalogue) Link(ctx context.Context, slug, number string, until time.Time) (string, error) {
	v, err := c.modules.Version(ctx, slug, number)
	if errors.Is(err, module.ErrUnknown) {
		return "", installation.ErrNoModule
	}
	if err != nil {
		return "", err
	}
	url, err := c.modules.Link(v, until)
	if err != nil {
		return "", fmt.Errorf("link to the file: %w", err)
	}
	return url, nil
}

// installedOn tells the catalogue where a license has its modules.
func (r *roles) installedOn(ctx context.Context, license uuid.UUID) (map[string][]string, error) {
	return installation.InstalledOn(ctx, r.book.queries, license)
}
