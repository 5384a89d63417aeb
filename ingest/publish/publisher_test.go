package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// stream makes a work-queue stream of its own for one license and returns it.
func stream(t *testing.T, url string, license uuid.UUID, change func(*jetstream.StreamConfig)) jetstream.Stream {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	subject := schema.StatsSubject(license)
	cfg := jetstream.StreamConfig{
		Name: "TEST_" + license.String(), Subjects: []string{subject, subject + ".*"},
		Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, MaxBytes: 64 << 20,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := js.CreateStream(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = js.DeleteStream(context.Background(), cfg.Name) })
	return s
}

func open(t *testing.T, url string, cfg Config) *Publisher {
	t.Helper()
	p, err := Open(url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// add publishes samples number from to to (exclusive) of server s.
func add(t *testing.T, p *Publisher, from, to int) {
	t.Helper()
	var s schema.Sample
	for i := from; i < to; i++ {
		s.Reset()
		s.ServerID, s.TS = fmt.Sprintf("server-%d", i%3), 1_700_000_000_000+int64(i)
		s.SetUint(schema.N, uint64(i))
		s.SetUint(schema.Players, uint64(i%100))
		s.Metrics = append(s.Metrics, schema.Metric{Name: "a.b", Value: float64(i) / 8})
		if err := p.Add(t.Context(), &s); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t *testing.T, p *Publisher) Counts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := p.Flush(ctx)
	if err != nil {
		t.Fatalf("flush: %v after %+v", err, c)
	}
	if c.Sent != c.Acked+c.Refused {
		t.Fatalf("flush: %+v: sent is not acked and refused", c)
	}
	return c
}

// read takes every message out of s and returns how often each n came.
func read(t *testing.T, s jetstream.Stream, look func(jetstream.Msg, []byte)) map[int]int {
	t.Helper()
	seen := map[int]int{}
	c, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.DeleteConsumer(context.Background(), c.CachedInfo().Name) }()
	for {
		batch, err := c.FetchNoWait(500)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for m := range batch.Messages() {
			n++
			body := plainBody(t, m)
			if look != nil {
				look(m, body)
			}
			for _, object := range objects(t, body) {
				seen[object.N]++
			}
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n == 0 {
			return seen
		}
	}
}

type object struct {
	Server string `json:"server_id"`
	N      int    `json:"n"`
}

func objects(t *testing.T, body []byte) []object {
	t.Helper()
	list := make([]object, 1)
	into := any(&list[0])
	if body[0] == '[' {
		into = &list
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	return list
}

func plainBody(t *testing.T, m jetstream.Msg) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(m.Data())
	var err error
	switch m.Headers().Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		var d *zstd.Decoder
		d, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		defer d.Close()
		r = d
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func checkOnce(t *testing.T, seen map[int]int, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if seen[i] != 1 {
			t.Fatalf("sample %d came %d times", i, seen[i])
		}
	}
	if len(seen) != to-from {
		t.Fatalf("%d samples, want %d", len(seen), to-from)
	}
}

func TestEverySampleArrivesOnce(t *testing.T) {
	f := func(batch int, c Compression, perServer bool, messages uint64) {
		t.Helper()
		license := uuid.New()
		s := stream(t, localtest.NATSURL(t), license, nil)
		cfg := DefaultConfig(license)
		cfg.BatchSamples, cfg.Compression, cfg.PerServer, cfg.InFlight = batch, c, perServer, 7
		p := open(t, localtest.NATSURL(t), cfg)
		add(t, p, 0, 1000)
		counts := flush(t, p)
		if counts.Acked != 1000 || counts.Messages != messages {
			t.Errorf("%d a message, %s: %+v, want 1000 in %d messages", batch, c, counts, messages)
		}
		seen := read(t, s, func(m jetstream.Msg, body []byte) {
			list := objects(t, body)
			if len(list) > batch {
				t.Errorf("message of %d samples, want at most %d", len(list), batch)
			}
			if perServer && m.Subject() != schema.ServerStatsSubject(license, list[0].Server) {
				t.Errorf("%s on subject %s", list[0].Server, m.Subject())
			}
		})
		checkOnce(t, seen, 0, 1000)
	}
	f(1, Plain, false, 1000)
	f(100, Plain, false, 10)
	f(300, Zstd, false, 4)
	f(300, Gzip, false, 4)
	f(300, Zstd, true, 6)
	f(10_000, Zstd, false, 1)
}

func TestMessagesFitTheServer(t *testing.T) {
	license := uuid.New()
	s := stream(t, localtest.NATSURL(t), license, nil)
	cfg := DefaultConfig(license)
	cfg.BatchSamples = schema.MaxMessageSamples
	for _, cfg.Compression = range []Compression{Plain, Zstd} {
		p := open(t, localtest.NATSURL(t), cfg)
		var sample schema.Sample
		for i := range 2000 {
			sample.Reset()
			sample.ServerID, sample.TS = "a", int64(i)
			sample.SetUint(schema.N, uint64(i))
			for m := range 256 {
				// Values that do not compress.
				value := float64(uint64(i*256+m+1)*0x9e3779b97f4a7c15) / 7
				sample.Metrics = append(sample.Metrics, schema.Metric{Name: fmt.Sprintf("m%d", m), Value: value})
			}
			if err := p.Add(t.Context(), &sample); err != nil {
				t.Fatal(err)
			}
		}
		if c := flush(t, p); c.Acked != 2000 || c.Messages < 5 {
			t.Errorf("%s: %+v", cfg.Compression, c)
		}
		checkOnce(t, read(t, s, nil), 0, 2000)
	}
}

func TestTooLargeForTheServerIsRefused(t *testing.T) {
	license := uuid.New()
	s := stream(t, localtest.NATSURL(t), license, nil)
	cfg := DefaultConfig(license)
	cfg.Compression = Plain
	p := open(t, localtest.NATSURL(t), cfg)
	add(t, p, 0, 10)
	giant := schema.Sample{ServerID: "a"}
	giant.SetText(schema.Map, strings.Repeat("x", 2<<20))
	if err := p.Add(t.Context(), &giant); err != nil {
		t.Fatal(err)
	}
	add(t, p, 10, 20)
	c, err := p.Flush(t.Context())
	if !errors.Is(err, ErrTooLarge) || c.Refused != 1 || c.Acked != 20 {
		t.Errorf("%+v, %v; want one refused as too large", c, err)
	}
	checkOnce(t, read(t, s, nil), 0, 20)
	if c, err := p.Flush(t.Context()); err != nil || c.Refused != 1 {
		t.Errorf("second flush: %+v, %v", c, err)
	}
}

func TestConfigValidate(t *testing.T) {
	f := func(change func(*Config)) {
		t.Helper()
		c := DefaultConfig(uuid.New())
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%+v: no error", c)
		}
	}
	f(func(c *Config) { c.License = uuid.Nil })
	f(func(c *Config) { c.BatchSamples = 0 })
	f(func(c *Config) { c.BatchSamples = 10_001 })
	f(func(c *Config) { c.InFlight = 0 })
	f(func(c *Config) { c.Compression = "brotli" })
	f(func(c *Config) { c.AckWait = 0 })
	f(func(c *Config) { c.RetryMax = 0 })
	f(func(c *Config) { c.InboxPrefix = "a.>" })
	f(func(c *Config) { c.InboxPrefix = "a." })
	if err := DefaultConfig(uuid.New()).Validate(); err != nil {
		t.Error(err)
	}
}
