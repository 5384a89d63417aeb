package api

import (
	"path/filepath"
	"testing"
	"time"

	"corrosion/api/auth"
	"corrosion/api/query"
	"corrosion/schema"
)

// No text but one that we sealed is a cursor of an export.
func FuzzExportCursor(f *testing.F) {
	keys, err := auth.LoadOrCreateKeys(filepath.Join(f.TempDir(), "jwt.key"))
	if err != nil {
		f.Fatal(err)
	}
	good, err := cursor{since: time.UnixMilli(1)}.seal(keys)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, good[:len(good)-1], good + "A", "", "====", "AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := openCursor(keys, text)
		if err != nil {
			return
		}
		if again, err := c.seal(keys); err != nil || again != text {
			t.Errorf("%q is read as %+v, which is %q, %v", text, c, again, err)
		}
	})
}

// A place of a list is read as it was written, and as that of no other list.
func FuzzPlace(f *testing.F) {
	for _, seed := range []string{packPlace("audit", "1"), packPlace("licenses", "1", "x"), "", "fHw", "!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if place, ok := unpackPlace("audit", text, 1); ok && packPlace("audit", place...) != text {
			t.Errorf("%q is read as %q", text, place)
		}
		if _, ok := unpackPlace("audit", text, 1); ok {
			if _, other := unpackPlace("runs", text, 1); other {
				t.Errorf("%q is of two lists", text)
			}
		}
	})
}

// Whatever from, to, range and step are, what is taken is a range in order within what can be asked.
func FuzzTimes(f *testing.F) {
	for _, seed := range [][4]string{{"24h", "", "", "5m"}, {"", "2026-01-01T00:00:00Z", "1767225600", "1d"}, {"9223372036854775807d", "", "", "1ns"}, {"", "-1", "1e3", "0x1"}} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, length, from, to, step string) {
		r, faults := query.ParseRange(query.RangeParams{Range: length, From: from, To: to}, now, schema.DefaultRetention())
		if len(faults) == 0 && !r.From.Before(r.To) {
			t.Errorf("%q %q %q is %v", length, from, to, r)
		}
		if d, fault := query.ParseStep(step); fault == nil && step != "" && d < time.Second {
			t.Errorf("step %q is %v", step, d)
		}
	})
}
