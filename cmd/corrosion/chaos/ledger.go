package chaos

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
)

// How many tenants and servers there are.
const (
	numLicenses       = 4
	serversPerLicense = 12
)

// recentSamples is how many samples a publisher may repeat: at 2,000/s those of half a minute, well within ten minutes.
const recentSamples = 1 << 16

// ledger is the generator's own log: every sample and message that was ever planned, and what became of it.
type ledger struct {
	seed    uint64
	start   time.Time
	days    []time.Time // starts of hours that old samples lie in
	servers []server

	crossRepeats bool // samples are repeated by way of the other subject, too

	mu       sync.Mutex // covers what follows
	rng      *rand.Rand
	samples  []record
	messages []message
	byHash   map[uint64]uint32 // messages that are bad as a whole, by the hash of their body
	recent   []uint32          // samples that may be repeated, a ring
	oldest   int
}

// server is one game server.
type server struct {
	license uuid.UUID
	name    string
	n       uint32
	boot    uint16
}

// record is what cannot be made anew from a sample's number.
type record struct {
	ts         int64 // ms since the epoch; 0: the sample has none
	n          uint32
	msg        uint32
	server     uint16
	boot       uint16
	want       uint8 // rows to be stored
	bad        badKind
	numberless bool // without boot and n
	perServer  bool // published on its server's subject
	repeated   bool // published again on purpose
}

// message is what became of a message; times are ms since the epoch.
type message struct {
	sent, confirmed int64
	seq             uint64
	attempts        uint32
	samples         uint32
	stream          string
	spoilt          spoilt
}

func newLedger(seed uint64, start time.Time) *ledger {
	l := &ledger{seed: seed, start: start, rng: rand.New(rand.NewPCG(seed, 0x1ed9e7)), byHash: map[uint64]uint32{}}
	for i := range numLicenses {
		license := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "chaos license %d of %d", i, seed))
		for j := range serversPerLicense {
			l.servers = append(l.servers, server{license: license, name: fmt.Sprintf("srv-%d-%02d", i, j)})
		}
	}
	for _, daysAgo := range []int{1, 2, 3, 5, 8, 30, 75} {
		l.days = append(l.days, start.Add(-time.Duration(daysAgo)*24*time.Hour).Truncate(time.Hour))
	}
	return l
}

// licenses are the tenants that exist.
func (l *ledger) licenses() []uuid.UUID {
	var all []uuid.UUID
	for i := range numLicenses {
		all = append(all, l.servers[i*serversPerLicense].license)
	}
	return all
}

// stranger is a license that does not exist.
func (l *ledger) stranger() uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "chaos stranger of %d", l.seed))
}

// add notes a new sample of a server and gives its number. mu is held.
func (l *ledger) add(d *draft, serverIndex int, ts int64) uint32 {
	s := &l.servers[serverIndex]
	if l.rng.IntN(2000) == 0 { // the game server restarts
		s.boot, s.n = s.boot+1, 0
	}
	l.samples = append(l.samples, record{
		ts: ts, n: s.n, msg: d.number, server: uint16(serverIndex), boot: s.boot, want: 1, perServer: d.perServer,
	})
	s.n++
	return uint32(len(l.samples) - 1)
}

// remember lets a sample be repeated later. mu is held.
func (l *ledger) remember(id uint32) {
	if len(l.recent) < recentSamples {
		l.recent = append(l.recent, id)
		return
	}
	l.recent[l.oldest] = id
	l.oldest = (l.oldest + 1) % recentSamples
}

// repeat looks for a sample to publish again, of the server or, on the license's subject, of any of the license's.
// mu is held.
func (l *ledger) repeat(serverIndex int, perServer bool) (id uint32, ok bool) {
	for range 30 {
		if len(l.recent) == 0 {
			return 0, false
		}
		id := l.recent[l.rng.IntN(len(l.recent))]
		r := &l.samples[id]
		if r.perServer != perServer && !l.crossRepeats {
			continue
		}
		if int(r.server) == serverIndex || !perServer && l.servers[r.server].license == l.servers[serverIndex].license {
			r.repeated = true
			return id, true
		}
	}
	return 0, false
}

// confirm notes that JetStream has stored a message.
func (l *ledger) confirm(msg uint32, stream string, seq uint64, attempts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.messages[msg]
	m.confirmed, m.stream, m.seq, m.attempts = time.Now().UnixMilli(), stream, seq, uint32(attempts)
}

func hashOf(body []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(body) // never fails
	return h.Sum64()
}
