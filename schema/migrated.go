package schema

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"corrosion/schema/connect/stores"
)

// Migrated is how far a store's schema is. Newest is what this program knows; Applied may be beyond it, while a newer one
// runs beside it.
type Migrated struct{ Applied, Newest int64 }

// Current tells whether nothing is left to migrate.
func (v Migrated) Current() bool { return v.Applied >= v.Newest }

// PostgresVersion reads how far Postgres is; it changes nothing, and fails where nothing was ever migrated.
func PostgresVersion(ctx context.Context, url string) (Migrated, error) {
	db, err := stores.PostgresDB(url)
	if err != nil {
		return Migrated{}, err
	}
	defer db.Close()
	return readVersion(ctx, goose.DialectPostgres, db, postgresFiles, "postgres")
}

// ClickHouseVersion reads how far ClickHouse is; it changes nothing, and fails where nothing was ever migrated.
func ClickHouseVersion(ctx context.Context, url string) (Migrated, error) {
	options, err := stores.ClickHouseOptions(url)
	if err != nil {
		return Migrated{}, err
	}
	db := clickhouse.OpenDB(options)
	defer db.Close()
	return readVersion(ctx, goose.DialectClickHouse, db, clickhouseFiles, "clickhouse")
}

// Newest is what this program knows.
func Newest() Versions {
	return Versions{ClickHouse: newestOf(clickhouseFiles, "clickhouse"), Postgres: newestOf(postgresFiles, "postgres")}
}

// newestOf is the highest number of the migrations in a directory; files that are none do not count.
func newestOf(files embed.FS, dir string) (newest int64) {
	names, _ := fs.Glob(files, path.Join(dir, "*.sql")) // the pattern is well-formed
	for _, name := range names {
		if number, err := goose.NumericComponent(path.Base(name)); err == nil {
			newest = max(newest, number)
		}
	}
	return newest
}

func readVersion(ctx context.Context, dialect goose.Dialect, db *sql.DB, files embed.FS, dir string) (v Migrated, err error) {
	v.Newest = newestOf(files, dir)
	store, err := database.NewStore(dialect, migrationsTable)
	if err != nil {
		return v, err
	}
	if v.Applied, err = store.GetLatestVersion(ctx, db); err != nil {
		return v, fmt.Errorf("read the version of the schema in %s: %w", dir, err)
	}
	return v, nil
}
