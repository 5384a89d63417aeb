package encode

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// archiveFiles hold a query for each thing that an archive of a license has of ClickHouse.
//
//go:embed archive/*.sql
var archiveFiles embed.FS

// Archived names what an archive of a license has of ClickHouse, in order.
func Archived() (names []string) {
	files, _ := fs.Glob(archiveFiles, "archive/*.sql") // the pattern is a good one
	for _, file := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(file, "archive/"), ".sql"))
	}
	return names
}

// Derived are the tables that an archive leaves out: what they hold follows from what it has, or serves the program alone.
func Derived() []string {
	return []string{
		"license_hourly", "license_hourly_totals", "license_minutely", "license_minutely_totals", "message_ids", "server_daily",
		"user_licenses",
	}
}

// Archive streams all that a license has in one of Archived, as NDJSON. It fails like Export.
func (e *Exporter) Archive(ctx context.Context, name string, license uuid.UUID) (*Stream, error) {
	text, err := archiveFiles.ReadFile("archive/" + name + ".sql")
	if err != nil {
		return nil, fmt.Errorf("read archive SQL: %w", err)
	}
	r := Request{License: license, Granularity: schema.Raw, Format: NDJSON, Encoding: Identity, To: time.Now()}
	ctx, cancel := context.WithCancel(ctx)
	response, err := e.post(ctx, string(text), e.query(r, statement{params: map[string]string{"license": license.String()}}))
	if err != nil {
		cancel()
		return nil, err
	}
	stream, err := newStream(response, r, cancel)
	if err != nil {
		cancel()
		return nil, err
	}
	return stream, nil
}
