package schema_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// The server's own description of samples is the ordered column list, name by name and type by type.
func TestSampleColumnsMatchServer(t *testing.T) {
	conn := schematest.ClickHouse(t)
	rows, err := conn.Query(t.Context(), "SELECT name, type FROM system.columns WHERE database = 'corrosion' AND table = 'samples' ORDER BY position")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []schema.Column
	for rows.Next() {
		var c schema.Column
		if err := rows.Scan(&c.Name, &c.Type); err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	want := append(schema.SampleColumns(), schema.Column{Name: schema.StoredAt, Type: "DateTime64(1, 'UTC')"})
	if len(got) != len(want) {
		t.Fatalf("got %d columns, want %d: %v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("column %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func TestMigrateClickHouseTwice(t *testing.T) {
	url := schematest.ClickHouseURL(t)
	applied, err := schema.MigrateClickHouse(t.Context(), url)
	if err != nil || applied != 0 {
		t.Fatalf("second run: applied %d, err %v; want 0, nil", applied, err)
	}
}

func TestRetention(t *testing.T) {
	server := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, server.URL())
	got, err := schema.ReadRetention(t.Context(), conn)
	if err != nil || got != schema.DefaultRetention() {
		t.Fatalf("first: got %v, %v; want %v", got, err, schema.DefaultRetention())
	}
	want := schema.Retention{Raw: 3 * 24 * time.Hour, Hourly: 30 * 24 * time.Hour}
	if err := schema.ApplyRetention(t.Context(), conn, want); err != nil {
		t.Fatal(err)
	}
	if got, err = schema.ReadRetention(t.Context(), conn); err != nil || got != want {
		t.Fatalf("after: got %v, %v; want %v", got, err, want)
	}
	var create string
	if err := conn.QueryRow(t.Context(), "SELECT create_table_query FROM system.tables WHERE database = 'corrosion' AND name = 'ingest_log'").Scan(&create); err != nil || !strings.Contains(create, "toIntervalDay(30)") {
		t.Errorf("the ingest log is not kept as long as the hours: %v %s", err, create)
	}
	if err := schema.ApplyRetention(t.Context(), conn, schema.Retention{Raw: 40 * 24 * time.Hour, Hourly: 30 * 24 * time.Hour}); err == nil {
		t.Error("raw longer than hourly was accepted")
	}
}

// A healing stops merges, and with them the change of parts that a new limit needs: it is waited for.
func TestRetentionWhileMergesStop(t *testing.T) {
	server := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, server.URL())
	for i := range 20 {
		at := time.Now().Add(-time.Duration(i) * time.Hour).UnixMilli()
		schematest.InsertSamples(t, conn, []schema.Sample{{License: uuid.New(), ServerID: "a", TS: at, ReceivedAt: at}})
	}
	want := schema.Retention{Raw: 5 * 24 * time.Hour, Hourly: 30 * 24 * time.Hour}
	done := make(chan error, 1)
	go func() { done <- schema.ApplyRetention(t.Context(), conn, want) }()
	for run := time.Millisecond; ; run = min(2*run, 2*time.Second) {
		for _, do := range []string{"STOP", "START"} {
			if err := conn.Exec(t.Context(), "SYSTEM "+do+" MERGES corrosion.samples"); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if got, err := schema.ReadRetention(t.Context(), conn); err != nil || got != want {
				t.Fatalf("got %v, %v; want %v", got, err, want)
			}
			return
		case <-time.After(run): // longer each time, for the slowest machine too
		}
	}
}

// A sample's fields reach the hours, and the view shows them as plain numbers.
func TestHourlyView(t *testing.T) {
	conn := schematest.ClickHouse(t)
	license := uuid.New()
	hour := schema.FloorHour(time.Now()).Add(-2 * time.Hour)
	boots := []string{"a", "a", "b", "b"}
	uptimes := []uint64{100, 1300, 10, 1210}
	var samples []schema.Sample
	for i := range boots {
		s := schema.Sample{License: license, ServerID: "one", TS: hour.Add(time.Duration(i) * 20 * time.Minute).UnixMilli(), Seq: uint64(i + 1)}
		s.SetUint(schema.Players, uint64(10*i))
		s.SetFloat(schema.FPS, 50+float64(i))
		s.SetText(schema.Boot, boots[i])
		s.SetUint(schema.UptimeS, uptimes[i])
		s.ReceivedAt = s.TS
		samples = append(samples, s)
	}
	for i := range samples { // one insert each: the rollup's rows must merge
		schematest.InsertSamples(t, conn, samples[i:i+1])
	}
	type row struct {
		Hour       time.Time
		Samples    uint64
		PlayersAvg *float64
		PlayersMax *uint32
		FPSMin     *float64
		FrameMSAvg *float64
		Restarts   uint64
	}
	rows, err := conn.Query(t.Context(), "SELECT hour, samples, players_avg, players_max, fps_min, frame_ms_avg, restarts FROM corrosion.hourly WHERE license_id = ? ORDER BY hour", license)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.Hour, &r.Samples, &r.PlayersAvg, &r.PlayersMax, &r.FPSMin, &r.FrameMSAvg, &r.Restarts); err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if len(got) != 2 {
		t.Fatalf("got %d hours, want 2", len(got))
	}
	first, second := got[0], got[1]
	if first.Samples != 3 || *first.PlayersAvg != 10 || *first.PlayersMax != 20 || *first.FPSMin != 50 || first.FrameMSAvg != nil {
		t.Errorf("first hour: %+v", first)
	}
	if first.Restarts != 1 || second.Restarts != 0 {
		t.Errorf("restarts: got %d and %d, want 1 and 0", first.Restarts, second.Restarts)
	}
}

func TestInsertSamplesText(t *testing.T) {
	const want = "INSERT INTO corrosion.samples (license_id, server_id, ts, n, boot, players, max_players, queued, joining, sleepers, fps, frame_ms, entities, memory_mb, cpu_percent, net_in, net_out, uptime_s, map, version, metrics, epoch, seq, idx, received_at)"
	if got := schema.InsertSamples(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
