package ingest

import (
	"bytes"

	"github.com/google/uuid"

	"corrosion/schema"
)

// tenant is what the pipeline's loop keeps of a license: its quotas, and what it used of them. All of it starts anew with
// the process, and each of several ingesters counts what comes by its own partitions.
type tenant struct {
	license uuid.UUID
	quotas  schema.Quotas
	rates   amounts
	meter   meter
	servers names
	metrics names
	hash    hasher
	held    *int // names in all licenses' sets

	// lastServer and lastNames are those of the sample before, which are in the sets: most often the next has the same
	// names at the same places, as the same strings.
	lastServer string
	lastNames  []string

	// packed is what compressed messages of the license held, to judge those that are not read.
	packed struct{ bytes, samples int64 }
	tally  *tally
	minute int64  // of tally
	turn   uint64 // of tallies
	used   int64  // ms of our clock: when a message came last
}

// setQuotas takes quotas that may have changed.
func (t *tenant) setQuotas(q schema.Quotas) {
	if q == t.quotas {
		return
	}
	t.quotas, t.rates = q, amounts{meterSamples: q.SamplesPerSecond, meterBytes: q.BytesPerSecond}
	t.meter.forget() // what was used under other rates is not owed under these
	t.lastServer, t.lastNames = "", t.lastNames[:0]
}

// exhausted tells by which rate a message is refused that was stored at a time, ms. One that finds anything left is taken
// whole, so that it need not be read before; what it takes too much the next ones lack.
func (t *tenant) exhausted(storedAt, now int64) (outcome, bool) {
	t.used = now
	if t.rates == (amounts{}) {
		return 0, false
	}
	left := t.meter.left(t.rates, storedAt, now)
	switch {
	case t.rates[meterSamples] > 0 && left[meterSamples] <= 0:
		return quotaSamples, true
	case t.rates[meterBytes] > 0 && left[meterBytes] <= 0:
		return quotaBytes, true
	}
	return 0, false
}

// use takes a message that was read from the rates.
func (t *tenant) use(m *message, samples, plain int, now int64) {
	if t.rates != (amounts{}) {
		t.meter.use(t.rates, amounts{meterSamples: int64(samples), meterBytes: int64(max(plain, len(m.data)))}, m.storedAt, now)
	}
	if m.encoding != "" {
		t.packed.bytes += int64(len(m.data))
		t.packed.samples += int64(samples)
	}
}

// estimate is how many samples an unread message holds: exact where they are plain JSON as most write it.
func (t *tenant) estimate(m *message) int64 {
	if m.encoding != "" {
		if t.packed.bytes == 0 {
			return 1
		}
		return max(1, int64(len(m.data))*t.packed.samples/t.packed.bytes)
	}
	return max(1, int64(bytes.Count(m.data, serverKey)))
}

// serverKey stands once in every sample.
var serverKey = []byte(`"server_id"`)

// begin is called before the samples of a message that was stored at a time, ms.
func (t *tenant) begin(storedAt int64) {
	before := t.servers.count + t.metrics.count
	servers, metrics := t.servers.turn(storedAt), t.metrics.turn(storedAt)
	if servers || metrics {
		t.lastServer, t.lastNames = "", t.lastNames[:0]
		*t.held += t.servers.count + t.metrics.count - before
	}
}

// admitServer tells whether the server is known or may become so.
func (t *tenant) admitServer(server string) bool {
	if t.quotas.Servers == 0 || server == t.lastServer {
		return true
	}
	if !t.admit(&t.servers, server, t.quotas.Servers) {
		return false
	}
	t.lastServer = server
	return true
}

// admitMetrics takes values out of the sample whose names are too many, and tells how many that were.
func (t *tenant) admitMetrics(s *schema.Sample) (refused int) {
	if t.quotas.MetricNames == 0 {
		return 0
	}
	kept := 0
	for i := range s.Metrics {
		name := s.Metrics[i].Name
		if i >= len(t.lastNames) || t.lastNames[i] != name {
			if !t.admit(&t.metrics, name, t.quotas.MetricNames) {
				continue
			}
			t.remember(i, name)
		}
		if kept != i {
			s.Metrics[kept] = s.Metrics[i]
		}
		kept++
	}
	refused = len(s.Metrics) - kept
	s.Metrics = s.Metrics[:kept]
	return refused
}

// remember notes a name of the set by its place.
func (t *tenant) remember(place int, name string) {
	for len(t.lastNames) <= place {
		t.lastNames = append(t.lastNames, "")
	}
	t.lastNames[place] = name
}

func (t *tenant) admit(set *names, name string, limit int64) bool {
	ok, fresh := set.admit(t.hash.of(name), limit)
	if fresh {
		*t.held++
	}
	return ok
}

// forgetNames empties the sets.
func (t *tenant) forgetNames() {
	*t.held -= t.servers.count + t.metrics.count
	t.servers.forget()
	t.metrics.forget()
	t.lastServer, t.lastNames = "", nil
}
