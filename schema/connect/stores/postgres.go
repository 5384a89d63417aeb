package stores

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"corrosion/schema/connect"
)

var errPostgresURL = errors.New("the Postgres URL cannot be read: want postgres://user:password@host:5432/corrosion, with sslmode=verify-full for TLS")

// PostgresPool makes a pool; connections open when they are needed, each with what the URL's files say then. change may
// alter the settings before; nil: none.
func PostgresPool(ctx context.Context, raw string, change func(*pgxpool.Config)) (*pgxpool.Pool, error) {
	base, files, err := postgresURL(raw)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(base)
	if err != nil {
		return nil, errPostgresURL // the error may show the password
	}
	config.BeforeConnect = rereading(base, files)
	if change != nil {
		change(config)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open Postgres: %w", err)
	}
	return pool, nil
}

// PostgresConn opens one connection.
func PostgresConn(ctx context.Context, raw string) (*pgx.Conn, error) {
	config, err := PostgresConfig(raw)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// PostgresConfig reads a URL, postgres:// or postgresql://, and its files as they are now.
func PostgresConfig(raw string) (*pgx.ConnConfig, error) {
	base, files, err := postgresURL(raw)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(base)
	if err != nil {
		return nil, errPostgresURL // the error may show the password
	}
	if password, ok, err := files.Secret(); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	} else if ok {
		config.Password = password
	}
	return config, nil
}

// PostgresDB is for libraries that want database/sql.
func PostgresDB(raw string) (*sql.DB, error) {
	base, files, err := postgresURL(raw)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(base)
	if err != nil {
		return nil, errPostgresURL // the error may show the password
	}
	return stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(rereading(base, files))), nil
}

// rereading brings a connection's settings to what the files say at that moment.
func rereading(base string, files connect.Files) func(context.Context, *pgx.ConnConfig) error {
	return func(_ context.Context, config *pgx.ConnConfig) error {
		fresh, err := pgx.ParseConfig(base) // reads the certificates
		if err != nil {
			return errPostgresURL
		}
		password, ok, err := files.Secret()
		if err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
		if ok {
			config.Password = password
		}
		config.TLSConfig, config.Fallbacks = fresh.TLSConfig, fresh.Fallbacks
		return nil
	}
}

// postgresURL turns files for TLS into libpq's parameters, which pgx reads.
func postgresURL(raw string) (base string, files connect.Files, err error) {
	base, files, err = connect.Split(raw)
	if err != nil {
		return "", files, fmt.Errorf("postgres: %w", err)
	}
	scheme, _, _ := strings.Cut(base, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return "", files, errPostgresURL
	}
	front, query, _ := strings.Cut(base, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", files, errPostgresURL
	}
	if files.Secure() && !values.Has("sslmode") {
		values.Set("sslmode", "verify-full")
	}
	for name, file := range map[string]string{"sslrootcert": files.CA, "sslcert": files.Cert, "sslkey": files.Key} {
		if file != "" {
			values.Set(name, file)
		}
	}
	if len(values) > 0 {
		front += "?" + values.Encode()
	}
	return front, files, nil
}
