package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/exportjob"
	"corrosion/api/query"
	"corrosion/schema"
)

const exportsPath = "/api/analytics/exports"

// exportJob is a job as the API shows it.
type exportJob struct {
	ID          uuid.UUID `json:"id"`
	LicenseID   uuid.UUID `json:"license_id"`
	Status      string    `json:"status" enum:"queued,running,done,failed,cancelled,expired"`
	Granularity string    `json:"granularity" enum:"raw,hourly"`
	Format      string    `json:"format" enum:"csv,ndjson,parquet"`
	Compression string    `json:"compression" enum:"none,gzip,zstd"`
	// From and To are nil where after chose.
	From     *time.Time      `json:"from" doc:"Start of the range; null where after chose"`
	To       *time.Time      `json:"to" doc:"End of the range, excluded; null where after chose"`
	Progress exportProgress  `json:"progress"`
	Tries    int             `json:"tries" doc:"How often it was begun"`
	Error    *string         `json:"error" doc:"Why it failed, or why it is tried again"`
	Manifest *exportManifest `json:"manifest" doc:"The files, once the job is done"`
	Created  time.Time       `json:"created_at"`
	Started  *time.Time      `json:"started_at"`
	Finished *time.Time      `json:"finished_at"`
	Expires  *time.Time      `json:"expires_at" doc:"When its files are removed"`
}

type exportProgress struct {
	Rows     uint64   `json:"rows" doc:"Rows written"`
	Estimate *uint64  `json:"estimate" doc:"How many there will be; null until they are counted"`
	Percent  *float64 `json:"percent" doc:"0 to 100"`
	Bytes    int64    `json:"bytes" doc:"Bytes written"`
}

type exportManifest struct {
	Rows       uint64       `json:"rows"`
	Bytes      int64        `json:"bytes"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"The next export's after; raw only"`
	Files      []exportFile `json:"files"`
}

type exportFile struct {
	exportjob.File
	URL string `json:"url" doc:"Where it can be fetched, with Range"`
}

// exportJobs is the list of a license's jobs.
type exportJobs struct {
	Exports []exportJob `json:"exports"`
}

func viewJob(job exportjob.Job) exportJob {
	request := job.Spec.Request
	view := exportJob{
		ID: job.ID, LicenseID: job.License, Status: string(job.Status), Granularity: string(request.Granularity),
		Format: string(request.Format), Compression: "none", Progress: viewProgress(job), Tries: job.Tries,
		Created: job.Created.UTC(), Started: utc(job.Started), Finished: utc(job.Finished), Expires: utc(job.Expires),
	}
	if request.Encoding != encode.Identity {
		view.Compression = string(request.Encoding)
	}
	if !request.From.IsZero() {
		from, to := request.Bounds()
		view.From, view.To = &from, &to
	}
	if job.Error != "" {
		view.Error = &job.Error
	}
	if job.Manifest != nil && job.Status == exportjob.Done {
		view.Manifest = viewManifest(job.ID, job.Manifest)
	}
	return view
}

func viewManifest(id uuid.UUID, m *exportjob.Manifest) *exportManifest {
	view := &exportManifest{Rows: m.Rows, Bytes: m.Bytes, NextCursor: m.NextCursor, Files: []exportFile{}}
	for _, file := range m.Files {
		view.Files = append(view.Files, exportFile{file, exportsPath + "/" + id.String() + "/files/" + strconv.Itoa(file.N)})
	}
	return view
}

func viewProgress(job exportjob.Job) exportProgress {
	view := exportProgress{Rows: job.Rows, Estimate: job.Estimate, Bytes: job.Bytes}
	percent := 0.0
	switch {
	case job.Status == exportjob.Done:
		percent = 100
	case job.Estimate == nil:
		return view
	case *job.Estimate > 0: // hours may become more while they are written
		percent = min(99, float64(1000*job.Rows / *job.Estimate)/10)
	}
	view.Percent = &percent
	return view
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// createExport queues a job.
func (s *Server) createExport(c *fiber.Ctx) error {
	license, err := stateOf(c).license()
	if err != nil {
		return err
	}
	spec, err := s.exportSpec(c, license)
	if err != nil {
		return err
	}
	job, err := s.deps.ExportJobs.Create(c.UserContext(), license, spec)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, exportsPath+"/"+job.ID.String())
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(fiber.StatusAccepted).JSON(viewJob(job))
}

// exportSpec reads a job's parameters from the body: those of an export, and compression and split.
func (s *Server) exportSpec(c *fiber.Ctx, license uuid.UUID) (exportjob.Spec, error) {
	retention, err := s.deps.Queries.Retention(c.UserContext())
	if err != nil {
		return exportjob.Spec{}, err
	}
	unknown := newInputs(stateOf(c).values, nil, s.deps.Now(), retention)
	values, faults, err := bodyValues(c.Body())
	if err != nil {
		return exportjob.Spec{}, err
	}
	known := map[string]bool{"compression": true, "split": true}
	for name := range s.known[exportPath] {
		known[name] = true
	}
	in := newInputs(values, known, s.deps.Now(), retention)
	ask := s.readExport(in, license)
	spec := exportjob.Spec{Request: ask.request, ByDay: in.byDay(ask.request.Granularity)}
	spec.Request.Encoding = in.compression(ask.request.Format)
	spec.Cursor = ask.pending().pack()
	for i := range in.faults {
		in.faults[i].Location = strings.Replace(in.faults[i].Location, "query.", "body.", 1)
	}
	in.faults = slices.Concat(unknown.faults, faults, in.faults)
	if err := in.err(); err != nil {
		return spec, err
	}
	return spec, s.selectFor(c.UserContext(), &spec.Request, ask.selector)
}

func (in *inputs) byDay(granularity schema.Resolution) bool {
	type words string
	fallback := map[schema.Resolution][]words{schema.Raw: {"day", "none"}, schema.Hourly: {"none", "day"}}
	return choice(in, "split", fallback[granularity]...) == "day"
}

func (in *inputs) compression(format encode.Format) encode.Encoding {
	type words string
	word := choice[words](in, "compression", "none", "gzip", "zstd")
	switch {
	case word == "none":
		return encode.Identity
	case !format.Compressible():
		in.add(query.Fault{Location: "query.compression", Message: "must be none: Parquet is compressed within", Value: string(word)})
		return encode.Identity
	}
	return encode.Encoding(word)
}

// bodyValues reads a flat JSON object as parameters: text, numbers, and lists of text for what is repeatable. An empty
// body has none.
func bodyValues(body []byte) (values url.Values, faults []query.Fault, err error) {
	values = url.Values{}
	if len(bytes.TrimSpace(body)) == 0 {
		return values, nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil || object == nil {
		return nil, nil, invalid("body", "must be a JSON object", nil)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, invalid("body", "must be one JSON object", nil)
	}
	for name, value := range object {
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		for _, item := range list {
			switch item := item.(type) {
			case string:
				values[name] = append(values[name], item)
			case json.Number:
				values[name] = append(values[name], item.String())
			case nil:
			default:
				faults = append(faults, query.Fault{Location: "body." + name, Message: "must be text, a number, or a list of text", Value: item})
			}
		}
	}
	slices.SortFunc(faults, func(a, b query.Fault) int { return strings.Compare(a.Location, b.Location) })
	return values, faults, nil
}

func invalid(location, message string, value any) error {
	return &query.Faults{Code: query.CodeInvalid, List: []query.Fault{{Location: location, Message: message, Value: value}}}
}

// ExportJobCursor gives the cursor behind a job's export; it is exportjob.Deps.Cursor.
func ExportJobCursor(keys *auth.Keys) func(exportjob.Spec, time.Time) (string, error) {
	return func(spec exportjob.Spec, until time.Time) (string, error) {
		c, err := unpackCursor(spec.Cursor)
		if err != nil {
			return "", err
		}
		c.since = until
		return c.seal(keys)
	}
}

func (s *Server) listExports(c *fiber.Ctx) error {
	license, err := s.jobsLicense(c)
	if err != nil {
		return err
	}
	jobs, err := s.deps.ExportJobs.List(c.UserContext(), license)
	if err != nil {
		return err
	}
	list := exportJobs{Exports: []exportJob{}}
	for _, job := range jobs {
		list.Exports = append(list.Exports, viewJob(job))
	}
	return sendJob(c, list)
}

func (s *Server) getExport(c *fiber.Ctx) error {
	license, id, err := s.jobOf(c)
	if err != nil {
		return err
	}
	job, err := s.deps.ExportJobs.Find(c.UserContext(), license, id)
	if err != nil {
		return err
	}
	return sendJob(c, viewJob(job))
}

func (s *Server) deleteExport(c *fiber.Ctx) error {
	license, id, err := s.jobOf(c)
	if err != nil {
		return err
	}
	if err := s.deps.ExportJobs.Delete(c.UserContext(), license, id); err != nil {
		return err
	}
	c.Status(fiber.StatusNoContent)
	return nil
}

func sendJob(c *fiber.Ctx, body any) error {
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	c.Set(fiber.HeaderVary, fiber.HeaderAuthorization)
	return c.JSON(body)
}

// jobsLicense is the asker's license, for routes without parameters.
func (s *Server) jobsLicense(c *fiber.Ctx) (uuid.UUID, error) {
	license, err := stateOf(c).license()
	if err != nil {
		return uuid.Nil, err
	}
	return license, newInputs(stateOf(c).values, nil, s.deps.Now(), schema.Retention{}).err()
}

func (s *Server) jobOf(c *fiber.Ctx) (license, id uuid.UUID, err error) {
	if license, err = s.jobsLicense(c); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	if id, err = uuid.Parse(c.Params("id")); err != nil || id.String() != c.Params("id") {
		return uuid.Nil, uuid.Nil, errNotFound
	}
	return license, id, nil
}
