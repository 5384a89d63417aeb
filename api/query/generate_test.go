package query

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// generator makes small sets of samples with everything that is awkward: unmeasured fields, servers at different paces,
// gaps, equal times, restarts, late starts.
type generator struct {
	random  *rand.Rand
	license uuid.UUID
	seq     uint64
	boots   int
	habits  map[string]bool
	samples []schema.Sample
}

func newGenerator(seed uint64) *generator {
	return &generator{random: rand.New(rand.NewPCG(seed, 1)), license: uuid.New(), habits: make(map[string]bool)}
}

func (g *generator) chance(percent int) bool { return g.random.IntN(100) < percent }

// publishes decides once what a server publishes.
func (g *generator) publishes(habit string) bool {
	if _, decided := g.habits[habit]; !decided {
		g.habits[habit] = g.chance(80)
	}
	return g.habits[habit]
}

// server adds samples of one server over [from, to).
func (g *generator) server(id string, from, to time.Time, paces []time.Duration) {
	pace := paces[g.random.IntN(len(paces))]
	at := from.Add(time.Duration(g.random.Int64N(int64(to.Sub(from)) / 3)))
	g.boots++
	started, boot := at, g.boots
	withBoot, withUptime := g.publishes(id+" boot"), g.publishes(id+" uptime")
	for at.Before(to) {
		if g.chance(2) && at.Sub(started) > time.Minute { // restart
			g.boots++
			started, boot = at, g.boots
		}
		if g.chance(3) { // outage
			at = at.Add(time.Duration(g.random.IntN(12)) * pace)
			continue
		}
		s := g.sample(id, at)
		if withBoot {
			s.SetText(schema.Boot, fmt.Sprintf("%s-%d", id, boot))
		}
		if withUptime {
			s.SetUint(schema.UptimeS, uint64(at.Sub(started)/time.Second))
		}
		g.samples = append(g.samples, s)
		if !g.chance(5) { // else the next has the same ts
			at = at.Add(pace + time.Duration(g.random.IntN(400))*time.Millisecond).Truncate(time.Millisecond)
		}
	}
}

func (g *generator) sample(id string, at time.Time) schema.Sample {
	g.seq += uint64(g.random.IntN(2))
	s := schema.Sample{License: g.license, ServerID: id, TS: at.UnixMilli(), Epoch: 1, Seq: g.seq, Idx: uint16(len(g.samples)), ReceivedAt: time.Now().UnixMilli()}
	for _, f := range schema.MetricFields() {
		switch {
		case f == schema.UptimeS || g.chance(15):
		case f.Info().Kind == schema.Float:
			s.SetFloat(f, float64(g.random.IntN(4000))/64)
		default:
			s.SetUint(f, uint64(g.random.IntN(200)))
		}
	}
	if g.chance(60) {
		s.Metrics = append(s.Metrics, schema.Metric{Name: "ping/p95", Value: float64(g.random.IntN(800)-100) / 8})
	}
	return s
}

func (g *generator) pointers() []*schema.Sample {
	pointers := make([]*schema.Sample, len(g.samples))
	for i := range g.samples {
		pointers[i] = &g.samples[i]
	}
	return pointers
}
