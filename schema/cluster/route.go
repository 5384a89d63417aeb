package cluster

import (
	"encoding/binary"

	"github.com/go-faster/city"
	"github.com/google/uuid"
)

// Hash is ClickHouse's cityHash64(license_id, server_id).
func Hash(license uuid.UUID, server string) uint64 {
	// A UUID is two numbers in memory, the first half's bytes before the second's, each little-endian.
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:8], binary.BigEndian.Uint64(license[:8]))
	binary.LittleEndian.PutUint64(raw[8:], binary.BigEndian.Uint64(license[8:]))
	return combine(city.CH64(raw[:]), city.CH64([]byte(server)))
}

// combine is how ClickHouse puts the hashes of several arguments together: CityHash's Hash128to64.
func combine(low, high uint64) uint64 {
	const factor = 0x9ddfea08eb382d69
	a := (low ^ high) * factor
	a ^= a >> 47
	b := (high ^ a) * factor
	b ^= b >> 47
	return b * factor
}

// Slots give the shard of a hash: a Distributed table takes the remainder by the sum of the shards' weights.
type Slots []int

// NewSlots lays out shards of these weights, numbered from 0.
func NewSlots(weights []uint32) Slots {
	var slots Slots
	for shard, weight := range weights {
		for range weight {
			slots = append(slots, shard)
		}
	}
	return slots
}

// Of is the shard of a server's rows.
func (s Slots) Of(license uuid.UUID, server string) int {
	return s[Hash(license, server)%uint64(len(s))]
}
