package simulate

import (
	"fmt"
	"math"
	"time"
)

// wipeRhythm is how often a server starts over.
type wipeRhythm uint8

const (
	weekly wipeRhythm = iota
	fortnightly
	monthly
)

// profile is what does not change about a server.
type profile struct {
	id         string
	index      int
	key        uint64
	zone       int64 // ns east of UTC
	maxPlayers float64
	popularity float64 // wanted players at a common evening, as a share of maxPlayers
	rhythm     wipeRhythm
	wipeAt     int64 // ns into the period, for weekly and fortnightly
	restartAt  int64 // ns into the local day
	fpsCap     float64
	entities   float64 // on a fresh map
	memory     float64 // MiB after a start
	leak       float64 // MiB an hour
}

type region struct {
	name string
	zone time.Duration
	// share of the network's servers, in twentieths. Networks are at home somewhere: evenly spread ones would hide the
	// nights from their totals.
	share uint64
}

var regions = [...]region{
	{"eu", time.Hour, 9}, {"eu", 2 * time.Hour, 5}, {"us-east", -5 * time.Hour, 2}, {"us-west", -8 * time.Hour, 1},
	{"au", 10 * time.Hour, 1}, {"br", -3 * time.Hour, 1}, {"asia", 8 * time.Hour, 1},
}

// drawRegion picks a region by its share.
func drawRegion(draw uint64) region {
	left := draw % 20
	for _, r := range regions {
		if left < r.share {
			return r
		}
		left -= r.share
	}
	return regions[0]
}

var flavours = [...]struct {
	name       string
	maxPlayers float64
	rhythm     wipeRhythm
}{
	{"main", 300, weekly}, {"monthly", 250, monthly}, {"2x", 200, weekly}, {"5x", 150, weekly}, {"solo", 150, weekly},
	{"duo", 200, fortnightly}, {"vanilla", 250, fortnightly}, {"build", 50, monthly}, {"pve", 100, monthly}, {"10x", 100, weekly},
}

// The purposes of random numbers; each gives a series of its own.
const (
	forRegion uint64 = iota + 1
	forFlavour
	forTaste
	forWipe
	forRestart
	forCrash
	forDown
	forBoot
	forMap
	forPatch
	forDemandSlow
	forDemandFast
	forEntities
	forNet
	forSpike
	forJitter
	forPlugin
)

const (
	day  = int64(24 * time.Hour)
	week = 7 * day
)

// newProfile draws server number index of the network with that seed.
func newProfile(seed uint64, index int) profile {
	key := mix(seed ^ mix(uint64(index)+1))
	draw := func(purpose uint64, lo, hi float64) float64 { return between(hash(key, purpose, 0), lo, hi) }
	taste := func(n int64, lo, hi float64) float64 { return between(hash(key, forTaste, n), lo, hi) }
	place := drawRegion(hash(key, forRegion, 0))
	kind := flavours[index%len(flavours)]
	return profile{
		id:         fmt.Sprintf("%s-%s-%02d", place.name, kind.name, index+1),
		index:      index,
		key:        key,
		zone:       int64(place.zone),
		maxPlayers: kind.maxPlayers,
		// A few servers are full every evening, most are half full, some are nearly empty.
		popularity: 0.08 + 1.1*math.Pow(draw(forFlavour, 0, 1), 1.6),
		rhythm:     kind.rhythm,
		wipeAt:     int64(draw(forWipe, 0, 14))*day + int64(taste(1, 12, 20))*int64(time.Hour),
		restartAt:  int64(taste(2, 4*60, 7*60)) * int64(time.Minute),
		fpsCap:     []float64{30, 60, 60, 60, 100}[hash(key, forTaste, 3)%5],
		entities:   taste(4, 18_000, 45_000),
		memory:     taste(5, 2_800, 5_200),
		leak:       taste(6, 15, 110),
	}
}

// weekCurve is how many players want to play, by local hour of the week from Thursday 00:00 (the epoch was one),
// 1 = a common evening.
var weekCurve = func() (curve [169]float64) {
	for h := range curve {
		hour, weekday := float64(h%24), h/24%7
		evening := 0.5 + 0.5*math.Cos(2*math.Pi*(hour-20.5)/24)
		afternoon := math.Exp(-math.Pow((hour-15)/3, 2))
		curve[h] = 0.16 + 0.84*math.Pow(evening, 1.35)
		switch weekday {
		case 1: // Friday
			curve[h] *= 1 + 0.2*evening
		case 2, 3: // Saturday and Sunday begin earlier
			curve[h] = curve[h]*1.18 + 0.22*afternoon
		}
	}
	return curve
}()

// appetite is weekCurve at t, interpolated.
func (p *profile) appetite(t int64) float64 {
	local := t + p.zone
	into := local - floorDiv(local, week)*week
	hour := int(into / int64(time.Hour))
	x := float64(into%int64(time.Hour)) / float64(time.Hour)
	return weekCurve[hour] + (weekCurve[hour+1]-weekCurve[hour])*x
}
