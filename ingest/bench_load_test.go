package ingest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// The network that benchmarks send: a thousand servers of eight licenses that report every ten seconds.
const (
	trafficLicenses = 8
	trafficServers  = 1000 / trafficLicenses // of one license
	trafficEvery    = 10 * time.Second
)

// traffic makes lifelike samples by number: all 13 measurements, the texts, boot and n, and custom metrics where wanted.
type traffic struct {
	per     int   // samples a message
	metrics int   // custom metrics a sample
	base    int64 // ts of the first samples, ms; they stay within twelve hours of it

	servers, boots, names []string
}

// newTraffic makes samples from midnight to noon of yesterday, UTC, so that they fall into one day's partition.
func newTraffic(per, metrics int) *traffic {
	l := &traffic{per: per, metrics: metrics, base: time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour).UnixMilli()}
	for i := range trafficServers {
		l.servers = append(l.servers, "rust-eu-"+strconv.Itoa(100+i))
		l.boots = append(l.boots, strconv.FormatUint(0x9e3779b97f4a7c15*uint64(i+1), 36))
	}
	for i := range metrics {
		l.names = append(l.names, "plugin."+strconv.Itoa(i%16)+".counter_"+strconv.Itoa(i))
	}
	return l
}

// license is that of a message by number.
func (l *traffic) license(message int) uuid.UUID {
	id := uuid.UUID{6: 0x40, 8: 0x80, 15: byte(message%trafficLicenses + 1)}
	binary.BigEndian.PutUint32(id[:], uint32(message%trafficLicenses+1)*0x9e3779b9)
	return id
}

// sample fills s with sample i of a message. Server and count go on from message to message of a license.
func (l *traffic) sample(s *schema.Sample, message, i int) {
	k := message/trafficLicenses*l.per + i
	server, count := k%trafficServers, k/trafficServers
	s.Reset()
	s.License, s.ServerID = l.license(message), l.servers[server]
	s.TS = l.base + (int64(count)*trafficEvery.Milliseconds()+int64(server*7))%(12*time.Hour).Milliseconds()
	h := (uint64(message)<<32 + uint64(i) + 1) * 0x9e3779b97f4a7c15
	s.SetUint(schema.N, uint64(count))
	s.SetText(schema.Boot, l.boots[server])
	s.SetUint(schema.Players, 80+h>>60+uint64(server%50))
	s.SetUint(schema.MaxPlayers, 200)
	s.SetUint(schema.Queued, h>>58&3)
	s.SetUint(schema.Joining, h>>56&3)
	s.SetUint(schema.Sleepers, 400+uint64(count%100))
	fps := 50 + float64(h>>40&1023)/100
	s.SetFloat(schema.FPS, fps)
	s.SetFloat(schema.FrameMS, math.Round(1e5/fps)/100)
	s.SetUint(schema.Entities, 180_000+uint64(count*3)+h>>54&15)
	s.SetFloat(schema.MemoryMB, 9000+float64(h>>30&4095)/10)
	s.SetFloat(schema.CPUPercent, float64(h>>20&1023)/10)
	s.SetUint(schema.NetIn, 150_000+h>>44&0xffff)
	s.SetUint(schema.NetOut, 900_000+h>>34&0x3ffff)
	s.SetUint(schema.UptimeS, uint64(count)*10)
	s.SetText(schema.Map, "Procedural Map")
	s.SetText(schema.Version, "2587.240.1")
	for m, name := range l.names {
		s.Metrics = append(s.Metrics, schema.Metric{Name: name, Value: float64(h>>(m&31)&0xffff) / 4})
	}
}

// body encodes a message; samples is room for its samples.
func (l *traffic) body(samples []schema.Sample, message int) []byte {
	for i := range samples {
		l.sample(&samples[i], message, i)
	}
	if len(samples) == 1 {
		return wire.AppendJSON(nil, &samples[0])
	}
	return wire.AppendArray(nil, samples)
}

// publishBacklog fills the streams with the traffic's first messages and gives their bytes.
func publishBacklog(t testing.TB, url string, c Config, l *traffic, messages int) (bodies int) {
	t.Helper()
	nc, js := benchJetStream(t, url)
	defer nc.Close()
	for _, stream := range statsStreams(c.Streams, c.Partitions.Count) {
		if _, _, err := ensureStream(t.Context(), js, stream); err != nil {
			t.Fatal(err)
		}
	}
	samples := make([]schema.Sample, l.per)
	for m := range messages {
		body := l.body(samples, m)
		bodies += len(body)
		if _, err := js.PublishAsync(schema.StatsSubject(l.license(m)), body, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		t.Fatal("backlog was not published within two minutes")
	}
	if n, err := streamed(t.Context(), js); err != nil || n != uint64(messages) {
		t.Fatalf("%d of %d messages are in the streams: %v", n, messages, err)
	}
	return bodies
}

func benchJetStream(t testing.TB, url string) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// streamed counts the messages that wait in the streams, those pulled and not acknowledged included.
func streamed(ctx context.Context, js jetstream.JetStream) (waiting uint64, err error) {
	for _, name := range []string{schema.StreamStats, schema.StreamStatsByServer} {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("look at %s: %w", name, err)
		}
		waiting += s.CachedInfo().State.Msgs
	}
	return waiting, nil
}
