package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"corrosion/ingest/publish"
	"corrosion/schema"
)

// Publisher takes samples; *publish.Publisher is one.
type Publisher interface {
	Add(ctx context.Context, s *schema.Sample) error
	Flush(ctx context.Context) (publish.Counts, error)
	Counts() publish.Counts
}

// Options of Run.
type Options struct {
	// Files are read one after the other; "-" is Stdin. Plain, gzip and zstd are told by their first bytes.
	Files []string
	Stdin io.Reader
	// Format is "csv" or "ndjson"; empty = NDJSON where the first character is '{' or '[', else CSV. The delimiter of a CSV is
	// the one of , ; tab and | that the header line holds most of.
	Format string
	// TimeColumn is the column or key of the time; empty = the first of ts, timestamp, time, date that exists, in any case.
	TimeColumn string
	// ServerColumn is the column or key of the server; empty = the first of server_id, server, host, series, instance.
	ServerColumn string
	// ServerID is the server of every row, for files without a server column. It wins over a column.
	ServerID string
	// Maps are "source=target[*factor][|round]": target is a field of the contract or metrics.<name>. A source may stand in
	// several. An integer field refuses fractions, unless |round says that they may go.
	Maps []string
	// Ignore are columns or keys to leave out.
	Ignore []string
	// Long is "metric,value": the two columns of a long CSV. Rows of one server and time become one sample; columns other
	// than those four are ignored. Maps apply to the metrics' names.
	Long string
	// From and To cut in source time, half-open; zero = no cut.
	From, To time.Time
	// AlignNow shifts by a whole number of days so that the newest sample left by From and To falls within the last 24
	// hours. It reads everything twice; stdin is kept in a temporary file meanwhile.
	AlignNow bool
	// Rate bounds samples a second; 0 = unbounded.
	Rate      float64
	Publisher Publisher
	// Progress is called about ten times a second; may be nil.
	Progress func(Progress)
	Logger   *slog.Logger
	// Now tells the time; nil = time.Now.
	Now func() time.Time
}

// Progress of a replay. Bytes are of the files as they are stored; Total is 0 where it is unknown.
type Progress struct {
	Phase       string // "scan" (for AlignNow) or "publish"
	Done, Total int64
	Samples     uint64
}

// Validate tells every fault of o at once.
func (o Options) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(len(o.Files) > 0, "no files")
	check(o.Publisher != nil, "publisher is missing")
	check(o.Format == "" || o.Format == formatCSV || o.Format == formatNDJSON, "format %q: must be csv or ndjson", o.Format)
	check(o.ServerID == "" || schema.ValidServerID(o.ServerID), "server id %q: must be 1 to 64 of A-Z a-z 0-9 _ - and no reserved word", o.ServerID)
	check(o.ServerID == "" || o.ServerColumn == "", "both a server id and a server column are given")
	check(o.From.IsZero() || o.To.IsZero() || o.From.Before(o.To), "from %v is not before to %v", o.From, o.To)
	check(o.Rate >= 0, "rate %g: must not be negative", o.Rate)
	if o.Long != "" {
		_, _, err := o.long()
		check(err == nil, "%w", err)
	}
	_, err := parseMaps(o.Maps)
	return errors.Join(append(faults, err)...)
}

// long is the two column names of Long.
func (o Options) long() (metric, value string, err error) {
	metric, value, ok := strings.Cut(o.Long, ",")
	metric, value = strings.TrimSpace(metric), strings.TrimSpace(value)
	if !ok || metric == "" || value == "" || metric == value {
		return "", "", fmt.Errorf("long %q: must be the names of the metric and the value column, like metric,value", o.Long)
	}
	return metric, value, nil
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// firstNamed is the first of want that names holds, in any case; -1 if none.
func firstNamed(names []string, want ...string) int {
	for _, w := range want {
		for i, name := range names {
			if strings.EqualFold(name, w) {
				return i
			}
		}
	}
	return -1
}

func (o Options) timeNames() []string {
	if o.TimeColumn != "" {
		return []string{o.TimeColumn}
	}
	return []string{"ts", "timestamp", "time", "date"}
}

// serverNames is empty where no column is needed.
func (o Options) serverNames() []string {
	switch {
	case o.ServerID != "":
		return nil
	case o.ServerColumn != "":
		return []string{o.ServerColumn}
	}
	return []string{"server_id", "server", "host", "series", "instance"}
}
