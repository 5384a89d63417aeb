package wire

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"
)

// The functions here take numbers that the JSON reader has found to be well formed.

func isNumber(raw []byte) bool { return raw[0] == '-' || raw[0]-'0' <= 9 }

func isNull(raw []byte) bool { return raw[0] == 'n' }

func parseFloat(raw []byte) (float64, Reason) {
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, OutOfRange
	}
	return v, ""
}

// parseUint reads a whole number that is not negative, as 12, 12.0 or 1.2e1.
func parseUint(raw []byte) (uint64, Reason) {
	if v, ok := parseDigits(raw); ok {
		return v, ""
	}
	if bytes.ContainsAny(raw, "eE") {
		return uintOfFloat(raw)
	}
	whole, fraction, _ := bytes.Cut(raw, []byte{'.'})
	zero := len(bytes.Trim(fraction, "0")) == 0
	digits := bytes.TrimPrefix(whole, []byte{'-'})
	v, err := strconv.ParseUint(string(digits), 10, 64)
	switch {
	case err != nil, len(digits) < len(whole) && (v > 0 || !zero):
		return 0, OutOfRange
	case !zero:
		return 0, NotInteger
	}
	return v, ""
}

// parseDigits is the fast path for up to 19 digits: they cannot pass 64 bits.
func parseDigits(raw []byte) (v uint64, ok bool) {
	if len(raw) > 19 {
		return 0, false
	}
	for _, c := range raw {
		if c -= '0'; c > 9 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	return v, true
}

func uintOfFloat(raw []byte) (uint64, Reason) {
	v, reason := parseFloat(raw)
	switch {
	case reason != "":
		return 0, reason
	case v < 0 || v >= 1<<64:
		return 0, OutOfRange
	case v != math.Trunc(v):
		return 0, NotInteger
	}
	return uint64(v), ""
}

// parseMillis reads epoch milliseconds, cut to whole ones. What no int64 holds becomes its nearest, which is out of
// every bound.
func parseMillis(raw []byte) int64 {
	if v, ok := parseDigits(raw); ok && v <= math.MaxInt64/2 {
		return int64(v)
	}
	v, _ := strconv.ParseFloat(string(raw), 64)
	return int64(math.Floor(min(max(v, math.MinInt64/2), math.MaxInt64/2)))
}

// parseTime reads RFC 3339, whose letters may be small ones, cut to ms.
func parseTime(b []byte) (int64, bool) {
	var t time.Time
	if t.UnmarshalText(b) != nil && t.UnmarshalText(bytes.ToUpper(b)) != nil {
		return 0, false
	}
	return t.UnixMilli(), true
}

func formatMillis(ms int64) string {
	t := time.UnixMilli(ms).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return strconv.FormatInt(ms, 10) + " ms"
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

// badNumber says what is wrong with the number of a field that may be low to high.
func badNumber(reason Reason, name string, raw []byte, low, high string) fault {
	want := low + " to " + high
	if reason == NotInteger {
		want = "an integer"
	}
	return fault{reason, fmt.Sprintf("%s: %s, want %s", name, clip(string(raw), 40), want)}
}

const (
	maxUint32Text = "4294967295"
	maxUint64Text = "18446744073709551615"
	maxFloatText  = "1.8e308"
)

func wrongType(name string, raw []byte, want string) fault {
	return fault{WrongType, fmt.Sprintf("%s: %s, want %s", name, clip(string(raw), 40), want)}
}

func duplicate(name string) fault { return fault{Duplicate, name + ": given twice"} }

// clip cuts what publishers wrote to a length fit for a log.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
