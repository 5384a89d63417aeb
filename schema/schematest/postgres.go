package schematest

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// PostgresURL is a fresh database with the newest schema; to copy one is quicker than to migrate each.
func PostgresURL(t testing.TB) string {
	t.Helper()
	return localtest.Postgres(t).NewDatabaseFrom(t, func(url string) error {
		_, err := schema.MigratePostgres(t.Context(), url)
		return err
	})
}

// Postgres is a pool on a fresh database with the newest schema; it closes with the test.
func Postgres(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
