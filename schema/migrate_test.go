package schema_test

import (
	"sync"
	"testing"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// Two processes that migrate the same stores at once end with each migration applied once.
func TestMigrateSideBySide(t *testing.T) {
	clickhouse, postgres := localtest.NewClickHouse(t).URL(), localtest.PostgresURL(t)
	var wg sync.WaitGroup
	applied, errs := make([]int, 3), make([]error, 3)
	for i := range applied {
		wg.Go(func() { applied[i], errs[i] = schema.Migrate(t.Context(), clickhouse, postgres) })
	}
	wg.Wait()
	workers := 0
	for i := range applied {
		if errs[i] != nil {
			t.Errorf("migration %d: %v", i, errs[i])
		}
		if applied[i] > 0 {
			workers++
		}
	}
	if workers != 1 {
		t.Errorf("applied %v: want one worker and the others idle", applied)
	}
}

func TestMigrateRefusesOtherDatabase(t *testing.T) {
	if _, err := schema.MigrateClickHouse(t.Context(), "clickhouse://u:p@127.0.0.1:1/elsewhere"); err == nil {
		t.Error("a database of another name was accepted")
	}
}
