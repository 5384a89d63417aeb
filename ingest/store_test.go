package ingest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/wire"
)

func gzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstded(t *testing.T, body []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(body, nil)
}

// samplesOf makes count samples of a server with values of their own; ts are seconds before now.
func samplesOf(server string, count int) []schema.Sample {
	now := time.Now().UnixMilli()
	samples := make([]schema.Sample, count)
	for n := range samples {
		samples[n] = testSample(n)
		samples[n].ServerID, samples[n].TS = server, now-int64(count-n)*100
	}
	return samples
}

func TestStoresEveryShapeAndEncoding(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	subject := schema.StatsSubject(license)
	samples := samplesOf("eu-1", 8)
	lines := append(wire.AppendNDJSON(wire.AppendNDJSON(nil, &samples[2]), &samples[3]), '\n')

	var want uint64
	for _, m := range []struct {
		subject, encoding string
		body              []byte
		samples           uint64
	}{
		{subject, "", wire.AppendJSON(nil, &samples[0]), 1},
		{schema.ServerStatsSubject(license, "eu-1"), "", wire.AppendJSON(nil, &samples[1]), 1},
		{subject, "", lines, 2},
		{subject, "gzip", gzipped(t, wire.AppendArray(nil, samples[4:6])), 2},
		{subject, "zstd", zstded(t, wire.AppendArray(nil, samples[6:])), 2},
	} {
		var header []string
		if m.encoding != "" {
			header = []string{"Content-Encoding", m.encoding}
		}
		r.publish(m.subject, m.body, header...)
		want += m.samples
	}
	r.waitStored(license, want, 30*time.Second)
	r.waitAcked(30 * time.Second)
	r.checkValues(license, samples)
	if got := r.metric("corrosion_ingest_samples_stored_total"); got != float64(want) {
		t.Errorf("samples_stored_total is %v, want %d", got, want)
	}
	var hourly uint64
	if err := r.query("SELECT sum(samples) FROM corrosion.samples_hourly WHERE license_id = ?", []any{license}, &hourly); err != nil || hourly != want {
		t.Errorf("samples_hourly counts %d (%v), want %d", hourly, err, want)
	}
}

// checkValues compares what is stored with what was sent, by the counter n.
func (r *rig) checkValues(license uuid.UUID, samples []schema.Sample) {
	r.t.Helper()
	for i := range samples {
		s := &samples[i]
		var (
			server, boot string
			ts, received time.Time
			players      *uint32
			sleepers     *uint32
			fps          *float64
			netIn        *uint64
			level        *string
			metrics      map[string]float64
		)
		err := r.query(`SELECT server_id, assumeNotNull(boot), ts, received_at, players, sleepers, fps, net_in, map, metrics
			FROM corrosion.samples WHERE license_id = ? AND n = ? LIMIT 1`, []any{license, s.Uint(schema.N)},
			&server, &boot, &ts, &received, &players, &sleepers, &fps, &netIn, &level, &metrics)
		if err != nil {
			r.t.Fatal(err)
		}
		got := fmt.Sprint(server, boot, ts.UnixMilli(), *players, sleepers == nil, *fps, *netIn, level != nil, metrics)
		want := fmt.Sprint(s.ServerID, s.Boot, s.TS, s.Uint(schema.Players), true, s.Float(schema.FPS), s.Uint(schema.NetIn), s.Has(schema.Map), metricMap(s))
		if got != want {
			r.t.Errorf("sample %d is\n%s, want\n%s", i, got, want)
		}
		if level != nil && *level != s.Map {
			r.t.Errorf("sample %d: map %q, want %q", i, *level, s.Map)
		}
		if age := time.Since(received); age < 0 || age > time.Minute {
			r.t.Errorf("sample %d: received_at %s", i, received)
		}
	}
}

func metricMap(s *schema.Sample) map[string]float64 {
	m := map[string]float64{}
	for _, v := range s.Metrics {
		m[v.Name] = v.Value
	}
	return m
}

func TestIdentity(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	samples := samplesOf("eu-1", 4)
	r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &samples[0]))
	seq := r.publish(schema.StatsSubject(license), wire.AppendArray(nil, samples[1:]))
	r.waitStored(license, 4, 30*time.Second)
	s, err := r.js.Stream(t.Context(), schema.StreamStats)
	if err != nil {
		t.Fatal(err)
	}
	var epoch uint64
	var idx []uint16
	err = r.query("SELECT any(epoch), arraySort(groupArray(idx)) FROM corrosion.samples WHERE license_id = ? AND seq = ?", []any{license, seq}, &epoch, &idx)
	if err != nil {
		t.Fatal(err)
	}
	if want := uint64(s.CachedInfo().Created.UnixNano()); epoch != want || fmt.Sprint(idx) != "[0 1 2]" {
		t.Errorf("epoch %d, idx %v; want %d, [0 1 2]", epoch, idx, want)
	}
}

func TestBadNeighboursBecomeDeadLetters(t *testing.T) {
	r := newRig(t, rigOptions{})
	license, stranger := r.licenses.add(), uuid.New()
	subject := schema.StatsSubject(license)
	good := `{"server_id":"a","fps":60}`
	bad := `{"server_id":"a","players":-1}`
	mixed := r.publish(subject, []byte("["+good+","+bad+","+good+"]"))
	broken := r.publish(subject, []byte("["+good+","))
	noGzip := r.publish(subject, []byte("no gzip"), "Content-Encoding", "gzip")
	unknown := r.publish(schema.StatsSubject(stranger), []byte(good))
	noUUID := r.publish("corrosion.my-license.stats", []byte(good))
	large := strings.Repeat(good+"\n", 10_001)
	many := r.publish(subject, zstded(t, []byte(large)), "Content-Encoding", "zstd")
	r.waitStored(license, 2, 30*time.Second)
	r.waitAcked(30 * time.Second)

	type expected struct{ subject, reason, idx, body string }
	want := map[uint64]expected{
		mixed:   {schema.DeadSubject(license.String()), string(wire.OutOfRange), "1", bad},
		broken:  {schema.DeadSubject(license.String()), string(wire.Malformed), "-1", "[" + good + ","},
		noGzip:  {schema.DeadSubject(license.String()), string(wire.BadEncoding), "-1", "no gzip"},
		unknown: {schema.DeadSubject(stranger.String()), string(UnknownLicense), "-1", good},
		noUUID:  {schema.DeadSubject("my-license"), string(BadSubject), "-1", good},
		many:    {schema.DeadSubject(license.String()), string(wire.TooManySamples), "-1", string(zstded(t, []byte(large)))},
	}
	letters := r.letters()
	if len(letters) != len(want) {
		t.Errorf("%d dead letters, want %d", len(letters), len(want))
	}
	for _, l := range letters {
		var seq uint64
		fmt.Sscan(l.Header.Get(schema.DeadSeq), &seq)
		got := expected{l.Subject, l.Header.Get(schema.DeadReason), l.Header.Get(schema.DeadIdx), string(l.Data)}
		if got != want[seq] {
			t.Errorf("letter of message %d is %.300v,\nwant %.300v", seq, got, want[seq])
		}
		if l.Header.Get(schema.DeadDetail) == "" || !strings.HasPrefix(l.Header.Get(schema.DeadOf), "corrosion.") {
			t.Errorf("letter of message %d: headers %v", seq, l.Header)
		}
	}
	if got := r.metric("corrosion_ingest_dead_letters_total"); got != float64(len(want)) {
		t.Errorf("dead_letters_total is %v, want %d", got, len(want))
	}
	if h := r.ingester.Health(); !h.OK {
		t.Errorf("bad samples make the ingester unhealthy: %v", h.Reasons)
	}
}

// A letter is buried once also if its message is delivered again, to another run.
func TestRedeliveredLetterIsBuriedOnce(t *testing.T) {
	r := newRig(t, rigOptions{})
	g, err := newGraveyard(r.nc, r.config.Streams)
	if err != nil {
		t.Fatal(err)
	}
	defer g.js.CleanupPublisher()
	for range 2 {
		letters := []letter{{license: uuid.NewString(), reason: "x", detail: "two\nlines", epoch: 1, seq: 2, idx: 3, body: []byte("b")}}
		letters[0].license = "same"
		if err := g.bury(t.Context(), letters); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.letters()); n != 1 {
		t.Errorf("%d letters, want 1", n)
	}
}

// A body that is too long for one message goes compressed, or cut where that does not help.
func TestLongLetter(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	line := []byte(`{"server_id":"a","players":-1,"map":"` + strings.Repeat("long ", 1<<20) + `"}`)
	r.publish(schema.StatsSubject(license), zstded(t, line), "Content-Encoding", "zstd")
	localtest.CheckFor(t, 30*time.Second, 20*time.Millisecond, func() error {
		if n := len(r.letters()); n != 1 {
			return fmt.Errorf("%d letters", n)
		}
		return nil
	})
	l := r.letters()[0]
	reader, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	body, err := reader.DecodeAll(l.Data, nil)
	if err != nil || !bytes.Equal(body, line) || l.Header.Get("Content-Encoding") != "zstd" {
		t.Errorf("letter of %d bytes, headers %v, decoded to %d bytes (%v); want %d", len(l.Data), l.Header, len(body), err, len(line))
	}
}

func TestFlushesBySize(t *testing.T) {
	r := newRig(t, rigOptions{change: func(c *Config) {
		c.Batch.Rows, c.Batch.MinAge, c.Batch.MaxAge = 10, time.Hour, time.Hour
	}})
	license := r.licenses.add()
	samples := samplesOf("a", 10)
	for i := range samples {
		r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &samples[i]))
	}
	r.waitStored(license, 10, 30*time.Second)
}

func TestFlushesByAge(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	s := samplesOf("a", 1)
	r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &s[0]))
	r.waitStored(license, 1, 30*time.Second)
}

func TestStopFlushesAndAcknowledges(t *testing.T) {
	r := newRig(t, rigOptions{change: func(c *Config) { c.Batch.MinAge, c.Batch.MaxAge = time.Hour, time.Hour }})
	license := r.licenses.add()
	samples := samplesOf("a", 500)
	for i := range samples {
		if err := r.nc.Publish(schema.StatsSubject(license), wire.AppendJSON(nil, &samples[i])); err != nil {
			t.Fatal(err)
		}
	}
	localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, func() error {
		if held := r.metric("corrosion_ingest_held_messages"); held < 100 {
			return fmt.Errorf("%v held", held)
		}
		return nil
	})
	r.stop()
	left, err := r.waitingIn(schema.StreamStats)
	if err != nil {
		t.Fatal(err)
	}
	var stored uint64
	if err := r.query("SELECT count() FROM corrosion.samples WHERE license_id = ?", []any{license}, &stored); err != nil {
		t.Fatal(err)
	}
	if stored+left != 500 || stored < 100 {
		t.Errorf("%d stored and %d left in the stream, want 500 together", stored, left)
	}
	r.config.Batch = DefaultConfig().Batch
	r.start()
	r.waitStored(license, 500, 10*time.Second)
	r.waitAcked(30 * time.Second)
}
