package ingest

import "corrosion/schema"

// minuteSeconds is how many seconds one minuteUse holds; a bucket that was idle for so long is full again, so that one needs
// to know only the one before.
const minuteSeconds = schema.QuotaBurst

// How many minutes one license may have, and how long one rests before another minute takes its place, ms of our clock.
// Each partition of a backlog is in a minute of its own.
const (
	maxMinutes = 32
	minuteRest = 30_000
	// maxMinutesTogether bounds those of all licenses, a KiB each; beyond it all buckets are full again.
	maxMinutesTogether = 32 << 10
)

// What a meter measures.
const (
	meterSamples = iota
	meterBytes
	meters
)

type amounts [meters]int64

// meter is a token bucket of samples and one of bytes. Its clock is the time at which JetStream stored the messages, to
// the second, so that a backlog that is drained late and fast is judged as it was published. Partitions drain at their
// own pace: time may go back, so what was used is kept by the minute and second.
type meter struct {
	minutes []*minuteUse
	held    *int // minutes of all licenses
	last    *minuteUse
}

// minuteUse is what was used in one minute.
type minuteUse struct {
	minute  int64
	touched int64 // ms of our clock
	// begin is what the buckets held when the minute began, used what was taken in each second.
	begin amounts
	used  [minuteSeconds]amounts
	// left is what the buckets hold in second at; at is -1 where it must be added up anew.
	left amounts
	at   int
}

// left is what the buckets hold at a moment, ms: at most QuotaBurst seconds of each rate; below 0 where a message was
// larger than what was left. Rates of 0 are not for asking.
func (m *meter) left(rates amounts, storedAt, now int64) amounts {
	p, second := m.of(rates, storedAt, now)
	return p.look(rates, second)
}

// use takes from the buckets.
func (m *meter) use(rates, taken amounts, storedAt, now int64) {
	p, second := m.of(rates, storedAt, now)
	p.look(rates, second)
	for i := range taken {
		p.used[second][i] += taken[i]
		p.left[i] -= taken[i]
	}
}

// forget starts with full buckets.
func (m *meter) forget() {
	*m.held -= len(m.minutes)
	m.minutes, m.last = nil, nil
}

func (m *meter) of(rates amounts, storedAt, now int64) (*minuteUse, int) {
	seconds := storedAt / 1000
	minute, second := seconds/minuteSeconds, int(seconds%minuteSeconds)
	if m.last == nil || m.last.minute != minute {
		if m.last = m.find(minute); m.last == nil {
			m.last = m.begin(rates, minute, now)
		}
	}
	m.last.touched = now
	return m.last, second
}

func (m *meter) find(minute int64) *minuteUse {
	for _, p := range m.minutes {
		if p.minute == minute {
			return p
		}
	}
	return nil
}

// begin makes room for a minute in place of one that rests, or of the one that was not needed for longest.
func (m *meter) begin(rates amounts, minute, now int64) *minuteUse {
	begin := full(rates)
	before := m.find(minute - 1)
	if before != nil {
		begin = before.sum(rates, minuteSeconds)
	}
	var oldest *minuteUse
	for _, p := range m.minutes {
		if p != before && (oldest == nil || p.touched < oldest.touched) {
			oldest = p
		}
	}
	if oldest == nil || len(m.minutes) < maxMinutes && now-oldest.touched < minuteRest {
		oldest = &minuteUse{}
		m.minutes = append(m.minutes, oldest)
		*m.held++
	}
	*oldest = minuteUse{minute: minute, begin: begin, at: -1}
	return oldest
}

func full(rates amounts) (a amounts) {
	for i := range a {
		a[i] = rates[i] * schema.QuotaBurst
	}
	return a
}

// look is what the buckets hold in a second, less what was taken in it.
func (p *minuteUse) look(rates amounts, second int) amounts {
	if p.at != second {
		p.left, p.at = p.sum(rates, second), second
		for i := range p.left {
			p.left[i] -= p.used[second][i]
		}
	}
	return p.left
}

// sum is what the buckets hold when a second of the minute begins.
func (p *minuteUse) sum(rates amounts, second int) amounts {
	left, most := p.begin, full(rates)
	for s := range second {
		for i := range left {
			left[i] = min(left[i]-p.used[s][i]+rates[i], most[i])
		}
	}
	return left
}
