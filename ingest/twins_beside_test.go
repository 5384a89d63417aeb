package ingest

import (
	"strconv"
	"testing"
	"time"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// besides are the twins of every partition of count.
func besides(count int) neighbours {
	b := neighbours{map[string]*twins{}, count}
	for _, name := range partitionNames(count) {
		b.twins[name] = newTwins()
	}
	return b
}

func TestTwinSampleOfAnotherPartition(t *testing.T) {
	beside := besides(4)
	s := testSample(1)
	s.ReceivedAt = 1_800_000_000_000
	s.SetText(schema.Boot, "a")
	license, server := beside.twins[partitionOf(4, s.License.String())], beside.twins[partitionOf(4, s.License.String(), s.ServerID)]
	for i := 0; license == server; i++ {
		s.ServerID = "server-" + strconv.Itoa(i)
		server = beside.twins[partitionOf(4, s.License.String(), s.ServerID)]
	}
	f := func(want bool, n uint64, by *twins, after time.Duration) {
		t.Helper()
		s.SetUint(schema.N, n)
		s.ReceivedAt = 1_800_000_000_000 + after.Milliseconds()
		if got := by.sample(&s, beside); got != want {
			t.Errorf("n %d after %s: known %v, want %v", n, after, got, want)
		}
	}
	f(false, 1, license, 0)
	f(true, 1, server, time.Second)
	f(true, 1, beside.twins[restPartition], time.Second)
	f(false, 2, server, 2*time.Second)
	f(true, 2, license, 3*time.Second)
	f(true, 2, license, 9*time.Minute)
	f(false, 3, server, 11*time.Minute)
	f(true, 3, license, 19*time.Minute)
	f(true, 2, license, 19*time.Minute) // at most twice as long as promised
	f(false, 1, server, time.Hour)
	f(true, 1, license, time.Hour)
}

// What a partition let through that was lost since may not be stored: the partition's messages come again, and must
// not be taken for repeats of themselves.
func TestLostPartitionForgets(t *testing.T) {
	p := &pipeline{terms: map[string]*term{}, beside: neighbours{map[string]*twins{}, 4}, ids: newMessageIDs()}
	take := func() *term {
		t := &term{partition: "1", twins: newTwins()}
		p.join(t)
		return t
	}
	s := testSample(1)
	s.SetText(schema.Boot, "a")
	s.SetUint(schema.N, 1)
	first := take()
	if first.twins.sample(&s, p.beside) {
		t.Error("known at first")
	}
	first.gone.Store(true)
	if take().twins.sample(&s, p.beside) {
		t.Error("the delivery to the next term is taken for a repeat")
	}
	if len(p.terms) != 1 || len(p.beside.twins) != 1 {
		t.Errorf("%d terms, %d twins remembered", len(p.terms), len(p.beside.twins))
	}
}

// The same sample, and the same message id, by the license's subject and by the server's is stored once.
func TestDuplicatesByBothSubjects(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	const servers = 16 // over all partitions
	send := func(subject func(server string) string, second time.Duration) {
		for i := range servers {
			s := samplesOf("server-"+strconv.Itoa(i), 2)
			s[1].TS += second.Milliseconds()
			r.publish(subject(s[0].ServerID), wire.AppendArray(nil, s))
		}
		r.waitAcked(30 * time.Second)
	}
	short := func(string) string { return schema.StatsSubject(license) }
	long := func(server string) string { return schema.ServerStatsSubject(license, server) }
	send(short, 0)
	send(long, 0)
	send(short, time.Second)
	r.waitStored(license, 2*servers, 30*time.Second)
	if n := r.metric("corrosion_ingest_duplicates_total"); n != 4*servers {
		t.Errorf("%v duplicates counted, want %d", n, 4*servers)
	}
}

// A publisher whose count has a gap at every step costs a bounded memory.
func TestTwinSpansAreBounded(t *testing.T) {
	known, s := newTwins(), testSample(1)
	s.SetText(schema.Boot, "a")
	for i := range maxSpansTogether / maxPublisherSpans * 3 {
		s.ServerID = "server-" + strconv.Itoa(i)
		for n := range uint64(maxPublisherSpans) {
			s.SetUint(schema.N, 2*n)
			known.sample(&s, neighbours{})
		}
	}
	spans := 0
	for _, generation := range []map[publisher]*counts{known.samples.young, known.samples.old} {
		for _, c := range generation {
			spans += len(c.spans)
		}
	}
	if spans > 2*maxSpansTogether || spans < maxSpansTogether/2 {
		t.Errorf("%d spans remembered, want %d to %d", spans, maxSpansTogether/2, 2*maxSpansTogether)
	}
}

func BenchmarkTwinSample(b *testing.B) {
	for _, name := range []string{"alone", "beside"} {
		b.Run(name, func(b *testing.B) {
			beside := neighbours{}
			if name == "beside" {
				beside = besides(4)
			}
			known, s := newTwins(), testSample(1)
			s.SetText(schema.Boot, "a")
			n := uint64(0)
			for b.Loop() {
				n++
				s.SetUint(schema.N, n)
				known.sample(&s, beside)
			}
		})
	}
}
