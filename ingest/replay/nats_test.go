package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/ingest/publish"
	"corrosion/schema"
)

func TestReplayOverNATS(t *testing.T) {
	path := sharedFile(t, "01_nezha_onlineboutique_pods.csv.gz")
	license := uuid.New()
	nc, err := nats.Connect(localtest.NATSURL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg := publish.DefaultConfig(license)
	cfg.BatchSamples, cfg.Compression = 100, publish.Plain
	p, err := publish.Open(localtest.NATSURL(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	// Room for a few messages only: the replay must wait for its readers.
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "REPLAY_TEST", Subjects: []string{schema.StatsSubject(license)}, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardNew, MaxBytes: 256 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = js.DeleteStream(context.Background(), "REPLAY_TEST") }()
	reports := make(chan Report, 1)
	go func() {
		r, err := Run(t.Context(), Options{Files: []string{path}, AlignNow: true, Publisher: p})
		if err != nil {
			t.Error(err)
		}
		reports <- r
	}()
	seen := drain(t, stream, 19_300)
	r := <-reports
	if r.Published.Acked != 19_300 || r.Published.Refused != 0 || r.Samples != 19_300 {
		t.Errorf("%+v", r)
	}
	if age := time.Since(r.To); age < 0 || age > 24*time.Hour {
		t.Errorf("newest sample is %v old", age)
	}
	if len(seen) != 19_300 {
		t.Errorf("%d different samples", len(seen))
	}
}

// drain reads until want samples have come, and returns them by server and time.
func drain(t *testing.T, s jetstream.Stream, want int) map[string]bool {
	t.Helper()
	c, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	seen, samples := map[string]bool{}, 0
	localtest.CheckFor(t, 60*time.Second, 5*time.Millisecond, func() error {
		batch, err := c.FetchNoWait(10)
		if err != nil {
			return err
		}
		for m := range batch.Messages() {
			var list []struct {
				ServerID string `json:"server_id"`
				TS       int64  `json:"ts"`
			}
			if err := json.NewDecoder(bytes.NewReader(m.Data())).Decode(&list); err != nil {
				t.Fatal(err)
			}
			for _, x := range list {
				seen[fmt.Sprint(x.ServerID, x.TS)] = true
			}
			samples += len(list)
			if err := m.Ack(); err != nil {
				t.Fatal(err)
			}
		}
		if samples < want {
			return fmt.Errorf("%d of %d samples", samples, want)
		}
		return nil
	})
	return seen
}
