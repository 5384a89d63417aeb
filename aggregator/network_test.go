package aggregator

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// The one-minute total is the sum of each server's mean in the minute, and an hour is written again when it changed.
func TestNetworkHourly(t *testing.T) {
	w := newWorld(t)
	license := uuid.New()
	noon := yesterdayNoon()
	add := func(server string, minute, second int, players uint64, measured bool) {
		w.seq++
		at := noon.Add(time.Duration(minute)*time.Minute + time.Duration(second)*time.Second)
		s := schema.Sample{License: license, ServerID: server, TS: at.UnixMilli(), Epoch: 3, Seq: w.seq, ReceivedAt: at.UnixMilli()}
		if measured {
			s.SetUint(schema.Players, players)
		}
		w.insert([]schema.Sample{s})
	}
	f := func(peak float64, at int, avg float64, servers, samples uint64) {
		t.Helper()
		w.pass()
		var gotPeak, gotAvg *float64
		var gotAt *time.Time
		var gotServers, gotSamples uint64
		err := w.conn.QueryRow(t.Context(), "SELECT peak_players, peak_at, avg_players, servers_reporting, samples FROM corrosion.network_hourly WHERE license_id = ?", license).
			Scan(&gotPeak, &gotAt, &gotAvg, &gotServers, &gotSamples)
		if err != nil {
			t.Fatal(err)
		}
		if gotPeak == nil || *gotPeak != peak || !gotAt.Equal(noon.Add(time.Duration(at)*time.Minute)) || *gotAvg != avg || gotServers != servers || gotSamples != samples {
			t.Errorf("got peak %v at %v, avg %v, %d servers, %d samples", *gotPeak, gotAt, *gotAvg, gotServers, gotSamples)
		}
		if n := w.number("SELECT count() FROM corrosion.network_hourly"); n != 1 {
			t.Errorf("%d rows, want one", n)
		}
	}
	add("a", 0, 0, 10, true)
	add("a", 0, 30, 20, true) // mean 15
	add("b", 0, 10, 5, true)  // total 20
	add("a", 1, 0, 8, true)   // total 8
	add("c", 1, 0, 0, false)  // reports, measures nobody
	f(20, 0, 14, 3, 5)
	add("b", 1, 0, 12, true) // total 20: the earlier minute stays
	f(20, 0, 20, 3, 6)
	add("b", 2, 0, 26, true)
	f(26, 2, 22, 3, 7)
}
