package earlyaccess

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"corrosion/schema/pg"
)

// csvPage is how many signups are read at once: a file of any length takes the memory of one page.
const csvPage = 1000

// CSV reads signups as RFC 4180, a header row first. It is an io.Reader; an error of Read other than io.EOF means that
// the file is not whole.
type CSV struct {
	ctx     context.Context //nolint:containedctx // a reader is one piece of work, and Read takes none
	service *Service
	request ListRequest
	buffer  bytes.Buffer
	begun   bool
	last    bool
}

// CSV makes a reader of all signups of a segment, "" for all. ctx bounds the reading.
func (s *Service) CSV(ctx context.Context, segment string) *CSV {
	return &CSV{ctx: ctx, service: s, request: ListRequest{Segment: segment, Limit: csvPage}}
}

// Read gives the next bytes.
func (c *CSV) Read(p []byte) (int, error) {
	for c.buffer.Len() == 0 {
		if c.last {
			return 0, io.EOF
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	return c.buffer.Read(p)
}

func (c *CSV) fill() error {
	rows, err := c.service.List(c.ctx, c.request)
	if err != nil {
		return err
	}
	w := csv.NewWriter(&c.buffer)
	w.UseCRLF = true
	if !c.begun {
		c.begun = true
		_ = w.Write([]string{"position", "email", "server_count", "segment", "network_name", "founding_slot", "confirmed", "created_at", "confirmed_at"})
	}
	for i := range rows {
		_ = w.Write(record(&rows[i], c.service.now())) // a buffer takes everything
		c.request.After = rows[i].Position
	}
	w.Flush()
	c.last = len(rows) < csvPage
	if err := w.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

func record(row *pg.ListSignupsRow, now time.Time) []string {
	network, slot, confirmed := "", "", ""
	if row.NetworkName != nil {
		network = *row.NetworkName
	}
	if Holds(row, now) {
		slot = strconv.Itoa(int(row.Slot))
	}
	if row.ConfirmedAt != nil {
		confirmed = row.ConfirmedAt.UTC().Format(time.RFC3339)
	}
	return []string{
		strconv.FormatInt(row.Position, 10), harmless(row.Email), strconv.Itoa(int(row.ServerCount)), harmless(row.Segment), harmless(network),
		slot, strconv.FormatBool(row.ConfirmedAt != nil), row.CreatedAt.UTC().Format(time.RFC3339), confirmed,
	}
}

// Holds tells whether a signup has a founding slot now: one that was not confirmed in time does not count.
func Holds(row *pg.ListSignupsRow, now time.Time) bool {
	return row.Slot > 0 && (row.HeldUntil == nil || row.HeldUntil.After(now))
}

// harmless puts an apostrophe before what a spreadsheet would run as a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
