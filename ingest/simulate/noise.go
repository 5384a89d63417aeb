package simulate

import (
	"math"
	"time"
)

// mix is splitmix64: one well-spread number for another.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hash is the random number of a place: a server's key, what it is for, and a moment or count.
func hash(key, purpose uint64, at int64) uint64 {
	return mix(mix(key^purpose*0xd6e8feb86659fd93) ^ uint64(at))
}

// unit maps h to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// between maps h to [lo, hi).
func between(h uint64, lo, hi float64) float64 { return lo + (hi-lo)*unit(h) }

// spread maps h to [lo, hi) as a duration.
func spread(h uint64, lo, hi time.Duration) int64 { return int64(between(h, float64(lo), float64(hi))) }

// wave is smooth noise in [-1, 1] that changes its direction about once a period. t and period are ns.
func wave(key, purpose uint64, t, period int64) float64 {
	slot := floorDiv(t, period)
	x := float64(t-slot*period) / float64(period)
	a, b := unit(hash(key, purpose, slot)), unit(hash(key, purpose, slot+1))
	return 2*(a+(b-a)*x*x*(3-2*x)) - 1
}

// floorDiv divides towards minus infinity; b is positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }

// round keeps a value to 1/scale: real servers print few digits.
func round(v, scale float64) float64 { return math.Round(v*scale) / scale }
