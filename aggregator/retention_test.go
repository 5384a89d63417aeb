package aggregator

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// rowAt is one sample that came at a moment, some time after it was measured.
func rowAt(license uuid.UUID, server string, ts, received time.Time) schema.Sample {
	s := schema.Sample{License: license, ServerID: server, TS: ts.UnixMilli(), ReceivedAt: received.UnixMilli(), Epoch: 1, Seq: uint64(ts.UnixNano())}
	s.SetUint(schema.Players, 5)
	return s
}

// Rows beyond their days go, with their part or cut out of it; those within stay, by the later of ts and received_at.
func TestRetentionDropsWhatIsDue(t *testing.T) {
	w := newWorld(t)
	w.exec("SYSTEM STOP TTL MERGES")
	license, now := uuid.New(), time.Now()
	old := now.AddDate(0, 0, -20)
	insert := func(samples ...schema.Sample) { t.Helper(); w.insert(samples) }
	insert(rowAt(license, "gone", old, old), rowAt(license, "gone", old.Add(time.Minute), old))
	insert(rowAt(license, "cut", old.AddDate(0, 0, -1), old), rowAt(license, "late", old.AddDate(0, 0, -1), now.Add(-time.Hour)))
	insert(rowAt(license, "late", old, now.Add(-time.Hour)))
	insert(rowAt(license, "within", now.AddDate(0, 0, -6), now.AddDate(0, 0, -6)), rowAt(license, "fresh", now, now))
	w.exec("INSERT INTO corrosion.samples_hourly (license_id, server_id, hour, samples) SELECT ?, 'old', toStartOfHour(now() - INTERVAL 92 DAY), 1", license)
	w.exec("INSERT INTO corrosion.network_hours SELECT ?, toStartOfHour(now() - INTERVAL number DAY), 1, NULL, 1, 1, 1, 1 FROM numbers(1, 100)", license)
	if _, err := w.pool.Exec(t.Context(), `INSERT INTO job_runs (job, scheduled_at, cause, instance, started_at)
		VALUES ('old', now(), 'manual', 'x', now() - interval '91 days'), ('young', now(), 'manual', 'x', now() - interval '89 days')`); err != nil {
		t.Fatal(err)
	}

	f, err := w.RunNow(t.Context(), retentionJob, Manual, Window{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	servers := func() string {
		var all []string
		if err := w.conn.QueryRow(t.Context(), "SELECT arraySort(groupArray(toString(server_id))) FROM corrosion.samples WHERE license_id = ?", license).Scan(&all); err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, " ")
	}
	if got := servers(); got != "fresh late late within" {
		t.Errorf("raw rows of %s are left", got)
	}
	if n := w.number("SELECT count() FROM corrosion.network_hours WHERE license_id = ?", license); n < 89 || n > 91 {
		t.Errorf("%d network hours are left, want those of 90 days", n)
	}
	if n := w.number("SELECT countIf(server_id = 'old') FROM corrosion.samples_hourly WHERE license_id = ?", license); n != 0 {
		t.Error("an hour of 92 days ago is left")
	}
	if n := w.number("SELECT sum(samples) FROM corrosion.samples_hourly WHERE license_id = ? AND server_id = 'gone'", license); n != 2 {
		t.Errorf("hours of expired rows count %d samples, want 2", n)
	}
	if f.Removed < 3+9+1 || f.Detail["freed_bytes"].(uint64) == 0 {
		t.Errorf("reported %+v", f)
	}
	cleaned, _ := json.Marshal(f.Detail["cleaned"])
	if string(cleaned) != `{"job_runs":1}` {
		t.Errorf("cleaned %s", cleaned)
	}
	if f, err = w.RunNow(t.Context(), retentionJob, Manual, Window{}, nil); err != nil || f.Removed != 0 || f.Detail["freed_bytes"].(uint64) != 0 {
		t.Errorf("a second run did %+v %v", f, err)
	}
	if got := servers(); got != "fresh late late within" {
		t.Errorf("after a second run rows of %s are left", got)
	}
}

// Rows go by the limit of the moment in which their table is looked at, which an operator may just have raised.
func TestRetentionFollowsALimitThatGrows(t *testing.T) {
	w := newWorld(t)
	w.exec("SYSTEM STOP TTL MERGES")
	license, old := uuid.New(), time.Now().AddDate(0, 0, -10)
	longer := schema.DefaultRetention()
	longer.Raw = 14 * 24 * time.Hour
	_, err := w.RunNow(t.Context(), retentionJob, Manual, Window{}, func(done, _ int64) {
		if done > 0 {
			return
		}
		if err := schema.ApplyRetention(t.Context(), w.conn, longer); err != nil {
			t.Error(err)
		}
		w.insert([]schema.Sample{rowAt(license, "kept", old, old)})
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := w.number("SELECT count() FROM corrosion.samples WHERE license_id = ?", license); n != 1 {
		t.Errorf("%d rows are left, want the one that is within its days since the run began", n)
	}
}

// A day that still takes late samples keeps them: parts are dropped, not days.
func TestRetentionSparesLateRows(t *testing.T) {
	w := newWorld(t)
	w.exec("SYSTEM STOP TTL MERGES")
	license, old := uuid.New(), time.Now().AddDate(0, 0, -20)
	w.insert([]schema.Sample{rowAt(license, "gone", old, old)})
	tables, err := schema.KeptTables(t.Context(), w.conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if table.Name != "samples" {
			continue
		}
		w.exec("ALTER TABLE corrosion.samples DROP PART ?", w.text("SELECT any(_part) FROM corrosion.samples WHERE license_id = ?", license))
		w.insert([]schema.Sample{rowAt(license, "late", old, time.Now())})
		var report TableReport
		if missed, err := (site{conn: w.conn}).dropParts(t.Context(), table, &report); err != nil || missed || report.Parts != 0 {
			t.Errorf("dropped %+v, missed %v, %v", report, missed, err)
		}
	}
	if n := w.number("SELECT count() FROM corrosion.samples WHERE license_id = ?", license); n != 1 {
		t.Errorf("%d late rows are left, want 1", n)
	}
}

// text asks for one string.
func (w *world) text(query string, args ...any) (s string) {
	w.t.Helper()
	if err := w.conn.QueryRow(w.t.Context(), query, args...).Scan(&s); err != nil {
		w.t.Fatal(err)
	}
	return s
}
