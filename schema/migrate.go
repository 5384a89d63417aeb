package schema

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed clickhouse/*.sql
var clickhouseFiles embed.FS

//go:embed postgres/*.sql
var postgresFiles embed.FS

// Database is the ClickHouse database that holds every table.
const Database = "corrosion"

// migrationsTable records what has been applied, in both stores.
const migrationsTable = "schema_migrations"

// unknownDatabase is ClickHouse's error code for a database that does not exist.
const unknownDatabase = 81

// Versions are the newest migrations of both stores.
type Versions struct{ ClickHouse, Postgres int64 }

// newest asks for every migration that the program has.
const newest = math.MaxInt64

// MigrateTo brings both stores to a schema of before, for a backup that was made with it. A store that is further is an
// error: migrations go forward only.
func MigrateTo(ctx context.Context, clickhouseURL, postgresURL string, to Versions) error {
	_, err := migrateTo(ctx, clickhouseURL, postgresURL, to)
	return err
}

// Migrate brings both stores to the newest schema and returns how many migrations it applied. It is safe to run twice
// and by several processes at once: a Postgres advisory lock lets one work while the others wait.
func Migrate(ctx context.Context, clickhouseURL, postgresURL string) (applied int, err error) {
	return migrateTo(ctx, clickhouseURL, postgresURL, Versions{newest, newest})
}

func migrateTo(ctx context.Context, clickhouseURL, postgresURL string, to Versions) (applied int, err error) {
	db, err := stores.PostgresDB(postgresURL)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return 0, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to postgres: %w", err)
	}
	defer conn.Close()
	if err := locker.SessionLock(ctx, conn); err != nil {
		return 0, fmt.Errorf("wait for another migration: %w", err)
	}
	defer func() { err = errors.Join(err, locker.SessionUnlock(context.WithoutCancel(ctx), conn)) }()

	fromPostgres, err := migratePostgres(ctx, db, to.Postgres)
	if err != nil {
		return fromPostgres, err
	}
	fromClickHouse, err := migrateClickHouse(ctx, clickhouseURL, to.ClickHouse)
	return fromPostgres + fromClickHouse, err
}

// MigratePostgres brings Postgres alone to the newest schema; callers that may run side by side use Migrate.
func MigratePostgres(ctx context.Context, url string) (applied int, err error) {
	db, err := stores.PostgresDB(url)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	return migratePostgres(ctx, db, newest)
}

func migratePostgres(ctx context.Context, db *sql.DB, to int64) (int, error) {
	applied, err := runMigrations(ctx, goose.DialectPostgres, db, postgresFiles, "postgres", to)
	if err != nil {
		return applied, fmt.Errorf("migrate postgres: %w", err)
	}
	return applied, nil
}

// MigrateClickHouse brings ClickHouse alone to the newest schema, every node of it where the URL names a cluster, making the
// database where it is missing. A server is refused whose tables are those of the other kind.
func MigrateClickHouse(ctx context.Context, url string) (applied int, err error) {
	return migrateClickHouse(ctx, url, newest)
}

func migrateClickHouse(ctx context.Context, url string, to int64) (applied int, err error) {
	options, err := stores.ClickHouseOptions(url)
	if err != nil {
		return 0, err
	}
	_, spread, err := cluster.Split(url)
	if err != nil {
		return 0, err
	}
	if spread.Is() {
		if applied, err = migrateCluster(ctx, options, spread, to); err != nil {
			return applied, fmt.Errorf("migrate clickhouse: %w", err)
		}
		return applied, nil
	}
	err = ensureDatabase(ctx, options, Database)
	if err == nil {
		err = withConn(options, func(conn driver.Conn) error { return expectKind(ctx, conn, false) })
	}
	if err != nil {
		return 0, fmt.Errorf("migrate clickhouse: %w", err)
	}
	db := clickhouse.OpenDB(options)
	defer db.Close()
	applied, err = runMigrations(ctx, goose.DialectClickHouse, db, clickhouseFiles, "clickhouse", to)
	if err != nil {
		return applied, fmt.Errorf("migrate clickhouse: %w", err)
	}
	return applied, nil
}

func runMigrations(ctx context.Context, dialect goose.Dialect, db *sql.DB, files embed.FS, dir string, to int64) (int, error) {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		return 0, err
	}
	return runProvider(ctx, dialect, db, sub, to)
}

func runProvider(ctx context.Context, dialect goose.Dialect, db *sql.DB, files fs.FS, to int64, more ...goose.ProviderOption) (int, error) {
	store, err := database.NewStore(dialect, migrationsTable)
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider("", db, files, append(more, goose.WithStore(store))...)
	if err != nil {
		return 0, err
	}
	if to == newest {
		results, err := provider.Up(ctx)
		return len(results), err
	}
	if at, err := provider.GetDBVersion(ctx); err != nil {
		return 0, err
	} else if at > to {
		return 0, fmt.Errorf("the schema is at %d, which is beyond %d: migrations go forward only, give an empty store", at, to)
	}
	results, err := provider.UpTo(ctx, to)
	return len(results), err
}

// ensureDatabase makes a database; only a server that does not know it is asked to, for that right may be missing.
func ensureDatabase(ctx context.Context, options *clickhouse.Options, name string) error {
	if options.Auth.Database == "" {
		options.Auth.Database = Database
	}
	if options.Auth.Database != Database {
		return fmt.Errorf("the database must be %q, not %q", Database, options.Auth.Database)
	}
	asked := *options
	asked.Auth.Database = name
	err := withConn(&asked, func(conn driver.Conn) error { return conn.Ping(ctx) })
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) || exception.Code != unknownDatabase {
		return err
	}
	elsewhere := *options
	elsewhere.Auth.Database = "default"
	return withConn(&elsewhere, func(conn driver.Conn) error {
		return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+name)
	})
}

func withConn(options *clickhouse.Options, do func(driver.Conn) error) error {
	conn, err := clickhouse.Open(options)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}
