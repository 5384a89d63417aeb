package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"corrosion/deploy/local"
	"corrosion/schema/cluster"
	"corrosion/schema/connect"
	"corrosion/schema/connect/stores"
)

// services says where the stores are; what is empty is started by serve, and found by the other commands through the
// endpoints file of the platform that runs on the data directory.
type services struct {
	Data              string `env:"CORROSION_DATA" default:"./data" help:"Everything that local services and the program keep."`
	NATSURL           string `name:"nats-url" env:"CORROSION_NATS_URL" help:"NATS (nats:// or tls://; several hosts with commas between); unset = local."`
	ClickHouseURL     string `name:"clickhouse-url" env:"CORROSION_CLICKHOUSE_URL" help:"ClickHouse, native protocol (clickhouse://user:password@host:9000/corrosion, with ?secure=true for TLS); unset = local."`
	ClickHouseHTTPURL string `name:"clickhouse-http-url" env:"CORROSION_CLICKHOUSE_HTTP_URL" help:"ClickHouse over HTTP or HTTPS, for exports; unset = port 8123 (with TLS 8443) of the native URL."`
	PostgresURL       string `name:"postgres-url" env:"CORROSION_POSTGRES_URL" help:"Postgres (postgres://user:password@host:5432/corrosion?sslmode=verify-full); unset = local."`
	serviceFiles
}

// logging is how a command speaks of what it does.
type logging struct {
	LogLevel  string `env:"CORROSION_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: ${enum}."`
	LogFormat string `env:"CORROSION_LOG_FORMAT" default:"text" enum:"text,json" help:"Log lines as ${enum}."`
}

func (l logging) logger(e *env) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.LogLevel)) // the enum has been checked
	options := &slog.HandlerOptions{Level: level}
	if l.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(e.stderr, options))
	}
	return slog.New(slog.NewTextHandler(e.stderr, options))
}

// jwtKeys is where tokens are signed.
type jwtKeys struct {
	JWTKeyFile string `name:"jwt-key-file" env:"CORROSION_JWT_KEY_FILE" help:"Signing key of tokens; unset = jwt.key in the data directory, made on first start."`
}

func (k jwtKeys) path(data string) string {
	if k.JWTKeyFile != "" {
		return k.JWTKeyFile
	}
	return filepath.Join(data, "jwt.key")
}

// AfterApply is called when flags and environment have been read: it puts the files into the URLs that they are for. A
// second call changes nothing.
func (s *services) AfterApply() error {
	clickhouse := s.clickHouse()
	faults := []error{
		joinFiles("nats", connect.Files{Password: s.NATSPasswordFile, Creds: s.NATSCredsFile, CA: s.NATSCAFile, Cert: s.NATSCertFile, Key: s.NATSKeyFile}, &s.NATSURL),
		joinFiles("clickhouse", clickhouse, &s.ClickHouseURL, &s.ClickHouseHTTPURL),
		joinFiles("postgres", connect.Files{Password: s.PostgresPasswordFile, CA: s.PostgresCAFile, Cert: s.PostgresCertFile, Key: s.PostgresKeyFile}, &s.PostgresURL),
	}
	if s.ClickHouseHTTPURL == "" && s.ClickHouseURL != "" {
		s.ClickHouseHTTPURL = stores.HTTPFromNative(s.ClickHouseURL)
	}
	if _, of, err := cluster.Split(s.ClickHouseURL); err == nil && s.ClickHouseHTTPURL != "" {
		if _, own, err := cluster.Split(s.ClickHouseHTTPURL); err == nil && !own.Is() {
			s.ClickHouseHTTPURL = of.Join(s.ClickHouseHTTPURL)
		}
	}
	return errors.Join(faults...)
}

// joinFiles never repeats a URL: it may hold a password.
func joinFiles(service string, files connect.Files, targets ...*string) error {
	if files == (connect.Files{}) {
		return nil
	}
	joined := false
	for _, target := range targets {
		if *target == "" {
			continue
		}
		url, err := connect.Join(*target, files)
		if err != nil {
			return fmt.Errorf("--%s-url: %w", service, err)
		}
		*target, joined = url, true
	}
	if !joined {
		return fmt.Errorf("files are given for %s and no URL: give --%s-url too", service, service)
	}
	return nil
}

// find fills what is not given from the endpoints of the platform that runs on the data directory.
func (s *services) find(need ...*string) error {
	running, err := local.ReadEndpoints(s.Data)
	if err == nil {
		fill(&s.NATSURL, running.NATS)
		fill(&s.ClickHouseHTTPURL, running.ClickHouseHTTP)
		fill(&s.ClickHouseURL, running.ClickHouseNative)
		fill(&s.PostgresURL, running.Postgres)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, target := range need {
		if *target == "" {
			return fmt.Errorf("no platform runs on %s: start one with `corrosion serve`, or give %s", s.Data, s.flagOf(target))
		}
	}
	return nil
}

func fill(target *string, value string) {
	if *target == "" {
		*target = value
	}
}

func (s *services) flagOf(target *string) string {
	switch target {
	case &s.NATSURL:
		return "--nats-url"
	case &s.PostgresURL:
		return "--postgres-url"
	case &s.ClickHouseHTTPURL:
		return "--clickhouse-http-url"
	default:
		return "--clickhouse-url"
	}
}

// require asks for URLs that a lone role cannot do without.
func (s *services) require(targets ...*string) error {
	var faults []error
	for _, target := range targets {
		if *target == "" {
			faults = append(faults, fmt.Errorf("%s is missing: a role that runs alone needs its services by URL", s.flagOf(target)))
		}
	}
	return errors.Join(faults...)
}
