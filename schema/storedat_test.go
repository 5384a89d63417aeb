package schema_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// Rows of before the column keep received_at as their moment, however often they are read; new ones get the clock.
func TestStoredAtOfOldRows(t *testing.T) {
	server := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, server.URL())
	received := time.Now().Add(-time.Hour).Truncate(schema.StoredAtStep)
	sample := schema.Sample{License: uuid.New(), ServerID: "a", TS: received.UnixMilli(), ReceivedAt: received.UnixMilli(), Epoch: 1, Seq: 1}
	if err := conn.Exec(t.Context(), "ALTER TABLE corrosion.samples DROP COLUMN stored_at SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	schematest.InsertSamples(t, conn, []schema.Sample{sample})
	text, err := os.ReadFile("clickhouse/0011_samples_stored_at.sql")
	if err != nil {
		t.Fatal(err)
	}
	up, _, _ := strings.Cut(string(text), "-- +goose Down")
	_, up, _ = strings.Cut(up, "ALTER")
	for statement := range strings.SplitSeq(strings.TrimSpace("ALTER"+up), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	begun := time.Now().Add(-schema.StoredAtStep)
	sample.Seq = 2
	schematest.InsertSamples(t, conn, []schema.Sample{sample})
	for range 2 {
		var old, fresh time.Time
		row := conn.QueryRow(t.Context(), "SELECT anyIf(stored_at, seq = 1), anyIf(stored_at, seq = 2) FROM corrosion.samples")
		if err := row.Scan(&old, &fresh); err != nil {
			t.Fatal(err)
		}
		if !old.Equal(received) || fresh.Before(begun) || fresh.After(time.Now()) {
			t.Errorf("old row %s, want %s; new row %s, want about %s", old, received, fresh, begun)
		}
	}
}
