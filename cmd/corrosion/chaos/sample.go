package chaos

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// marker is the custom metric that holds a sample's number.
const marker = "chaos"

// markerPattern finds the number in a dead letter.
var markerPattern = regexp.MustCompile(`chaos\D{1,4}(\d+)`)

// sample makes a sample anew from its number. Floats are 64ths, so that their sums are exact in any order.
func (l *ledger) sample(id uint32) schema.Sample {
	r := &l.samples[id]
	rng := rand.New(rand.NewPCG(l.seed, uint64(id)+1))
	s := schema.Sample{License: l.servers[r.server].license, ServerID: l.servers[r.server].name, TS: r.ts}
	if !r.numberless {
		s.SetUint(schema.N, uint64(r.n))
		s.SetText(schema.Boot, fmt.Sprintf("boot-%d-%d", l.seed, r.boot))
	}
	for _, f := range schema.MetricFields() {
		if rng.IntN(8) == 0 {
			continue // not measured
		}
		switch f.Info().Kind {
		case schema.Float:
			s.SetFloat(f, float64(rng.IntN(1<<20))/64)
		case schema.Uint64:
			s.SetUint(f, rng.Uint64N(1<<50))
		default:
			s.SetUint(f, uint64(rng.Uint32N(1<<24)))
		}
	}
	if rng.IntN(4) > 0 {
		s.SetText(schema.Map, []string{"Procedural Map", "Hapis Island", "Insel \"Ö\" \U0001f3dd"}[rng.IntN(3)])
		s.SetText(schema.Version, fmt.Sprintf("2586.%d", rng.IntN(5)))
	}
	s.Metrics = []schema.Metric{{Name: marker, Value: float64(id)}}
	if rng.IntN(10) == 0 {
		s.Metrics = append(s.Metrics, schema.Metric{Name: "extra." + strconv.Itoa(rng.IntN(5)), Value: float64(rng.IntN(1<<16))/64 - 100})
	}
	return s
}

// badKind is how a sample is made bad; 0 is a good one.
type badKind uint8

const (
	good badKind = iota
	negative
	numberInString
	fraction
	badServer
	badTime
	twice
	badMetric
	longText
	behind
	ahead
	serverless
	notObject
	otherServer // only on a server's subject
	broken      // only where a line stands alone
	numBad
)

// front is what is put before the fields of a good sample, and the reason that it must be buried with.
type front struct {
	json   string
	reason wire.Reason
}

func fronts() [numBad]front {
	return [numBad]front{
		negative:       {`{"players":-5,`, wire.OutOfRange},
		numberInString: {`{"fps":"60",`, wire.WrongType},
		fraction:       {`{"queued":1.5,`, wire.NotInteger},
		badServer:      {`{"server_id":"no blanks",`, wire.BadServer},
		badTime:        {`{"ts":"yesterday",`, wire.BadTime},
		twice:          {`{"fps":1,"fps":2,`, wire.Duplicate},
		badMetric:      {`{"metrics":{"no blanks":1},`, wire.BadMetricName},
		longText:       {`{"map":"` + strings.Repeat("x", schema.MaxTextLen+1) + `",`, wire.TextTooLong},
		behind:         {"", wire.TimeBehind},
		ahead:          {"", wire.TimeAhead},
		serverless:     {"", wire.MissingServer},
		notObject:      {"", wire.NotObject},
		otherServer:    {"", wire.OtherServer},
		broken:         {"", wire.Malformed},
	}
}

// encode is the sample as it is published, good or bad.
func (l *ledger) encode(id uint32) []byte {
	r, s := l.samples[id], l.sample(id)
	switch r.bad {
	case behind:
		s.TS = l.start.Add(-schema.MaxBehind - 24*time.Hour).UnixMilli()
	case ahead:
		s.TS = l.start.Add(30 * 24 * time.Hour).UnixMilli()
	case otherServer:
		s.ServerID = "another-one"
	case notObject:
		return fmt.Appendf(nil, `"chaos %d"`, id)
	}
	body := wire.AppendJSON(nil, &s)
	if r.ts == 0 && r.bad == good {
		body = bytes.Replace(body, []byte(`"ts":0,`), nil, 1)
	}
	switch r.bad {
	case good:
		return body
	case serverless:
		return bytes.Replace(body, []byte(`"server_id":"`+s.ServerID+`",`), nil, 1)
	case broken:
		return body[:len(body)-2]
	}
	if f := fronts()[r.bad]; f.json != "" {
		return append([]byte(f.json), body[1:]...)
	}
	return body
}
