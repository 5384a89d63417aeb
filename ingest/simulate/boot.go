package simulate

import (
	"fmt"
	"math"
	"time"
)

// boot is one run of the game process, from the moment the one before it stopped.
type boot struct {
	stopped int64 // ns: the last run ended here
	up      int64 // ns: the first measurement may be taken
	next    int64 // ns: this run ends here
	wipe    int64 // ns: the map is as old as that
	id      string
	level   string
	version string
}

// bootAt is the run that t falls into, or into whose start.
func (p *profile) bootAt(t int64) boot {
	lastWipe, nextWipe := p.wipesAround(t)
	b := boot{stopped: lastWipe, next: nextWipe, wipe: lastWipe}
	today := floorDiv(t+p.zone, day)
	for d := today - 2; d <= today+2; d++ {
		b.consider(d*day-p.zone+p.restartAt, t)
		// About one crash in twelve days, at any hour.
		if h := hash(p.key, forCrash, d); unit(h) < 1.0/12 {
			b.consider(d*day+spread(mix(h), 0, 24*time.Hour), t)
		}
	}
	b.up = b.stopped + p.downtime(b.stopped, b.stopped == lastWipe)
	b.id = fmt.Sprintf("%012x", hash(p.key, forBoot, b.stopped)>>16)
	b.level = p.levelOf(lastWipe)
	b.version = versionAt(b.up)
	return b
}

// consider takes a restart at the moment e into account.
func (b *boot) consider(e, t int64) {
	if e <= t {
		b.stopped = max(b.stopped, e)
	} else {
		b.next = min(b.next, e)
	}
}

// downtime is how long the process needs to come back: a minute or two, a few more for a new map.
func (p *profile) downtime(stopped int64, wiped bool) int64 {
	h := hash(p.key, forDown, stopped)
	if wiped {
		return spread(h, 4*time.Minute, 8*time.Minute)
	}
	return spread(h, 50*time.Second, 130*time.Second)
}

// wipesAround is the last wipe at or before t and the first after it.
func (p *profile) wipesAround(t int64) (last, next int64) {
	if p.rhythm == monthly {
		last, next = firstThursdays(t, 19)
		return last, next
	}
	period := week
	if p.rhythm == fortnightly {
		period = 2 * week
	}
	at := p.wipeAt%period - p.zone
	last = floorDiv(t-at, period)*period + at
	return last, last + period
}

// firstThursdays are the last moment at or before t, and the next, that is a month's first Thursday at that hour UTC.
func firstThursdays(t int64, hour int) (last, next int64) {
	now := time.Unix(0, t).UTC()
	last = math.MinInt64
	for m := -1; m <= 2; m++ {
		first := time.Date(now.Year(), now.Month()+time.Month(m), 1, hour, 0, 0, 0, time.UTC)
		first = first.AddDate(0, 0, (int(time.Thursday)-int(first.Weekday())+7)%7)
		if at := first.UnixNano(); at <= t {
			last = at
		} else {
			return last, at
		}
	}
	return last, math.MaxInt64
}

func (p *profile) levelOf(wipe int64) string {
	h := hash(p.key, forMap, wipe)
	if h%8 == 0 {
		return [...]string{"Barren", "HapisIsland", "CraggyIsland", "SavasIsland"}[h>>8%4]
	}
	return fmt.Sprintf("Procedural Map %d/%d", 3000+250*(h>>16%9), h>>33)
}

// versionAt is the build that a server started at t runs: a new one each first Thursday of a month at 18:00 UTC, and in
// every other month a hotfix five days later.
func versionAt(t int64) string {
	patch, _ := firstThursdays(t, 18)
	at := time.Unix(0, patch).UTC()
	build := 2300 + 12*(at.Year()-2020) + int(at.Month())
	fix := 0
	if hash(0, forPatch, patch)%2 == 0 && t-patch >= 5*day {
		fix = 1
	}
	return fmt.Sprintf("%d.%d.%d", build, 200+build%100, fix+1)
}
