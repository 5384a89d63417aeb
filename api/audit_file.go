package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/audit"
)

// auditPageTime bounds the reading of one page of a file.
const auditPageTime = 20 * time.Second

// sendAuditFile streams every entry that f chooses, a page at a time, so that memory stays flat.
func (s *Server) sendAuditFile(c *fiber.Ctx, f audit.Filter, format string) error {
	file := &auditFile{server: s, filter: f, format: format}
	if err := file.more(); err != nil { // a fault before the first byte is an answer of its own
		return err
	}
	kind := "application/x-ndjson"
	if format == "csv" {
		kind = "text/csv; charset=utf-8; header=present"
	}
	c.Set(fiber.HeaderContentType, kind)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="audit-`+s.deps.Now().UTC().Format("20060102T150405Z")+"."+format+`"`)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	stateOf(c).stream = file
	c.Context().SetBodyStream(file, -1)
	return nil
}

// auditFile reads entries as the text of a file. A fault in mid-stream breaks the connection: the file never looks whole.
type auditFile struct {
	server *Server
	filter audit.Filter
	format string

	page  bytes.Buffer
	begun bool
	whole bool
	sent  int
	err   error
	ended func(sent int, err error)
}

func (f *auditFile) whenEnded(ended func(sent int, err error)) { f.ended = ended }

// Read implements io.Reader.
func (f *auditFile) Read(p []byte) (int, error) {
	for f.page.Len() == 0 {
		if f.whole {
			return 0, io.EOF
		}
		if f.err = f.more(); f.err != nil {
			return 0, f.err
		}
	}
	n, err := f.page.Read(p)
	f.sent += n
	return n, err
}

// Close is called by fasthttp at the end, however it came.
func (f *auditFile) Close() error {
	err := f.err
	if err == nil && (!f.whole || f.page.Len() > 0) {
		err = context.Canceled
	}
	if f.ended != nil {
		f.ended(f.sent, err)
	}
	return nil
}

// more reads the next page.
func (f *auditFile) more() error {
	ctx, cancel := context.WithTimeout(f.server.base, auditPageTime)
	defer cancel()
	entries, err := f.server.deps.Platform.Audit(ctx, f.filter, audit.MaxList)
	if err != nil {
		return err
	}
	f.page.Reset()
	write := f.writeNDJSON
	if f.format == "csv" {
		write = f.writeCSV
	}
	if err := write(entries); err != nil {
		return fmt.Errorf("write audit entries: %w", err)
	}
	f.begun, f.whole = true, len(entries) < audit.MaxList
	if !f.whole {
		f.filter.Before = entries[len(entries)-1].ID
	}
	return nil
}

func (f *auditFile) writeNDJSON(entries []audit.Entry) error {
	out := json.NewEncoder(&f.page)
	for i := range entries {
		if err := out.Encode(&entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *auditFile) writeCSV(entries []audit.Entry) error {
	out := csv.NewWriter(&f.page)
	out.UseCRLF = true
	var faults []error
	if !f.begun {
		faults = append(faults, out.Write([]string{
			"id", "at", "license_id", "actor_id", "actor", "action", "target_kind", "target_id", "address", "user_agent", "request_id", "details",
		}))
	}
	for i := range entries {
		e := &entries[i]
		faults = append(faults, out.Write([]string{
			strconv.FormatInt(e.ID, 10), e.At.Format(time.RFC3339Nano), idText(e.LicenseID), idText(e.ActorID), harmlessCell(e.Actor), e.Action,
			harmlessCell(e.TargetKind), harmlessCell(e.TargetID), e.Address, harmlessCell(e.UserAgent), harmlessCell(e.RequestID), string(e.Details),
		}))
	}
	out.Flush()
	return errors.Join(append(faults, out.Error())...)
}

func idText(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

// harmlessCell leads in by an apostrophe what a spreadsheet would run as a formula.
func harmlessCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
