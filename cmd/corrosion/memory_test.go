package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// memoryBound is what docs/reliability.md promises of an ingester with default settings, bytes resident.
const memoryBound = 1 << 30

// An ingester that finds a backlog of the worst payloads while ClickHouse is away, and then drains it, stays within the
// memory that is promised.
func TestIngestMemoryIsBounded(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" || raceDetector {
		t.Skip("takes half a minute, reads /proc, and the race detector takes many times the memory: make test runs it without")
	}
	nc := localtest.NewNATS(t)
	clickhouse := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), clickhouse.URL()); err != nil {
		t.Fatal(err)
	}
	toClickHouse := localtest.NewProxy(t, hostOf(t, clickhouse.URL()))
	postgres := schematest.PostgresURL(t)
	licenses := ensureLicenses(t, postgres, 8) // over all partitions
	child := startChild(t, "ingest", "--nats-url", nc.URL(), "--clickhouse-url", withHost(t, clickhouse.URL(), toClickHouse.Addr()),
		"--postgres-url", postgres, "--data", t.TempDir(),
		// Quotas that everything is counted for and that refuse nothing: what they would refuse needs no memory.
		"--quota-samples", "1000000000", "--quota-bytes", "1000000000000", "--quota-servers", "1000000000", "--quota-metric-names", "1000000000")

	js := jetStream(t, nc.URL())
	localtest.CheckFor(t, 30*time.Second, 50*time.Millisecond, func() error {
		_, err := js.Publish(t.Context(), schema.StatsSubject(licenses[0]), []byte(`{"server_id":"first","players":1}`))
		return err
	})
	localtest.CheckFor(t, 30*time.Second, 50*time.Millisecond, func() error { return nothingWaits(t, js) })
	toClickHouse.Cut()
	sent := publishWorst(t, js, licenses)
	localtest.CheckFor(t, 60*time.Second, 200*time.Millisecond, func() error { return child.grown(128 << 20) })
	away := child.peak()
	toClickHouse.Heal()
	localtest.CheckFor(t, 4*time.Minute, 500*time.Millisecond, func() error { return nothingWaits(t, js) })
	peak := child.peak()
	t.Logf("%d messages; peak resident %d MiB while ClickHouse was away, %d MiB in all", sent, away>>20, peak>>20)
	if peak > memoryBound {
		t.Errorf("peak resident memory %d MiB, want at most %d", peak>>20, memoryBound>>20)
	}
}

// nothingWaits is nil when the stream is empty.
func nothingWaits(t *testing.T, js jetstream.JetStream) error {
	stream, err := js.Stream(t.Context(), schema.StreamStats)
	if err != nil {
		return err
	}
	if left := stream.CachedInfo().State.Msgs; left > 0 {
		return fmt.Errorf("%d messages wait", left)
	}
	return nil
}

// publishWorst sends what takes the most memory to hold for its size on the wire.
func publishWorst(t *testing.T, js jetstream.JetStream, licenses []uuid.UUID) (sent int) {
	t.Helper()
	now := time.Now().UnixMilli()
	send := func(m *nats.Msg) {
		m.Subject = schema.StatsSubject(licenses[sent%len(licenses)])
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	for i := range 60 {
		send(packed(t, distinctTexts(i, now)))
	}
	for i := range 16 {
		send(packed(t, distinctMetrics(i, now)))
	}
	for range 100 { // broken as a whole: the body becomes a dead letter
		send(&nats.Msg{Data: append([]byte("["), bytes.Repeat([]byte("x"), 900<<10)...)})
	}
	long := strings.Repeat("i", 1000)
	for i := range 20_000 {
		m := &nats.Msg{Header: nats.Header{}, Data: fmt.Appendf(nil, `{"server_id":"s%d","ts":%d,"boot":"b%d","n":%d}`, i%500, now, i, 2*i)}
		m.Header.Set(jetstream.MsgIDHeader, long+strconv.Itoa(i))
		send(m)
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(time.Minute):
		t.Fatal("JetStream did not confirm what was published")
	}
	return sent
}

// distinctTexts is 8,000 samples whose texts are all different and as long as they may be.
func distinctTexts(message int, now int64) []byte {
	var b bytes.Buffer
	filler := strings.Repeat("m", 110)
	for i := range 8000 {
		fmt.Fprintf(&b, `{"server_id":"server-%d-%d-%s","ts":%d,"boot":"%d-%d","n":%d,"map":"%s-%d-%d","version":"%s+%d-%d"}`+"\n",
			message, i, filler[:40], now, message, i, i, filler, message, i, filler, message, i)
	}
	return b.Bytes()
}

// distinctMetrics is samples with 256 metrics each, whose names are all different and as long as they may be.
func distinctMetrics(message int, now int64) []byte {
	var b bytes.Buffer
	filler := strings.Repeat("n", 70)
	for i := range 280 {
		fmt.Fprintf(&b, `{"server_id":"s","ts":%d,"metrics":{`, now+int64(i))
		for m := range schema.MaxMetrics {
			if m > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"%s.%d.%d.%d":%d`, filler, message, i, m, m)
		}
		b.WriteString("}}\n")
	}
	return b.Bytes()
}

func packed(t *testing.T, body []byte) *nats.Msg {
	t.Helper()
	if len(body) > schema.MaxMessageBytes {
		t.Fatalf("%d bytes are more than a message may have", len(body))
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	m := &nats.Msg{Header: nats.Header{}, Data: encoder.EncodeAll(body, nil)}
	m.Header.Set("Content-Encoding", "zstd")
	return m
}

// child is a role in a process of its own.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	log *lockedBuffer
}

func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(self, args...), log: &lockedBuffer{}}
	c.cmd.Env = append(os.Environ(), asProgram+"=1", endsWithStdin+"=1")
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = c.cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", args[0], c.log)
		}
	})
	return c
}

// peak is the most memory that was resident, bytes.
func (c *child) peak() int64 {
	c.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil {
				c.t.Fatal(err)
			}
			return kib << 10
		}
	}
	c.t.Fatal("the process is gone")
	return 0
}

// grown is nil when the process has held as much.
func (c *child) grown(bytes int64) error {
	if peak := c.peak(); peak < bytes {
		return fmt.Errorf("peak %d MiB", peak>>20)
	}
	return nil
}

func jetStream(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func ensureLicenses(t *testing.T, postgres string, count int) (licenses []uuid.UUID) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), postgres)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for range count {
		license := uuid.New()
		if err := pg.New(pool).EnsureLicense(t.Context(), pg.EnsureLicenseParams{ID: license, Name: "worst"}); err != nil {
			t.Fatal(err)
		}
		licenses = append(licenses, license)
	}
	return licenses
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		t.Fatal(errors.Join(err, errors.New("no host in a URL")))
	}
	return u.Host
}

func withHost(t *testing.T, raw, host string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = host
	return u.String()
}
