package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/ingest/publish"
	"corrosion/ingest/simulate"
	"corrosion/schema/schematest"
)

// Settings of the long run; see `make soak`.
var (
	soakHours = flag.Float64("soak.hours", 0, "run the platform for so long under load and kills; 0 = not at all")
	soakKills = flag.Int("soak.kills", 12, "kill -9 so many times: ClickHouse twice, then the whole platform, and again")
	soakRate  = flag.Float64("soak.rate", 2000, "samples published a second")
	soakCSV   = flag.String("soak.csv", "", "write what was measured to this file")
	soakEvery = flag.Duration("soak.every", 5*time.Second, "measure so often")
)

// TestSoak runs everything for hours under load, kills parts of it, and wants two things of the end: every sample that
// JetStream confirmed is stored once, and nothing that should stay level has grown.
func TestSoak(t *testing.T) {
	if *soakHours <= 0 {
		t.Skip("takes hours: make soak")
	}
	s := &soak{t: t, data: t.TempDir(), ends: time.Now().Add(time.Duration(*soakHours * float64(time.Hour)))}
	s.serve()
	s.license = ensureLicenses(t, s.at.Postgres, 1)[0]
	publisher := s.publisher()
	load, stop := context.WithDeadline(t.Context(), s.ends)
	defer stop()
	reports := make(chan simulate.Report, 1)
	go func() { // ends with load
		options := simulate.DefaultOptions()
		options.Servers, options.Rate, options.Publisher = 500, *soakRate, publisher
		report, err := simulate.Run(load, options)
		if err != nil && load.Err() == nil {
			t.Error("publish:", err)
		}
		reports <- report
	}()
	s.watch(load)
	s.compare(<-reports)
	s.stop()
	if *soakCSV != "" {
		if err := s.csv.save(*soakCSV); err != nil {
			t.Error(err)
		}
	}
	for _, line := range s.csv.judge() {
		t.Log(line.text)
		if !line.level {
			t.Error("has grown: " + line.text)
		}
	}
}

// soak is one long run.
type soak struct {
	t       *testing.T
	data    string
	ends    time.Time
	child   *child
	at      local.Endpoints
	license uuid.UUID
	front   *localtest.Proxy
	csv     soakTable
	kills   int
}

// serve starts the platform on the data directory and waits until it is ready.
func (s *soak) serve() {
	s.t.Helper()
	_ = os.Remove(filepath.Join(s.data, "endpoints.json")) // of one that was killed
	s.child = startChild(s.t, "serve", "--data", s.data, "--listen", "127.0.0.1:0")
	localtest.CheckFor(s.t, 2*time.Minute, 50*time.Millisecond, func() error {
		var err error
		s.at, err = local.ReadEndpoints(s.data)
		if err == nil && s.at.HTTP == "" {
			err = errors.New("no endpoint yet")
		}
		return err
	})
	if s.front != nil {
		s.front.Lead(hostOf(s.t, s.at.NATS))
	}
}

// publisher goes through a front, for a platform that is started anew may have another port.
func (s *soak) publisher() *publish.Publisher {
	s.t.Helper()
	s.front = localtest.NewProxy(s.t, hostOf(s.t, s.at.NATS))
	config := publish.DefaultConfig(s.license)
	config.PerServer, config.BatchSamples = true, 20
	publisher, err := publish.Open(withHost(s.t, s.at.NATS, s.front.Addr()), config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { publisher.Close() })
	return publisher
}

// watch measures and kills until the load ends.
func (s *soak) watch(load context.Context) {
	begun := time.Now()
	total := s.ends.Sub(begun)
	tick := time.NewTicker(*soakEvery)
	defer tick.Stop()
	for {
		select {
		case <-load.Done():
			return
		case <-tick.C:
		}
		row, err := s.measure(begun)
		if err != nil {
			s.t.Logf("%s: not measured: %v", time.Since(begun).Round(time.Second), err)
		} else {
			s.csv = append(s.csv, row)
		}
		// The kills are over when a twelfth of the time is left, so that all can drain.
		if due := total * time.Duration(s.kills+1) / time.Duration(*soakKills+1) * 11 / 12; s.kills < *soakKills && time.Since(begun) > due {
			s.kill()
		}
	}
}

// kill ends ClickHouse, which the platform starts anew, or every third time the platform with all that it runs.
func (s *soak) kill() {
	s.kills++
	what := "clickhouse"
	if s.kills%3 == 0 {
		what = "platform"
		_ = s.child.cmd.Process.Kill()
		_ = s.child.cmd.Wait()
		s.serve()
	} else if pid, err := engineOf(s.child.cmd.Process.Pid); err != nil {
		s.t.Error("find ClickHouse:", err)
	} else if err := killHard(pid); err != nil {
		s.t.Error("kill ClickHouse:", err)
	}
	s.t.Logf("kill %d of %d: %s", s.kills, *soakKills, what)
}

// compare waits until what was confirmed is stored, and counts.
func (s *soak) compare(sent simulate.Report) {
	s.t.Helper()
	conn := schematest.Connect(s.t, s.at.ClickHouseNative)
	var rows, different uint64
	localtest.CheckFor(s.t, 2*time.Minute, time.Second, func() error {
		err := conn.QueryRow(s.t.Context(), "SELECT count(), uniqExact(server_id, boot, n) FROM corrosion.samples WHERE license_id = ?", s.license).Scan(&rows, &different)
		if err == nil && different < sent.Acked {
			err = fmt.Errorf("%d of %d samples are stored", different, sent.Acked)
		}
		return err
	})
	s.t.Logf("%d kills; sent and confirmed %d samples, stored %d rows of %d samples, given up %d", s.kills, sent.Acked, rows, different, sent.Refused)
	// What was given up may have been stored without an answer.
	if rows != different || different > sent.Acked+sent.Refused {
		s.t.Errorf("stored %d rows of %d samples, want %d", rows, different, sent.Acked)
	}
}

// stop ends the platform as an operator would.
func (s *soak) stop() {
	_ = s.child.cmd.Process.Signal(os.Interrupt)
	if err := s.child.cmd.Wait(); err != nil {
		s.t.Errorf("serve exited with %v", err)
	}
}
