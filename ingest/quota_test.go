package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"corrosion/schema"
	"corrosion/schema/wire"
)

func samplesASecond(n int64) func(*Config) {
	return func(c *Config) { c.Quotas = schema.Quotas{SamplesPerSecond: n} }
}

// counted checks the sums that the journal was given since the test began.
func (b *bench) counted(want map[string]int64) {
	b.t.Helper()
	if fmt.Sprint(b.journal.counts) != fmt.Sprint(want) {
		b.t.Errorf("the journal has %v, want %v", b.journal.counts, want)
	}
}

func TestPipelineRefusesBeyondTheRate(t *testing.T) {
	inBubble(t, samplesASecond(10), func(b *bench) {
		b.give(1000) // in one second
		b.want(400)  // refused messages wait for no insert
		b.pass(10 * time.Second)
		b.want(1000, 600)
		b.give(200)
		b.pass(time.Second)
		b.want(1200, 600, 100)
		if len(b.graves.buried) != 0 {
			b.t.Errorf("%d dead letters of what a quota refused", len(b.graves.buried))
		}
		b.pass(10 * time.Second)
		b.counted(map[string]int64{"accepted": 700, "quota_samples": 500})
	})
}

// A backlog that comes all at once, as it does after an outage, is judged by when it was published.
func TestPipelineDoesNotPunishABacklog(t *testing.T) {
	inBubble(t, samplesASecond(10), func(b *bench) {
		published := time.Now()
		const seconds = 3600
		b.pass(2 * seconds * time.Second)
		for i := range 9 * seconds {
			b.seq++
			b.from.out <- message{
				receipt: receipt{epoch: 1, seq: b.seq, storedAt: published.Add(time.Duration(i) * time.Second / 9).UnixMilli()},
				subject: schema.StatsSubject(b.license), data: b.body, delivered: 1,
			}
		}
		b.pass(20 * time.Second)
		b.counted(map[string]int64{"accepted": 9 * seconds})
	})
}

// A message that was refused is answered again when it comes again, and not looked at.
func TestPipelineRefusedOnce(t *testing.T) {
	inBubble(t, samplesASecond(1), func(b *bench) {
		b.give(61)
		b.seq--
		b.pass(10 * time.Second)
		b.give(1)
		b.pass(20 * time.Second)
		b.want(62, 60)
		b.counted(map[string]int64{"accepted": 60, "quota_samples": 1})
	})
}

// While nothing but refused messages comes, nothing is stuck.
func TestPipelineRefusingIsProgress(t *testing.T) {
	inBubble(t, samplesASecond(1), func(b *bench) {
		b.give(60)
		b.pass(time.Second)
		b.status.consumerSeen("STATS/0", 1000, 0)
		for range 60 {
			b.give(5)
			b.pass(time.Second)
		}
		if h := b.status.health(); !h.OK {
			b.t.Errorf("unhealthy: %v", h.Reasons)
		}
	})
}

func TestPipelineQuotaOfBytes(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		rate := int64(len(b.body))
		b.who.setQuotas(b.license, schema.QuotaOverrides{BytesPerSecond: &rate})
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			b.t.Fatal(err)
		}
		defer encoder.Close()
		packed := encoder.EncodeAll([]byte("["+strings.Repeat(string(b.body)+",", 29)+string(b.body)+"]"), nil)
		for range 4 { // half a minute's worth each, and the brackets
			b.seq++
			b.from.out <- message{
				receipt: receipt{epoch: 1, seq: b.seq, storedAt: time.Now().UnixMilli()},
				subject: schema.StatsSubject(b.license), data: packed, encoding: "zstd", delivered: 1,
			}
		}
		b.pass(20 * time.Second)
		b.counted(map[string]int64{"accepted": 60, "quota_bytes": 60})
	})
}

func TestPipelineQuotasOfNames(t *testing.T) {
	inBubble(t, func(c *Config) { c.Quotas = schema.Quotas{Servers: 3, MetricNames: 4} }, func(b *bench) {
		for i := range 10 {
			b.giveBody(fmt.Appendf(nil, `{"server_id":"s%d","metrics":{"home":1,"m%d":2}}`, i%5, i))
		}
		b.giveBody([]byte(`[{"server_id":"s0","players":-1},{"server_id":"s1"},{"server_id":"s9"}]`))
		b.pass(20 * time.Second)
		// Of the names, home and three more: m0 to m2; of the servers, s0 to s2.
		b.counted(map[string]int64{"accepted": 7, "quota_servers": 5, "quota_metrics": 3, "rejected:out-of-range": 1})
		if len(b.graves.buried) != 1 || len(b.from.acked) != 11 {
			b.t.Errorf("%d letters, %d acked", len(b.graves.buried), len(b.from.acked))
		}
	})
}

// What cannot be written waits, and the last counts are written when the ingester stops.
func TestPipelineJournalIsKept(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.journal.fail.set(errors.New("away"))
		b.give(5)
		b.pass(25 * time.Second)
		b.give(7)
		b.pass(15 * time.Second)
		if h := b.status.health(); !h.OK {
			b.t.Errorf("unhealthy for the journal's sake: %v", h.Reasons)
		}
		b.counted(map[string]int64{})
		b.journal.fail.set(nil)
		b.pass(20 * time.Second)
		b.counted(map[string]int64{"accepted": 12})
		b.give(1)
		b.stop()
		<-b.ended
		b.counted(map[string]int64{"accepted": 13})
	})
}

// Names and rates cost the warm path of a sample nothing but time.
func TestQuotasAllocateNothing(t *testing.T) {
	tenant, _ := newTestTenant(schema.DefaultQuotas())
	decoder, all := wire.NewDecoder(), newTallies()
	s := testSample(256)
	s.TS = time.Now().UnixMilli()
	m := &message{data: wire.AppendJSON(nil, &s)}
	m.storedAt = s.TS
	pass := func() {
		if _, over := tenant.exhausted(m.storedAt, s.TS); over {
			t.Fatal("over the quota")
		}
		tenant.begin(m.storedAt)
		decoder.Decode(wire.Envelope{StoredAt: m.storedAt}, "", m.data, func(s *schema.Sample) {
			if !tenant.admitServer(s.ServerID) || tenant.admitMetrics(s) > 0 {
				t.Fatal("names over the quota")
			}
		}, func(r wire.Reject) { t.Fatal(r) })
		tenant.use(m, 1, decoder.PlainBytes(), s.TS)
		all.of(tenant, m.storedAt).add(accepted, 1, 1)
	}
	pass()
	if n := testing.AllocsPerRun(100, pass); n != 0 {
		t.Errorf("%v allocations a sample", n)
	}
	over := newTestTenantOver(t, m)
	if n := testing.AllocsPerRun(100, func() {
		by, _ := over.exhausted(m.storedAt, s.TS)
		all.of(over, m.storedAt).add(by, over.estimate(m), 1)
	}); n != 0 {
		t.Errorf("%v allocations a refused message", n)
	}
}

func newTestTenantOver(t *testing.T, m *message) *tenant {
	t.Helper()
	over, _ := newTestTenant(schema.Quotas{SamplesPerSecond: 1})
	over.use(m, 1000, 0, m.storedAt)
	if by, refused := over.exhausted(m.storedAt, m.storedAt); !refused || by != quotaSamples {
		t.Fatalf("not over its quota: %v", by)
	}
	return over
}

func quota(n int64) *int64 { return &n }

// One license storms with names and samples, the other goes on as if it were alone.
func TestStormIsRefusedAndCounted(t *testing.T) {
	r := newRig(t, rigOptions{change: func(c *Config) { c.Quotas = schema.DefaultQuotas() }})
	calm, storm := r.licenses.add(), r.licenses.add()
	r.licenses.setQuotas(storm, schema.QuotaOverrides{SamplesPerSecond: quota(10), Servers: quota(5), MetricNames: quota(20)})
	const messages, per = 40, 100
	for m := range messages {
		var body bytes.Buffer
		for i := range per {
			fmt.Fprintf(&body, `{"server_id":"s%d","metrics":{"a":1,"name%d":2}}`+"\n", i%8, m*per+i)
		}
		if m%2 == 0 {
			r.publish(schema.StatsSubject(storm), body.Bytes())
		} else {
			r.publish(schema.ServerStatsSubject(storm, "s1"), fmt.Appendf(nil, `{"server_id":"s1","metrics":{"b%d":1}}`, m))
		}
		r.publish(schema.StatsSubject(calm), []byte(`{"server_id":"x","players":1,"metrics":{"m":1}}`))
	}
	r.waitAcked(20 * time.Second)
	r.waitStored(calm, messages, 10*time.Second)
	r.stop() // writes the last counts
	log := r.ingestLog(storm)
	published := int64(messages/2*per + messages/2)
	if sum := log["accepted"] + log["quota_samples"] + log["quota_servers"]; sum != published {
		t.Errorf("%d of %d samples counted: %v", sum, published, log)
	}
	for _, outcome := range []string{"accepted", "quota_samples", "quota_servers", "quota_metrics"} {
		if log[outcome] == 0 {
			t.Errorf("none counted as %s: %v", outcome, log)
		}
	}
	var rows, servers, names uint64
	if err := r.query("SELECT count(), uniqExact(server_id), length(groupUniqArrayArray(mapKeys(metrics))) FROM corrosion.samples WHERE license_id = ?",
		[]any{storm}, &rows, &servers, &names); err != nil {
		t.Fatal(err)
	}
	if int64(rows) != log["accepted"] || servers > 5 || names > 20 {
		t.Errorf("%d rows of %d servers with %d names; accepted %d", rows, servers, names, log["accepted"])
	}
	if got := r.ingestLog(calm); fmt.Sprint(got) != fmt.Sprint(map[string]int64{"accepted": messages}) {
		t.Errorf("the calm license's log has %v", got)
	}
	if letters := r.letters(); len(letters) != 0 {
		t.Errorf("%d dead letters", len(letters))
	}
}

// ingestLog is what became of a license's samples, by outcome.
func (r *rig) ingestLog(license uuid.UUID) map[string]int64 {
	r.t.Helper()
	rows, err := r.ch.Query(r.t.Context(), "SELECT outcome, toInt64(sum(count)) FROM corrosion.ingest_log WHERE license_id = ? GROUP BY outcome", license)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	log := map[string]int64{}
	for rows.Next() {
		var outcome string
		var n int64
		if err := rows.Scan(&outcome, &n); err != nil {
			r.t.Fatal(err)
		}
		log[outcome] = n
	}
	return log
}

// A page that is written twice, for nobody knows whether it was stored, counts once.
func TestIngestLogCountsAPageOnce(t *testing.T) {
	r := newRig(t, rigOptions{})
	link, err := newLink(&r.config)
	if err != nil {
		t.Fatal(err)
	}
	log := &ingestLog{link: link, timeout: time.Minute}
	defer log.close()
	license := uuid.New()
	page := &journalPage{id: uuid.NewString(), rows: []tallyRow{
		{tallyKey{license, time.Now().Unix() / 60}, "accepted", count{3, 30}}, {tallyKey{license, time.Now().Unix()/60 + 1}, "duplicate", count{1, 10}},
	}}
	for range 3 {
		if err := log.write(t.Context(), page); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.ingestLog(license); fmt.Sprint(got) != "map[accepted:3 duplicate:1]" {
		t.Errorf("the log has %v", got)
	}
}

// A quota that is set while samples flow holds within a minute.
func TestQuotaAppliesWithinAMinute(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.give(100)
		b.who.setQuotas(b.license, schema.QuotaOverrides{SamplesPerSecond: quota(1)})
		for range 60 {
			b.give(1)
			b.pass(time.Second)
		}
		b.give(100)
		b.pass(20 * time.Second)
		if b.journal.counts["quota_samples"] < 30 {
			b.t.Errorf("a minute after it was set the quota does not hold: %v", b.journal.counts)
		}
		b.who.setQuotas(b.license, schema.QuotaOverrides{})
		for range 60 {
			b.give(1)
			b.pass(time.Second)
		}
		before := b.journal.counts["quota_samples"]
		b.give(1000)
		b.pass(20 * time.Second)
		if refused := b.journal.counts["quota_samples"] - before; refused > 0 {
			b.t.Errorf("a minute after it was lifted the quota refuses %d", refused)
		}
	})
}
