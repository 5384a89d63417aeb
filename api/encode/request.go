package encode

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// Format is the kind of file.
type Format string

// The formats.
const (
	// CSV is RFC 4180 with a header row; empty cells were not measured.
	CSV Format = "csv"
	// NDJSON is one object a line; null was not measured. It can be published again as it is.
	NDJSON Format = "ndjson"
	// Parquet is compressed with zstd.
	Parquet Format = "parquet"
)

// Formats are all formats.
func Formats() []Format { return []Format{CSV, NDJSON, Parquet} }

// ContentType is the media type of the file.
func (f Format) ContentType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8; header=present"
	case NDJSON:
		return "application/x-ndjson"
	default:
		return "application/vnd.apache.parquet"
	}
}

// Compressible tells whether a content coding may be put around the file; Parquet is compressed within.
func (f Format) Compressible() bool { return f != Parquet }

// Encoding is a content coding of HTTP.
type Encoding string

// The content codings.
const (
	Identity Encoding = ""
	Gzip     Encoding = "gzip"
	Zstd     Encoding = "zstd"
)

// Request says what is exported.
type Request struct {
	License uuid.UUID
	// Servers are the chosen servers; empty means all of the license, unless Selected.
	Servers []string
	// Selected says that Servers were found by what is written of them, and may be none.
	Selected bool
	// From and To bound ts, half-open; hours widen them to whole UTC hours. Both are zero where StoredSince chooses alone.
	From, To time.Time
	// StoredBefore bounds when raw samples were stored, excluded; it comes from Exporter.Watermark. Zero is no bound.
	StoredBefore time.Time
	// StoredSince chooses the raw samples that were stored at or after it, whatever their ts.
	StoredSince time.Time
	// Ahead adds to StoredSince what was stored before it and has a ts at or after Ahead.
	Ahead time.Time
	// Granularity is schema.Raw or schema.Hourly.
	Granularity schema.Resolution
	Format      Format
	Encoding    Encoding
}

// Bounds are the range that the file covers: From and To, or the whole hours around them.
func (r Request) Bounds() (from, to time.Time) {
	if r.Granularity == schema.Hourly {
		return schema.FloorHour(r.From), schema.CeilHour(r.To)
	}
	return r.From.UTC(), r.To.UTC()
}

// Filename names license, granularity and range: corrosion-<license>-raw-20261122T000000Z-20261123T000000Z.csv, and where
// StoredSince chooses, "stored" and the range of that.
func (r Request) Filename() string {
	const stamp = "20060102T150405Z"
	from, to := r.Bounds()
	kind := string(r.Granularity)
	if from.IsZero() {
		from, to, kind = r.StoredSince.UTC(), r.StoredBefore.UTC(), kind+"-stored"
	}
	return fmt.Sprintf("corrosion-%s-%s-%s-%s.%s", r.License, kind, from.Format(stamp), to.Format(stamp), r.Format)
}

var errRequest = errors.New("bad export request")

func (r Request) validate() error {
	switch {
	case r.License == uuid.Nil:
		return fmt.Errorf("%w: no license", errRequest)
	case r.Granularity != schema.Raw && r.Granularity != schema.Hourly:
		return fmt.Errorf("%w: granularity %q", errRequest, r.Granularity)
	case r.Format != CSV && r.Format != NDJSON && r.Format != Parquet:
		return fmt.Errorf("%w: format %q", errRequest, r.Format)
	case r.Encoding != Identity && !r.Format.Compressible():
		return fmt.Errorf("%w: %s with %s", errRequest, r.Format, r.Encoding)
	case r.Granularity != schema.Raw && (!r.StoredSince.IsZero() || !r.StoredBefore.IsZero()):
		return fmt.Errorf("%w: %s by when it was stored", errRequest, r.Granularity)
	case !r.StoredSince.IsZero() && (r.StoredBefore.IsZero() || r.StoredBefore.Before(r.StoredSince)):
		return fmt.Errorf("%w: StoredBefore is before StoredSince", errRequest)
	case !r.bounded() && r.StoredSince.IsZero(), r.bounded() && !r.From.Before(r.To):
		return fmt.Errorf("%w: from is not before to", errRequest)
	}
	return nil
}

// bounded tells whether From and To count.
func (r Request) bounded() bool { return !r.From.IsZero() || !r.To.IsZero() }
