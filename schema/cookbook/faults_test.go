package cookbook_test

import (
	"testing"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// The queries whose right answer is empty are shown the faults they are for.
func TestFaultsAreFound(t *testing.T) {
	server := localtest.NewClickHouse(t)
	_, err := schema.MigrateClickHouse(t.Context(), server.URL())
	must(t, err)
	conn := schematest.Connect(t, server.URL())
	const spoilt = "00000000-0000-4000-8000-0000000000bd"
	for _, seq := range []string{"7", "7", "8"} {
		// Two equal blocks would be taken for a retry; the lag sets them apart.
		must(t, conn.Exec(t.Context(), "INSERT INTO corrosion.samples (license_id, server_id, ts, players, fps, epoch, seq, idx, received_at) "+
			"SELECT '"+spoilt+"', 'twice', now64(3) - INTERVAL 2 HOUR, 5, 60, 99, "+seq+", 0, now64(3) + rand() % 1000"))
	}
	a := askAt(t, server.HTTPURL(), "duplicates", map[string]string{"until": "now"})
	wantValues(t, a, "seq", "7")
	wantRow(t, a, "seq", 7, "epoch=99 copies=2 server_id=twice")

	if a := askAt(t, server.HTTPURL(), "rollup-check", map[string]string{"until": "now"}); a.row("license_id", spoilt) != nil {
		t.Errorf("the rollup counts what raw has, and yet: %v", a.Data)
	}
	must(t, conn.Exec(t.Context(), "INSERT INTO corrosion.samples_hourly (license_id, server_id, hour, samples, players_sum) "+
		"SELECT '"+spoilt+"', 'twice', toStartOfHour(now() - INTERVAL 2 HOUR), 3, 15"))
	wantRow(t, askAt(t, server.HTTPURL(), "rollup-check", map[string]string{"until": "now"}), "license_id", spoilt, "samples_raw=3 samples_hour=6 players_raw=15 players_hour=30")
}
