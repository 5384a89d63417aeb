package ingest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
	"corrosion/schema/wire"
)

// benchBatch is a batch of lifelike rows, all of one hour, under a fresh license.
func benchBatch(rows int) *batch {
	b := newBatch()
	license := uuid.New()
	for n := range rows {
		s := testSample(n)
		s.License, s.TS = license, 1_800_000_000_000+int64(n)%3_600_000
		b.Append(&s)
	}
	return b
}

// Inserting alone, without JetStream and decoding: ch-go's columns as they are filled against clickhouse-go's
// columnar batch, into nothing and into the real table with its views.
//
//	go test ./ingest -run '^$' -bench BenchmarkInsert -benchtime 10x -benchmem
func BenchmarkInsert(b *testing.B) {
	const rows = 100_000
	url := schematest.ClickHouseURL(b)
	conn := schematest.Connect(b, url)
	if err := conn.Exec(b.Context(), "CREATE TABLE IF NOT EXISTS corrosion.samples_null AS corrosion.samples ENGINE = Null"); err != nil {
		b.Fatal(err)
	}
	for table, into := range map[string]string{"null": "corrosion.samples_null", "table": schema.SamplesTable} {
		for _, compression := range []string{"none", "lz4"} {
			b.Run(fmt.Sprintf("%s/ch-go/%s", table, compression), func(b *testing.B) {
				c := DefaultConfig()
				c.ClickHouseURL, c.Compression = url, compression
				i, err := newInserter(c, time.Now)
				if err != nil {
					b.Fatal(err)
				}
				defer i.close()
				i.fence = newInsertFence(into)
				batch := benchBatch(rows)
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					batch.id, batch.attempt = fmt.Sprintf("%s-%d", uuid.NewString(), n), attempt{}
					if err := i.insert(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
			b.Run(fmt.Sprintf("%s/clickhouse-go/%s", table, compression), func(b *testing.B) {
				options, err := clickhouse.ParseDSN(url)
				if err != nil {
					b.Fatal(err)
				}
				if compression == "lz4" {
					options.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
				}
				conn, err := clickhouse.Open(options)
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				columns := boxedColumns(benchBatch(rows))
				b.ReportAllocs()
				for b.Loop() {
					ctx := clickhouse.Context(b.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": uuid.NewString()}))
					batch, err := conn.PrepareBatch(ctx, insertInto(into))
					if err != nil {
						b.Fatal(err)
					}
					for i, column := range columns {
						if err := batch.Column(i).Append(column); err != nil {
							b.Fatal(err)
						}
					}
					if err := batch.Send(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

func insertInto(table string) string {
	return "INSERT INTO " + table + schema.InsertSamples()[len("INSERT INTO "+schema.SamplesTable):]
}

// boxedColumns is the batch as clickhouse-go wants it: slices of pointers where NULL is possible, a map a row.
func boxedColumns(b *batch) []any {
	var (
		servers []string
		times   []time.Time
		arrived []time.Time
		metrics []map[string]float64
	)
	start := uint64(0)
	for i := range b.rows {
		servers = append(servers, b.server.dict.Row(int(b.server.keys[i])))
		times = append(times, time.UnixMilli(b.ts[i]))
		arrived = append(arrived, time.UnixMilli(b.received[i]))
		m := map[string]float64{}
		for ; start < b.metrics.ends[i]; start++ {
			m[b.metrics.keys.dict.Row(int(b.metrics.keys.keys[start]))] = b.metrics.values[start]
		}
		metrics = append(metrics, m)
	}
	columns := []any{[]uuid.UUID(b.license), servers, times}
	for f := range b.fields {
		columns = append(columns, boxedField(&b.fields[f]))
	}
	return append(columns, metrics, []uint64(b.epoch), []uint64(b.seq), []uint16(b.idx), arrived)
}

func boxedField(c *fieldColumn) any {
	switch {
	case c.u32 != nil:
		return boxed(*c.u32, c.number.nulls)
	case c.u64 != nil:
		return boxed(*c.u64, c.number.nulls)
	case c.f64 != nil:
		return boxed(*c.f64, c.number.nulls)
	}
	texts := make([]*string, len(c.text.keys))
	for i, key := range c.text.keys {
		if key != 0 {
			texts[i] = new(c.text.dict.Row(int(key)))
		}
	}
	return texts
}

func boxed[T any](values []T, nulls []uint8) []*T {
	pointers := make([]*T, len(values))
	for i := range values {
		if nulls[i] == 0 {
			pointers[i] = &values[i]
		}
	}
	return pointers
}

// Draining a backlog through the whole ingester, from its start until every message is stored and acknowledged; real
// servers in processes of their own. pull is the same backlog only pulled and acknowledged.
//
//	go test ./ingest -run '^$' -bench BenchmarkDrain -benchtime 1x -timeout 20m [-cpuprofile /tmp/cpu]
func BenchmarkDrain(b *testing.B) {
	for _, per := range []int{1, 100} {
		samples := 300_000
		if per > 1 {
			samples = 1_000_000
		}
		b.Run(fmt.Sprintf("samples=%d/drain", per), func(b *testing.B) { benchmarkDrain(b, samples/per, per) })
		b.Run(fmt.Sprintf("samples=%d/pull", per), func(b *testing.B) { benchmarkPull(b, samples/per, per) })
	}
}

func benchmarkDrain(b *testing.B, messages, per int) {
	for b.Loop() {
		b.StopTimer()
		r := newRig(b, rigOptions{})
		license := r.licenses.add()
		r.stop()
		r.backlog(license, messages, per)
		b.StartTimer()
		r.start()
		want := uint64(messages * per)
		var stored uint64
		localtest.CheckFor(b, 5*time.Minute, 5*time.Millisecond, func() error {
			if stored = uint64(r.metric("corrosion_ingest_samples_stored_total")); stored < want {
				return fmt.Errorf("%d of %d stored", stored, want)
			}
			return nil
		})
		r.waitAcked(time.Minute)
		b.StopTimer()
		r.waitStored(license, want, time.Second)
		r.stop()
		b.StartTimer()
	}
	b.ReportMetric(float64(messages*per*b.N)/b.Elapsed().Seconds(), "samples/s")
}

func benchmarkPull(b *testing.B, messages, per int) {
	for b.Loop() {
		b.StopTimer()
		r := newRig(b, rigOptions{})
		license := r.licenses.add()
		r.stop()
		r.backlog(license, messages, per)
		status := newStatus(&r.config, time.Now)
		js, err := jetstream.New(r.nc)
		if err != nil {
			b.Fatal(err)
		}
		p := newPuller(r.nc, js, r.config, status, testLogger(b), testLedger(b, r.config.ClickHouseURL))
		b.StartTimer()
		p.start()
		for range messages {
			m := p.next()
			if err := p.ack(&m.receipt); err != nil {
				b.Fatal(err)
			}
		}
		r.waitAcked(time.Minute)
		b.StopTimer()
		p.stop()
		p.abandon()
		if err := p.release(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(messages*per*b.N)/b.Elapsed().Seconds(), "samples/s")
}

// backlog fills the stream with messages of per samples.
func (r *rig) backlog(license uuid.UUID, messages, per int) {
	r.t.Helper()
	now := time.Now().UnixMilli()
	samples := make([]schema.Sample, per)
	var body []byte
	for n := range messages {
		for i := range samples {
			samples[i] = testSample(n*per + i)
			samples[i].TS = now - int64(n%1000)
			samples[i].SetUint(schema.N, uint64((n*per+i)/50)) // each of the 50 servers counts its own
		}
		if body = wire.AppendJSON(nil, &samples[0]); per > 1 {
			body = wire.AppendArray(nil, samples)
		}
		if _, err := r.js.PublishAsync(schema.StatsSubject(license), body); err != nil {
			r.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	select {
	case <-r.js.PublishAsyncComplete():
	case <-ctx.Done():
		r.t.Fatal("backlog was not published within a minute")
	}
}
