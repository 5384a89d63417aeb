package ingest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"corrosion/schema"
)

// metered is a meter of ten samples a second, in seconds of the stream and of our clock.
type metered struct {
	meter
	taken int64
}

var tenASecond = amounts{meterSamples: 10}

func newMetered() *metered { return &metered{meter: meter{held: new(int)}} }

// take takes n samples one by one and gives how many of them were let through.
func (m *metered) take(n int, second, now int64) (let int) {
	for range n {
		if m.left(tenASecond, second*1000, now*1000)[meterSamples] > 0 {
			m.use(tenASecond, amounts{meterSamples: 1}, second*1000+999, now*1000)
			let++
		}
	}
	m.taken += int64(let)
	return let
}

func TestMeterBySeconds(t *testing.T) {
	const start = 1_000_000 * 60
	for _, c := range []struct {
		name string
		// at is the second, n how many come in it, let how many go through.
		steps [][3]int
	}{
		{"a minute's worth at once, then the rate", [][3]int{{0, 700, 600}, {1, 50, 10}, {2, 50, 10}}},
		{"over the edge of a minute", [][3]int{{58, 700, 600}, {59, 50, 10}, {60, 50, 10}, {61, 50, 10}}},
		{"what is saved up", [][3]int{{0, 600, 600}, {30, 1000, 300}, {119, 1000, 600}}},
		{"never more than a minute's worth", [][3]int{{0, 0, 0}, {600, 1000, 600}}},
		{"idle for minutes", [][3]int{{0, 600, 600}, {185, 601, 600}}},
		{"exactly the rate", [][3]int{{0, 600, 600}, {1, 10, 10}, {2, 10, 10}, {3, 11, 10}}},
	} {
		m := newMetered()
		for _, s := range c.steps {
			if let := m.take(s[1], start+int64(s[0]), 0); let != s[2] {
				t.Errorf("%s: second %d: %d of %d let through, want %d", c.name, s[0], let, s[1], s[2])
			}
		}
	}
}

// A message that is larger than what is left is taken whole and owed.
func TestMeterOwes(t *testing.T) {
	m := newMetered()
	m.use(tenASecond, amounts{meterSamples: 1000}, 0, 0)
	for second, want := range map[int64]int64{0: -400, 40: 0, 41: 10, 60: 200} {
		if got := m.left(tenASecond, second*1000, 0)[meterSamples]; got != want {
			t.Errorf("%d left in second %d, want %d", got, second, want)
		}
	}
}

// A backlog is judged as it was published: partitions that are drained one after the other, each far ahead of the next,
// let through what they would have side by side.
func TestMeterPartitionsApart(t *testing.T) {
	const seconds, lanes = 600, 4
	m := newMetered()
	for lane := range lanes {
		for second := range int64(seconds) {
			if let := m.take(2, second, int64(lane)); let != 2 { // 8 of 10 a second together
				t.Fatalf("lane %d, second %d: %d of 2 let through", lane, second, let)
			}
		}
	}
	storm := newMetered()
	for range lanes {
		for second := range int64(seconds) {
			storm.take(25, second, 0) // 100 of 10 a second together
		}
	}
	if most := int64(10*seconds + 3*600); storm.taken > most || storm.taken < 10*seconds {
		t.Errorf("%d let through a storm of four partitions in %d s, want about %d", storm.taken, seconds, 10*seconds)
	}
}

// In order, however it is cut into seconds: never more than what was saved and refilled, and never less than was there.
func TestMeterIsATokenBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMetered()
		bucket, last := int64(600), int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			second := last + rapid.Int64Range(0, 90).Draw(t, "pause")
			n := rapid.IntRange(0, 800).Draw(t, "samples")
			bucket, last = min(bucket+10*(second-last), 600), second
			want := min(int64(n), bucket)
			bucket -= want
			if got := int64(m.take(n, second, second)); got != want {
				t.Fatalf("second %d: %d of %d let through, want %d", second, got, n, want)
			}
		}
	})
}

func TestMeterKeepsFewMinutes(t *testing.T) {
	m := newMetered()
	for second := range int64(3600) {
		m.take(1, second, second)
	}
	if len(m.minutes) > 3 {
		t.Errorf("%d minutes kept of one partition", len(m.minutes))
	}
	for _, second := range rand.Perm(100 * 60) {
		m.take(1, int64(second), 3600)
	}
	if len(m.minutes) != maxMinutes || *m.held != maxMinutes {
		t.Errorf("%d minutes kept at most, %d counted, want %d", len(m.minutes), *m.held, maxMinutes)
	}
	if m.forget(); *m.held != 0 {
		t.Errorf("%d minutes counted of none", *m.held)
	}
}

func TestNames(t *testing.T) {
	var n names
	admit := func(hour int64, hash uint64, want bool) {
		t.Helper()
		n.turn(hour * nameHour)
		if ok, _ := n.admit(hash, 3); ok != want {
			t.Errorf("hour %d: name %d let in: %v", hour, hash, ok)
		}
	}
	for _, hash := range []uint64{1, 2, 3, 1} {
		admit(10, hash, true)
	}
	admit(10, 4, false)
	admit(11, 1, true) // stays at home
	admit(11, 4, false)
	admit(10, 2, true) // time goes back: of the present hour
	admit(12, 4, true) // 3 has not come since hour 10
	admit(12, 3, false)
	admit(12, 1, true)
	admit(13, 2, true)
	admit(13, 3, false)
	admit(15, 9, true) // two hours of nothing: all are forgotten
	if n.count != 1 {
		t.Errorf("%d names kept", n.count)
	}
}

func newTestTenant(q schema.Quotas) (*tenant, *licenseCache) {
	c := newLicenseCache(q)
	c.learn(reply{Standing: Standing{Known: true}}, time.Now())
	return c.answers[reply{}.license].tenant, c
}

func TestTenantLeavesNewNamesOut(t *testing.T) {
	tenant, cache := newTestTenant(schema.Quotas{Servers: 2, MetricNames: 3})
	sample := func(server string, names ...string) (kept []string) {
		s := schema.Sample{ServerID: server}
		for i, name := range names {
			s.Metrics = append(s.Metrics, schema.Metric{Name: name, Value: float64(i)})
		}
		if !tenant.admitServer(server) {
			return []string{"refused"}
		}
		left := tenant.admitMetrics(&s)
		for _, m := range s.Metrics {
			kept = append(kept, m.Name)
			if names[int(m.Value)] != m.Name {
				t.Errorf("value %v stands under %s", m.Value, m.Name)
			}
		}
		if left != len(names)-len(kept) {
			t.Errorf("%d left out of %v, kept %v", left, names, kept)
		}
		return kept
	}
	tenant.begin(0)
	for _, c := range []struct {
		server string
		names  []string
		want   []string
	}{
		{"a", []string{"x", "y"}, []string{"x", "y"}},
		{"a", []string{"x", "z", "y"}, []string{"x", "z", "y"}},
		{"b", []string{"new", "y", "newer", "x"}, []string{"y", "x"}},
		{"c", []string{"x"}, []string{"refused"}},
		{"a", []string{"z"}, []string{"z"}},
		{"b", nil, nil},
	} {
		if kept := sample(c.server, c.names...); !slices.Equal(kept, c.want) {
			t.Errorf("%s %v: kept %v, want %v", c.server, c.names, kept, c.want)
		}
	}
	if cache.names != 5 {
		t.Errorf("%d names counted, want 5", cache.names)
	}
	tenant.begin(3 * nameHour)
	if kept := sample("c", "new"); !slices.Equal(kept, []string{"new"}) || cache.names != 2 {
		t.Errorf("hours later %v is kept, %d names", kept, cache.names)
	}
	cache.drop(tenant.license)
	if cache.names != 0 {
		t.Errorf("%d names of no license", cache.names)
	}
}

// New quotas hold at once and without debts; the same ones keep what was used.
func TestTenantQuotasChange(t *testing.T) {
	tenant, cache := newTestTenant(schema.Quotas{})
	use := func() bool {
		_, over := tenant.exhausted(0, 0)
		tenant.use(&message{}, 100_000, 0, 0)
		return over
	}
	change := func(rate int64) {
		cache.learn(reply{Standing: Standing{Known: true, Quotas: schema.QuotaOverrides{SamplesPerSecond: &rate}}}, time.Now())
	}
	for range 2 {
		if use() {
			t.Error("refused without a quota")
		}
	}
	change(10)
	if use() || !use() {
		t.Error("a quota begins with a full bucket, and holds then")
	}
	change(10)
	if !use() {
		t.Error("the same quota again forgave what was used")
	}
	change(0)
	if use() {
		t.Error("refused without a quota again")
	}
}

func TestTallies(t *testing.T) {
	all := newTallies()
	a, b := &tenant{license: [16]byte{1}}, &tenant{license: [16]byte{2}}
	all.of(b, 60_000).add(accepted, 2, 20)
	all.of(a, 120_000).add(quotaMetrics, 7, 0)
	all.of(a, 60_000).reject("bad-ts", 5)
	all.of(a, 60_001).reject("bad-ts", 6)
	all.of(a, 119_999).add(accepted, 1, 10)
	want := []tallyRow{
		{tallyKey{a.license, 1}, "accepted", count{1, 10}}, {tallyKey{a.license, 1}, "rejected:bad-ts", count{2, 11}},
		{tallyKey{a.license, 2}, "quota_metrics", count{7, 0}}, {tallyKey{b.license, 1}, "accepted", count{2, 20}},
	}
	if got := all.take(); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	all.of(a, 119_999).add(accepted, 3, 30)
	if got := all.take(); !slices.Equal(got, []tallyRow{{tallyKey{a.license, 1}, "accepted", count{3, 30}}}) {
		t.Errorf("counted on after they were taken: %v", got)
	}
	for minute := range int64(maxTallies + 10) {
		all.of(a, minute*60_000).add(accepted, 1, 1)
	}
	if got := len(all.take()); got != maxTallies {
		t.Errorf("%d rows kept, want %d", got, maxTallies)
	}
	if lost, again := all.takeLost(), all.takeLost(); lost != 10 || again != 0 {
		t.Errorf("%d samples lost, then %d; want 10, 0", lost, again)
	}
}

// All licenses together hold a bounded number of names and minutes, however many there are.
func TestLicensesTogetherAreBounded(t *testing.T) {
	c := newLicenseCache(schema.Quotas{SamplesPerSecond: 1, Servers: 1 << 40})
	for n := range 3 {
		c.learn(reply{license: uuid.UUID{byte(n)}, Standing: Standing{Known: true}}, time.Now())
	}
	for n := range maxNames + 2 {
		c.answers[uuid.UUID{byte(n % 3)}].tenant.admitServer(strconv.Itoa(n))
	}
	if what := c.bound(); what != "servers and metric names" || c.names != 0 || c.bound() != "" {
		t.Errorf("%q is bounded, %d names are left", what, c.names)
	}
	c.minutes = maxMinutesTogether
	c.answers[uuid.UUID{1}].tenant.use(&message{}, 1, 1, 0)
	if what := c.bound(); what != "rates" || c.minutes != maxMinutesTogether {
		t.Errorf("%q is bounded, %d minutes are left", what, c.minutes)
	}
}
