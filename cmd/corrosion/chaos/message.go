package chaos

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// spoilt is how a message is made bad as a whole; 0 is a good one.
type spoilt uint8

const (
	whole spoilt = iota
	cutArray
	oddEncoding
	falseEncoding
	strangeLicense
	strangeSubject
	tooMany
	numSpoilt
)

// Reasons that the ingester itself gives; its package is not imported for two words.
const (
	unknownLicense wire.Reason = "unknown-license"
	badSubject     wire.Reason = "bad-subject"
)

func spoiltReasons() [numSpoilt]wire.Reason {
	return [numSpoilt]wire.Reason{
		cutArray: wire.Malformed, oddEncoding: wire.BadEncoding, falseEncoding: wire.BadEncoding,
		strangeLicense: unknownLicense, strangeSubject: badSubject, tooMany: wire.TooManySamples,
	}
}

type shape uint8

const (
	single shape = iota
	array
	lines
)

// draft is a message before it is encoded.
type draft struct {
	number    uint32
	shape     shape
	encoding  string
	server    int
	perServer bool
	spoilt    spoilt
	ids       []uint32
}

// envelope is a message ready to be published.
type envelope struct {
	number   uint32
	id       string // Nats-Msg-Id
	subject  string
	encoding string
	body     []byte
	samples  int
}

// next plans a message and encodes it.
func (l *ledger) next() envelope {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.plan()
	e := envelope{number: d.number, id: fmt.Sprintf("chaos-%d-%d", l.seed, d.number), encoding: d.encoding, samples: len(d.ids)}
	owner := l.servers[d.server]
	switch {
	case d.spoilt == strangeLicense:
		e.subject = schema.StatsSubject(l.stranger())
	case d.spoilt == strangeSubject:
		e.subject = "corrosion.my-license.stats"
	case d.perServer:
		e.subject = schema.ServerStatsSubject(owner.license, owner.name)
	default:
		e.subject = schema.StatsSubject(owner.license)
	}
	e.body = compress(d.encoding, l.text(&d))
	switch d.spoilt {
	case oddEncoding:
		e.encoding = "br"
	case falseEncoding: // the text itself, which is no gzip
		e.body, e.encoding = l.text(&d), "gzip"
	}
	if d.spoilt != whole {
		l.byHash[hashOf(e.body)] = d.number
	}
	return e
}

// plan decides a message's shape and samples. mu is held.
func (l *ledger) plan() draft {
	rng := l.rng
	d := draft{
		number: uint32(len(l.messages)), server: rng.IntN(len(l.servers)), perServer: rng.IntN(3) == 0,
		encoding: []string{"", "", "gzip", "zstd"}[rng.IntN(4)],
	}
	count := 1
	switch draw := rng.IntN(100); {
	case draw < 60:
	case draw < 97:
		count, d.shape = 2+rng.IntN(30), array+shape(rng.IntN(2))
	default:
		count, d.shape = 100+rng.IntN(300), array+shape(rng.IntN(2))
	}
	if rng.IntN(150) == 0 {
		d.spoilt = whole + 1 + spoilt(rng.IntN(int(numSpoilt)-1))
	}
	switch d.spoilt {
	case cutArray, tooMany:
		d.shape = array
	case oddEncoding, falseEncoding:
		d.encoding = ""
	}
	l.messages = append(l.messages, message{sent: time.Now().UnixMilli(), spoilt: d.spoilt})
	l.fill(&d, count)
	l.messages[d.number].samples = uint32(len(d.ids))
	return d
}

// fill chooses the message's samples. mu is held.
func (l *ledger) fill(d *draft, count int) {
	moment := l.moments()
	hasBroken := false
	for range count {
		serverIndex := d.server
		if !d.perServer { // another server of the same license
			serverIndex = d.server/serversPerLicense*serversPerLicense + l.rng.IntN(serversPerLicense)
		}
		if d.spoilt == whole && l.rng.IntN(40) == 0 {
			if id, ok := l.repeat(serverIndex, d.perServer); ok {
				d.ids = append(d.ids, id)
				continue
			}
		}
		id := l.add(d, serverIndex, moment())
		r := &l.samples[id]
		d.ids = append(d.ids, id)
		r.numberless = l.rng.IntN(5) == 0
		switch {
		case d.spoilt != whole:
			r.want = 0
		case l.rng.IntN(80) == 0:
			r.want, r.bad = 0, l.drawBad(d, count, hasBroken)
			hasBroken = hasBroken || r.bad == broken
		case r.numberless && d.shape != single && l.rng.IntN(10) == 0:
			r.want = 2 // two equal samples without a number are two samples
			d.ids = append(d.ids, id)
		case !r.numberless:
			l.remember(id)
		}
	}
}

func (l *ledger) drawBad(d *draft, count int, hasBroken bool) badKind {
	for {
		kind := good + 1 + badKind(l.rng.IntN(int(numBad)-1))
		switch {
		case kind == otherServer && !d.perServer:
		case kind == broken && (d.shape == array || d.shape == lines && (count < 3 || hasBroken)):
		default:
			return kind
		}
	}
}

// moments gives the times of a message's samples, ms: now, none, within one old day, or each on a day of its own.
func (l *ledger) moments() func() int64 {
	day := l.days[l.rng.IntN(len(l.days))]
	within := func(day time.Time, rng *rand.Rand) int64 {
		return day.UnixMilli() + rng.Int64N((2 * time.Hour).Milliseconds())
	}
	switch draw := l.rng.IntN(100); {
	case draw < 50:
		return func() int64 { return time.Now().UnixMilli() - l.rng.Int64N(2000) }
	case draw < 60:
		return func() int64 { return 0 }
	case draw < 80:
		return func() int64 { return within(day, l.rng) }
	default:
		return func() int64 { return within(l.days[l.rng.IntN(len(l.days))], l.rng) }
	}
}

// text is the message's body before compression. mu is held.
func (l *ledger) text(d *draft) []byte {
	if d.spoilt == tooMany {
		head := append([]byte{'['}, l.encode(d.ids[0])...)
		return append(append(head, bytes.Repeat([]byte(",{}"), schema.MaxMessageSamples)...), ']')
	}
	var body []byte
	switch d.shape {
	case single:
		return l.encode(d.ids[0])
	case array:
		body = append(body, '[')
		for i, id := range d.ids {
			if i > 0 {
				body = append(body, ',', ' ')
			}
			body = append(body, l.encode(id)...)
		}
		if d.spoilt == cutArray {
			return body
		}
		return append(body, ']')
	default:
		for _, id := range d.ids {
			body = append(append(body, l.encode(id)...), '\n')
		}
		return body
	}
}

// compress cannot fail: it writes to memory.
func compress(encoding string, text []byte) []byte {
	var out bytes.Buffer
	switch encoding {
	case "gzip":
		w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
		_, _ = w.Write(text)
		_ = w.Close()
	case "zstd":
		w, _ := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		_, _ = w.Write(text)
		_ = w.Close()
	default:
		return text
	}
	return out.Bytes()
}
