package simulate

import "time"

// spikeCause is why a server lags for a while.
type spikeCause uint8

const (
	noSpike spikeCause = iota
	saveSpike
	pluginSpike
	networkSpike
)

// spike is a lag spike; depth is the share of the frames lost, 0 to 0.85.
type spike struct {
	cause spikeCause
	depth float64
}

// spikeSlot holds at most one spike, which begins and ends inside it.
const spikeSlot = int64(10 * time.Minute)

// spikeAt is the spike that is on at t. The more players and entities, the more likely.
func (v *server) spikeAt(t int64, l load) spike {
	slot := floorDiv(t, spikeSlot)
	h := hash(v.key, forSpike, slot)
	if unit(h) > 0.012+0.06*l.full*l.full+0.04*min(1, l.entities/320_000) {
		return spike{}
	}
	h = mix(h)
	length := spread(h, 20*time.Second, 3*time.Minute)
	h = mix(h)
	into := t - slot*spikeSlot - spread(h, 0, time.Duration(spikeSlot-length))
	if into < 0 || into >= length {
		return spike{}
	}
	h = mix(h)
	return spike{cause: saveSpike + spikeCause(h%3), depth: between(mix(h), 0.25, 0.85)}
}
