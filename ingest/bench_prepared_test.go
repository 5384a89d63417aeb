package ingest

import (
	"bytes"
	"strconv"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// prepared are messages of the thousand servers, encoded beforehand: what sends them at a rate shall take little of the
// machine that is measured. Only ts and n are written anew for each sending, so each server counts on without a gap.
type prepared struct {
	messages []preparedMessage
	counts   [trafficLicenses][trafficServers]int
}

type preparedMessage struct {
	license int
	of      uuid.UUID
	body    []byte
	samples []preparedSample
}

// preparedSample is where the digits of a sample's ts and n begin in the body.
type preparedSample struct{ server, ts, n int }

// firstCount has as many digits as every later count.
const firstCount = 1_000_000

// newPrepared encodes messages of 10 to 100 samples; boot is part of every boot.
func newPrepared(boot string) *prepared {
	const sizes = 91 // coprime to the licenses: each gets messages of every size
	source, p := newTraffic(100, 0), &prepared{}
	var next [trafficLicenses]int
	var s schema.Sample
	for m := range sizes * trafficLicenses {
		message := preparedMessage{license: m % trafficLicenses, of: source.license(m), body: []byte{'['}}
		for i := range 10 + m*37%sizes {
			server := next[message.license] % trafficServers
			next[message.license]++
			source.sample(&s, m, i)
			s.ServerID = source.servers[server]
			s.SetText(schema.Boot, source.boots[server]+boot)
			s.SetUint(schema.N, firstCount)
			if i > 0 {
				message.body = append(message.body, ',')
			}
			start := len(message.body)
			message.body = wire.AppendJSON(message.body, &s)
			one := message.body[start:]
			message.samples = append(message.samples, preparedSample{
				server, start + bytes.Index(one, []byte(`"ts":`)) + len(`"ts":`), start + bytes.Index(one, []byte(`"n":`)) + len(`"n":`),
			})
		}
		message.body = append(message.body, ']')
		p.messages = append(p.messages, message)
	}
	return p
}

// next is a message by number as of now.
func (p *prepared) next(message int, now time.Time) (license uuid.UUID, body []byte, samples int) {
	m := &p.messages[message%len(p.messages)]
	body = bytes.Clone(m.body) // the client may hold it for longer
	var digits [20]byte
	ts := strconv.AppendInt(digits[:0], now.UnixMilli(), 10)
	for _, s := range m.samples {
		copy(body[s.ts:], ts)
		strconv.AppendInt(body[s.n:s.n], int64(firstCount+p.counts[m.license][s.server]), 10)
		p.counts[m.license][s.server]++
	}
	return m.of, body, len(m.samples)
}
