package schema

import (
	"math"
	"time"

	"github.com/google/uuid"
)

// Bounds of one message and one sample.
const (
	MaxMessageSamples = 10_000
	MaxMessageBytes   = 8 << 20 // after decompression
	MaxServerIDLen    = 64
	MaxTextLen        = 128 // bytes of map, version and boot
	MaxMetrics        = 256 // custom metrics of one sample
	MaxMetricNameLen  = 96
	// MaxAhead and MaxBehind bound a sample's ts against the time JetStream stored its message.
	MaxAhead  = 5 * time.Minute
	MaxBehind = 90 * 24 * time.Hour
)

// The bytes that names may hold, as tables: names are checked for every sample.
var (
	serverIDBytes   = byteTable("_-")
	metricNameBytes = byteTable("_.:/-")
)

func byteTable(extra string) (table [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + extra) {
		table[c] = true
	}
	return table
}

func allIn[T string | []byte](table *[256]bool, s T) bool {
	for i := range len(s) {
		if !table[s[i]] {
			return false
		}
	}
	return true
}

// Metric is one custom measurement.
type Metric struct {
	Name  string
	Value float64
}

// Sample is one measurement of one game server at one moment. Fields that were not measured are absent, not zero.
// A Sample is reused on the hot path: keep no reference to it or to its Metrics beyond the call that gave it.
type Sample struct {
	License  uuid.UUID
	ServerID string
	// TS is when it was measured, ms since the epoch.
	TS int64
	// Boot, Map and Version are meaningful where Has says so.
	Boot, Map, Version string
	Metrics            []Metric

	// Epoch, Seq and Idx identify the row: the stream's incarnation, its sequence and the place in the message.
	Epoch, Seq uint64
	Idx        uint16
	// ReceivedAt is when JetStream stored the message, ms since the epoch.
	ReceivedAt int64

	has    uint32
	values [NumFields]uint64
}

// Reset forgets everything but the capacity of Metrics.
func (s *Sample) Reset() {
	metrics := s.Metrics[:0]
	*s = Sample{Metrics: metrics}
}

// Has tells whether f was measured.
func (s *Sample) Has(f Field) bool { return s.has&(1<<f) != 0 }

// Clear forgets f.
func (s *Sample) Clear(f Field) { s.has &^= 1 << f }

// SetUint records an integer field.
func (s *Sample) SetUint(f Field, v uint64) {
	s.values[f] = v
	s.has |= 1 << f
}

// SetFloat records a float field.
func (s *Sample) SetFloat(f Field, v float64) {
	s.values[f] = math.Float64bits(v)
	s.has |= 1 << f
}

// SetText records Boot, Map or Version.
func (s *Sample) SetText(f Field, v string) {
	switch f {
	case Boot:
		s.Boot = v
	case Map:
		s.Map = v
	case Version:
		s.Version = v
	default:
		return
	}
	s.has |= 1 << f
}

// Uint is the value of an integer field; meaningless where Has is false.
func (s *Sample) Uint(f Field) uint64 { return s.values[f] }

// Float is the value of a float field; meaningless where Has is false.
func (s *Sample) Float(f Field) float64 { return math.Float64frombits(s.values[f]) }

// Text is the value of Boot, Map or Version.
func (s *Sample) Text(f Field) string {
	switch f {
	case Boot:
		return s.Boot
	case Map:
		return s.Map
	case Version:
		return s.Version
	}
	return ""
}

// Number is the value of any numeric field as a float; exact up to 2^53.
func (s *Sample) Number(f Field) float64 {
	if fieldInfos[f].Kind == Float {
		return s.Float(f)
	}
	return float64(s.values[f])
}

// ValidServerID tells whether id may name a server: [A-Za-z0-9_-]{1,64} and none of the words that subjects use.
func ValidServerID[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > MaxServerIDLen || !allIn(&serverIDBytes, id) {
		return false
	}
	switch string(id) {
	case "reply", "host", "stats", "events":
		return false
	}
	return true
}

// ValidMetricName tells whether name may name a custom metric: [A-Za-z0-9_.:/-]{1,96}.
func ValidMetricName[T string | []byte](name T) bool {
	return len(name) > 0 && len(name) <= MaxMetricNameLen && allIn(&metricNameBytes, name)
}
