package api

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/account"
	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/module"
	"corrosion/api/query"
	"corrosion/api/ratestore"
	"corrosion/api/registry"
	"corrosion/api/store"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// openBench serves the API on real stores with the limits of every day, but for how many requests they allow.
func openBench(postgres, clickhouseURL string, keys *auth.Keys) (*Server, benchPlaces, error) {
	var places benchPlaces
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, postgres)
	if err != nil {
		return nil, places, err
	}
	options, err := clickhouse.ParseDSN(clickhouseURL)
	if err != nil {
		return nil, places, err
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, places, err
	}
	hasher, err := auth.NewHasher(cheap())
	if err != nil {
		return nil, places, err
	}
	people, err := account.NewService(account.DefaultConfig(), account.Deps{Store: store.New(pool), Keys: keys, Hasher: hasher})
	if err != nil {
		return nil, places, err
	}
	files := encode.DefaultConfig()
	files.URL = unreachable
	exporter, err := encode.New(files)
	if err != nil {
		return nil, places, err
	}
	catalogue, err := benchCatalogue(ctx, pool, keys)
	if err != nil {
		return nil, places, err
	}
	registerer := prometheus.NewRegistry()
	cfg := DefaultConfig()
	plenty := Quota{Requests: 100_000_000, Window: time.Minute}
	cfg.Listen, cfg.TokenQuota, cfg.LicenseQuota, cfg.AddressQuota = "127.0.0.1:0", plenty, plenty, plenty
	server, err := New(cfg, Deps{
		Queries: query.New(conn, query.DefaultConfig(), time.Now), Registry: registry.New(pool, conn, time.Now), Events: struct{ Events }{},
		Exporter: exporter, Keys: keys, Licenses: fakeLicenses{ourLicense: LicenseActive}, Quotas: fakeQuotas(schema.DefaultQuotas()),
		Modules: catalogue, Purchases: struct{ Purchases }{}, Accounts: people, Limits: ratestore.New(pg.New(pool)), Gatherer: registerer, Registerer: registerer, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, places, err
	}
	if err := server.Open(); err != nil {
		return nil, places, err
	}
	places.API = "http://" + server.Addr().String()
	if places.License, err = keys.Issue(auth.Identity{Subject: "bench", License: ourLicense, Role: auth.Viewer}, time.Now(), time.Hour); err != nil {
		return nil, places, err
	}
	places.Person, err = benchPerson(ctx, people)
	return server, places, err
}

// benchCatalogue is the catalogue with what every platform has.
func benchCatalogue(ctx context.Context, pool *pgxpool.Pool, keys *auth.Keys) (*module.Catalogue, error) {
	dir, err := os.MkdirTemp("", "corrosion-bench-")
	if err != nil {
		return nil, err
	}
	files, err := module.NewFiles(dir)
	if err != nil {
		return nil, err
	}
	catalogue, err := module.New(module.Deps{Store: store.New(pool), Files: files, Keys: keys})
	if err != nil {
		return nil, err
	}
	return catalogue, catalogue.Seed(ctx)
}

// benchPerson signs somebody in.
func benchPerson(ctx context.Context, people *account.Service) (token string, err error) {
	email, err := account.ParseEmail("bench@example.org")
	if err != nil {
		return "", err
	}
	from := audit.Origin{Address: "127.0.0.1"}
	if err := people.Register(ctx, account.Registration{Email: email, Password: goodPassword, Origin: from}); err != nil {
		return "", err
	}
	grant, err := people.Login(ctx, account.Login{Email: email, Password: goodPassword, Origin: from})
	if err != nil {
		return "", err
	}
	return grant.AccessToken, nil
}
