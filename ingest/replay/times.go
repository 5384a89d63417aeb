package replay

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var errTime = errors.New("not RFC 3339, not epoch seconds or milliseconds, not like 2006-01-02 15:04:05")

// The times without a zone that are read as UTC.
var zoneless = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
	"2006/01/02 15:04:05", "2006/01/02 15:04", "2006/01/02"}

// parseTime reads s as ms since the epoch, cut to whole ms; assumed says that it had no zone and was taken as UTC.
// Numbers above 10^11 are ms, others s; fractions are allowed.
func parseTime(s string) (ms int64, assumed bool, err error) {
	s = strings.TrimSpace(s)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UnixMilli(), false, nil
	}
	if ms, ok := parseEpoch(s); ok {
		return ms, false, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 MST"} {
		if t, err := time.Parse(layout, s); err == nil && (!strings.HasSuffix(layout, "MST") || strings.HasSuffix(s, " UTC")) {
			return t.UnixMilli(), false, nil
		}
	}
	for _, layout := range zoneless {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMilli(), true, nil
		}
	}
	return 0, false, errTime
}

func parseEpoch(s string) (int64, bool) {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return 0, false
	}
	whole, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		if whole > 1e11 || whole < -1e11 {
			return whole, true
		}
		return whole * 1000, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e15 {
		return 0, false
	}
	if math.Abs(f) <= 1e11 {
		// Rounded to µs first: 1700000000.123 must not become .122.
		f = math.Round(f*1e6) / 1e3
	}
	return int64(math.Floor(f)), true
}

// dayShift is the whole number of days, in ms, that brings newest into (now - 24 h, now].
func dayShift(newest, now int64) int64 {
	const day = 24 * 60 * 60 * 1000
	days := (now - newest) / day
	if (now-newest)%day < 0 {
		days--
	}
	return days * day
}
