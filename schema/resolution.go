package schema

import "time"

// Resolution is how finely stored data is kept.
type Resolution string

// The resolutions of stored data.
const (
	Raw    Resolution = "raw"
	Hourly Resolution = "hourly"
	// Mixed is an answer joined from both.
	Mixed Resolution = "mixed"
)

// FloorHour is the start of t's UTC hour.
func FloorHour(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// CeilHour is the first start of a UTC hour at or after t.
func CeilHour(t time.Time) time.Time {
	floor := FloorHour(t)
	if floor.Equal(t) {
		return floor
	}
	return floor.Add(time.Hour)
}

// Retention is how long stored data is kept.
type Retention struct {
	Raw    time.Duration
	Hourly time.Duration
}

// DefaultRetention keeps raw samples 7 days and hours 90.
func DefaultRetention() Retention {
	return Retention{Raw: 7 * 24 * time.Hour, Hourly: 90 * 24 * time.Hour}
}
