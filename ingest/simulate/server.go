package simulate

import (
	"math"
	"time"

	"corrosion/schema"
)

// server is a profile with a memo of the run that was last asked for.
type server struct {
	profile
	boot boot
}

// load is what everything else follows from.
type load struct {
	players, wanted, maxPlayers float64
	full                        float64 // players as a share of what the server allows
	uptime                      float64 // s
	mapAge                      float64 // hours
	entities                    float64
	spike                       spike
}

// measure fills s with the server's sample at t, ns; false while the server is down.
func (v *server) measure(t int64, g grid, s *schema.Sample) bool {
	if t < v.boot.stopped || t >= v.boot.next {
		v.boot = v.bootAt(t)
	}
	if t < v.boot.up {
		return false
	}
	s.Reset()
	s.ServerID = v.id
	s.TS = t / int64(time.Millisecond)
	s.SetUint(schema.N, g.count(v.index, v.boot.up, t))
	s.SetText(schema.Boot, v.boot.id)
	l := v.load(t)
	v.people(t, l, s)
	v.machine(t, l, s)
	s.SetUint(schema.UptimeS, uint64(l.uptime))
	s.SetText(schema.Map, v.boot.level)
	s.SetText(schema.Version, v.boot.version)
	v.custom(t, l, s)
	return true
}

func (v *server) load(t int64) load {
	l := load{
		maxPlayers: v.maxPlayers,
		uptime:     float64(t-v.boot.up) / float64(time.Second),
		mapAge:     float64(t-v.boot.wipe) / float64(time.Hour),
	}
	mood := 1 + 0.16*wave(v.key, forDemandSlow, t, int64(5*time.Hour)) + 0.06*wave(v.key, forDemandFast, t, int64(17*time.Minute))
	// A wipe brings everybody; interest fades over the days after.
	wipe := 0.72 + 1.1*math.Exp(-l.mapAge/20) + 0.18*math.Exp(-l.mapAge/90)
	l.wanted = v.maxPlayers * v.popularity * v.appetite(t) * wipe * mood
	// After a start they come back over some minutes.
	l.players = math.Floor(min(l.wanted*(1-math.Exp(-l.uptime/240)), v.maxPlayers))
	l.full = l.players / v.maxPlayers
	built := 1 - math.Exp(-l.mapAge/70)
	l.entities = v.entities + built*v.maxPlayers*min(1, 0.25+v.popularity)*720 + 11*l.players
	l.entities *= 1 + 0.012*wave(v.key, forEntities, t, int64(40*time.Minute))
	l.spike = v.spikeAt(t, l)
	return l
}

func (v *server) people(t int64, l load, s *schema.Sample) {
	jitter := unit(hash(v.key, forJitter, t))
	waiting := max(0, l.wanted-l.players)
	joining := min(waiting, 1+l.maxPlayers/25)
	if l.uptime > 1800 {
		joining = math.Floor(l.full * 4 * jitter * jitter)
	}
	queued := 0.0
	if l.players >= l.maxPlayers || l.uptime < 900 {
		queued = min(waiting-min(waiting, joining), 1.5*l.maxPlayers)
	}
	slept := l.maxPlayers * min(1, v.popularity) * 4.5 * (1 - math.Exp(-l.mapAge/60))
	s.SetUint(schema.Players, uint64(l.players))
	s.SetUint(schema.MaxPlayers, uint64(l.maxPlayers))
	s.SetUint(schema.Queued, uint64(queued))
	s.SetUint(schema.Joining, uint64(joining))
	s.SetUint(schema.Sleepers, uint64(max(0, slept-0.3*l.players)))
}

func (v *server) machine(t int64, l load, s *schema.Sample) {
	h := hash(v.key, forJitter, t+1)
	shake, shake2 := 2*unit(h)-1, 2*unit(mix(h))-1
	strain := 0.22*l.full*l.full + 0.30*min(1, l.entities/320_000)
	fps := v.fpsCap * (1 - strain) * (1 + 0.015*shake) * (1 - l.spike.depth)
	fps = max(0.5, min(fps, v.fpsCap))
	warm := math.Exp(-l.uptime / 60)
	cpu := 22 + 55*l.full + 30*min(1, l.entities/320_000) + 45*l.spike.depth + 40*warm + 2.5*shake2
	memory := v.memory + 0.019*l.entities + 8.5*l.players + v.leak*l.uptime/3600 + 12*shake2
	traffic := 1 + 0.1*wave(v.key, forNet, t, int64(9*time.Minute)) + 0.04*shake
	s.SetFloat(schema.FPS, round(fps, 10))
	s.SetFloat(schema.FrameMS, round(1000/fps*(1+0.004*shake2), 100))
	s.SetUint(schema.Entities, uint64(l.entities))
	s.SetFloat(schema.MemoryMB, round(memory, 10))
	s.SetFloat(schema.CPUPercent, round(cpu, 10))
	s.SetUint(schema.NetIn, uint64(900+l.players*3_100*traffic))
	s.SetUint(schema.NetOut, uint64(2_100+l.players*(14_500+22*l.players)*traffic))
}

// The names of the custom metrics that every simulated server sends.
const (
	metricKits   = "oxide.hook_ms.Kits"
	metricGather = "oxide.hook_ms.GatherManager"
	metricPing   = "ping_p95_ms"
)

func (v *server) custom(t int64, l load, s *schema.Sample) {
	noise := wave(v.key, forPlugin, t, int64(3*time.Minute))
	kits := 0.12 + 0.004*l.players*(1+0.3*noise)
	ping := 48 + 26*l.full + 9*noise
	switch l.spike.cause {
	case pluginSpike:
		kits += 1000 / v.fpsCap * l.spike.depth * 1.4
	case networkSpike:
		ping *= 1 + 5*l.spike.depth
	}
	s.Metrics = append(s.Metrics,
		schema.Metric{Name: metricKits, Value: round(kits, 1000)},
		schema.Metric{Name: metricGather, Value: round(0.05+0.0021*l.players*(1-0.2*noise), 1000)},
		schema.Metric{Name: metricPing, Value: round(ping, 10)})
}
