package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

func TestFullStreamIsRetried(t *testing.T) {
	license := uuid.New()
	s := stream(t, localtest.NATSURL(t), license, func(c *jetstream.StreamConfig) { c.MaxBytes = 16 << 10 })
	cfg := DefaultConfig(license)
	cfg.BatchSamples, cfg.Compression, cfg.InFlight = 20, Plain, 8
	p := open(t, localtest.NATSURL(t), cfg)
	const total = 3000
	done := make(chan struct{})
	go func() {
		defer close(done)
		add(t, p, 0, total)
	}()
	localtest.CheckFor(t, 10*time.Second, 10*time.Millisecond, func() error {
		if c := p.Counts(); c.Retries == 0 {
			return fmt.Errorf("stream never full: %+v", c)
		}
		return nil
	})
	// Drain until the publisher has nothing left.
	seen := map[int]int{}
	localtest.CheckFor(t, 60*time.Second, 10*time.Millisecond, func() error {
		for n, times := range read(t, s, nil) {
			seen[n] += times
		}
		if len(seen) < total-cfg.BatchSamples {
			return fmt.Errorf("%d of %d samples", len(seen), total)
		}
		return nil
	})
	<-done
	if c := flush(t, p); c.Acked != total || c.Refused != 0 {
		t.Errorf("%+v", c)
	}
	for n, times := range read(t, s, nil) {
		seen[n] += times
	}
	checkOnce(t, seen, 0, total)
}

func TestStreamThatComesLater(t *testing.T) {
	license := uuid.New()
	cfg := DefaultConfig(license)
	p := open(t, localtest.NATSURL(t), cfg)
	add(t, p, 0, 100)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if c, err := p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || c.Acked != 0 || c.Sent != 100 {
		t.Errorf("without a stream: %+v, %v", c, err)
	}
	s := stream(t, localtest.NATSURL(t), license, nil)
	if c := flush(t, p); c.Acked != 100 || c.Retries == 0 {
		t.Errorf("%+v", c)
	}
	checkOnce(t, read(t, s, nil), 0, 100)
}

func TestServerKilledUnderWay(t *testing.T) {
	server := localtest.NewNATS(t)
	license := uuid.New()
	stream(t, server.URL(), license, func(c *jetstream.StreamConfig) { c.Retention = jetstream.LimitsPolicy })
	cfg := DefaultConfig(license)
	cfg.BatchSamples, cfg.AckWait = 10, 2*time.Second
	p := open(t, server.URL(), cfg)
	add(t, p, 0, 1000)
	server.Kill(t)
	go func() {
		add(t, p, 1000, 2000)
	}()
	server.Start(t)
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error {
		if c := p.Counts(); c.Acked < 2000 {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	if c := flush(t, p); c.Acked != 2000 || c.Refused != 0 {
		t.Errorf("%+v", c)
	}
}

func TestGameServersUserMayPublish(t *testing.T) {
	license, other := uuid.New(), uuid.New()
	server := localtest.NewNATS(t, localtest.WithNATSUser("game", localtest.NATSAccess{
		Password: "secret",
		Permissions: local.Permissions{
			PublishAllow:   []string{schema.StatsSubject(license), schema.StatsSubject(license) + ".*"},
			SubscribeAllow: []string{"corrosion." + license.String() + ".reply.>"},
		},
	}))
	url := server.URL()[strings.LastIndex(server.URL(), "@")+1:]
	s := stream(t, server.URL(), license, nil)
	cfg := DefaultConfig(license)
	cfg.User, cfg.Password = "game", "secret"
	p := open(t, "nats://"+url, cfg)
	add(t, p, 0, 100)
	flush(t, p)
	checkOnce(t, read(t, s, nil), 0, 100)

	t.Run("AnotherLicense", func(t *testing.T) {
		stream(t, server.URL(), other, nil)
		cfg := cfg
		cfg.License, cfg.InboxPrefix = other, "corrosion."+license.String()+".reply"
		p := open(t, "nats://"+url, cfg)
		add(t, p, 0, 10)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c, err := p.Flush(ctx)
		if !errors.Is(err, nats.ErrPermissionViolation) || c.Refused != 10 {
			t.Errorf("%+v, %v; want a permission violation", c, err)
		}
		if err := p.Add(t.Context(), &schema.Sample{ServerID: "a"}); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("later Add: %v", err)
		}
	})
}

func TestCloseCountsWhatIsLeft(t *testing.T) {
	license := uuid.New()
	cfg := DefaultConfig(license)
	cfg.BatchSamples, cfg.InFlight = 10, 2
	p := open(t, localtest.NATSURL(t), cfg)
	add(t, p, 0, 29) // no stream takes them
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Send(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("send with no slot free: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if c := p.Counts(); c.Sent != 29 || c.Refused != 29 {
		t.Errorf("%+v", c)
	}
	if err := p.Add(t.Context(), &schema.Sample{ServerID: "a"}); !errors.Is(err, ErrClosed) {
		t.Errorf("add after close: %v", err)
	}
}
