package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/auth"
	"corrosion/api/exportjob"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// withJobs gives a server export jobs on a database of its own that knows the licenses of the tests.
func withJobs(t *testing.T) func(*Config, *Deps) {
	t.Helper()
	return withJobsOn(t, schematest.Postgres(t))
}

// withJobsOn keeps them in a database that others use too.
func withJobsOn(t *testing.T, pool *pgxpool.Pool) func(*Config, *Deps) {
	t.Helper()
	for _, license := range []uuid.UUID{ourLicense, theirLicense} {
		if err := pg.New(pool).EnsureLicense(t.Context(), pg.EnsureLicenseParams{ID: license, Name: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	return func(_ *Config, deps *Deps) {
		cfg := exportjob.DefaultConfig(t.TempDir())
		cfg.Poll, cfg.MaxOpen, cfg.PerLicense = 20*time.Millisecond, 100, 4
		jobs, err := exportjob.New(cfg, exportjob.Deps{
			Pool: pool, Exporter: deps.Exporter, Cursor: ExportJobCursor(deps.Keys), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		jobs.Start()
		t.Cleanup(jobs.Close)
		deps.ExportJobs = jobs
	}
}

// joined makes several changes.
func joined(changes ...func(*Config, *Deps)) func(*Config, *Deps) {
	return func(c *Config, d *Deps) {
		for _, change := range changes {
			change(c, d)
		}
	}
}

// newJob queues a job and gives its path.
func (h *harness) newJob(t *testing.T, license uuid.UUID, body string, headers ...string) string {
	t.Helper()
	a := h.send(t, http.MethodPost, exportsPath, h.token(t, license, auth.Viewer), body, headers...)
	location := a.Header.Get("Location")
	if a.StatusCode != http.StatusAccepted || !strings.HasPrefix(location, exportsPath+"/") {
		t.Fatalf("%d %s, location %q", a.StatusCode, a.body, location)
	}
	return location
}

// doneJob waits for a job's end.
func (h *harness) doneJob(t *testing.T, license uuid.UUID, path string) (job exportJob) {
	t.Helper()
	localtest.CheckFor(t, 30*time.Second, 20*time.Millisecond, func() error {
		a := h.get(t, path, h.token(t, license, auth.Viewer))
		job = exportJob{}
		if err := json.Unmarshal([]byte(a.body), &job); err != nil {
			return err
		}
		if job.Status != "done" {
			return fmt.Errorf("%d %s", a.StatusCode, a.body)
		}
		return nil
	})
	return job
}

// jobRoutes are the lines of the tenant matrix about export jobs.
func (h *harness) jobRoutes(t *testing.T) map[string]tenantRoute {
	t.Helper()
	job := h.newJob(t, ourLicense, `{"range":"1h"}`)
	h.doneJob(t, ourLicense, job)
	h.doneJob(t, theirLicense, h.newJob(t, theirLicense, `{"range":"1h"}`))
	return map[string]tenantRoute{
		"POST /api/analytics/exports":     {call: exportsPath, least: auth.Viewer, own: ourLicense.String()},
		"GET /api/analytics/exports":      {call: exportsPath, least: auth.Viewer, own: ourLicense.String()},
		"GET /api/analytics/exports/{id}": {call: job, least: auth.Viewer, own: ourLicense.String()},
		"DELETE /api/analytics/exports/{id}": {call: "{id}", least: auth.Viewer, fresh: func(t *testing.T, _ *harness) string {
			return h.newJob(t, ourLicense, "")
		}},
		"GET /api/analytics/exports/{id}/files/{n}": {call: job + "/files/0", least: auth.Viewer, own: "ours"},
	}
}

func TestExportJob(t *testing.T) {
	pool := schematest.Postgres(t)
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), joined(withJobsOn(t, pool), withKeys(pool, time.Now)))
	base := time.Now().UTC().Truncate(24 * time.Hour)
	for i := range 4 {
		schematest.InsertSamples(t, conn, []schema.Sample{sampleAt(ourLicense, "job", base.Add(-time.Duration(12*i+1)*time.Hour))})
	}
	token := h.token(t, ourLicense, auth.Viewer)
	body := fmt.Sprintf(`{"from":%q,"to":%d,"server_id":["job"],"compression":"gzip"}`, base.AddDate(0, 0, -3).Format(time.RFC3339), base.Unix())
	path := h.newJob(t, ourLicense, body, "Idempotency-Key", "k1")
	if again := h.newJob(t, ourLicense, body, "Idempotency-Key", "k1"); again != path {
		t.Errorf("again: %s, want %s", again, path)
	}
	h.send(t, http.MethodPost, exportsPath, token, `{}`, "Idempotency-Key", "k1").problem(t, 422, "idempotency-key-reused")
	job := h.doneJob(t, ourLicense, path)
	if job.Manifest.Rows != 4 || len(job.Manifest.Files) != 2 || *job.Progress.Percent != 100 || *job.Progress.Estimate != 4 || job.Expires == nil || job.Compression != "gzip" {
		t.Fatalf("%+v %+v", job, job.Manifest)
	}
	for n, file := range job.Manifest.Files {
		if file.URL != fmt.Sprintf("%s/files/%d", path, n) {
			t.Errorf("url %s", file.URL)
		}
		a := h.get(t, file.URL, token, "Accept-Encoding", "identity")
		sum := sha256.Sum256([]byte(a.body))
		if hex.EncodeToString(sum[:]) != file.SHA256 || int64(len(a.body)) != file.Bytes || a.Header.Get("Content-Type") != "application/gzip" || a.Header.Get("Content-Encoding") != "" {
			t.Errorf("file %d: %d bytes, %v", n, len(a.body), a.Header)
		}
		if got := a.Header.Get("Content-Disposition"); got != `attachment; filename="`+file.Name+`"` {
			t.Errorf("disposition %s", got)
		}
	}
	// The job's cursor goes on in an export, and an export's in a job.
	schematest.InsertSamples(t, conn, []schema.Sample{sampleAt(ourLicense, "job", base.Add(-2*time.Hour))})
	rows, next := h.copied(t, ourLicense, "server_id=job&after="+job.Manifest.NextCursor)
	if len(rows) != 1 {
		t.Errorf("%d rows after the job, want 1", len(rows))
	}
	schematest.InsertSamples(t, conn, []schema.Sample{sampleAt(ourLicense, "job", base.Add(-50*time.Hour)), sampleAt(ourLicense, "job", base)})
	following := h.doneJob(t, ourLicense, h.newJob(t, ourLicense, `{"server_id":"job","format":"parquet","after":"`+next+`"}`))
	if following.Manifest.Rows != 2 || following.From != nil || len(following.Manifest.Files) != 2 {
		t.Errorf("%+v %+v", following, following.Manifest)
	}
	hours := h.doneJob(t, ourLicense, h.newJob(t, ourLicense, `{"granularity":"hourly","range":72}`))
	if hours.Manifest.NextCursor != "" || len(hours.Manifest.Files) != 1 || hours.Manifest.Rows == 0 {
		t.Errorf("%+v", hours.Manifest)
	}
	list := h.get(t, exportsPath, token)
	if strings.Count(list.body, `"status":"done"`) != 3 {
		t.Errorf("list: %s", list.body)
	}
	if a := h.do(t, http.MethodDelete, path, token); a.StatusCode != http.StatusNoContent || a.body != "" {
		t.Errorf("delete: %d %s", a.StatusCode, a.body)
	}
	h.get(t, path, token).problem(t, 404, "not-found")
	h.get(t, path+"/files/0", token).problem(t, 404, "not-found")
}

func TestExportFileRanges(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), withJobs(t))
	schematest.InsertSamples(t, conn, []schema.Sample{sampleAt(ourLicense, "ranges", time.Now().Add(-time.Minute))})
	token := h.token(t, ourLicense, auth.Viewer)
	job := h.doneJob(t, ourLicense, h.newJob(t, ourLicense, `{"range":"7d","split":"none"}`))
	url := job.Manifest.Files[0].URL
	whole := h.get(t, url, token)
	size, tag := len(whole.body), whole.Header.Get("ETag")
	if whole.StatusCode != 200 || whole.Header.Get("Accept-Ranges") != "bytes" || tag != `"`+job.Manifest.Files[0].SHA256+`"` {
		t.Fatalf("%d %v", whole.StatusCode, whole.Header)
	}
	// A download that breaks off again and again, and goes on each time.
	var joined bytes.Buffer
	for step := 0; joined.Len() < size; step++ {
		last := min(size-1, joined.Len()+size/3)
		a := h.get(t, url, token, "Range", fmt.Sprintf("bytes=%d-%d", joined.Len(), last), "If-Range", tag)
		if want := fmt.Sprintf("bytes %d-%d/%d", joined.Len(), last, size); a.StatusCode != 206 || a.Header.Get("Content-Range") != want || a.err != nil {
			t.Fatalf("step %d: %d %v %v", step, a.StatusCode, a.Header, a.err)
		}
		joined.WriteString(a.body)
	}
	if joined.String() != whole.body {
		t.Error("the parts are not the whole")
	}
	f := func(name, header string, status int, want string, more ...string) {
		t.Helper()
		a := h.get(t, url, token, append([]string{"Range", header}, more...)...)
		if a.StatusCode != status || a.body != want || a.err != nil {
			t.Errorf("%s: %d, %d bytes, %v", name, a.StatusCode, len(a.body), a.err)
		}
	}
	f("to the end", "bytes=5-", 206, whole.body[5:])
	f("the end", "bytes=-7", 206, whole.body[size-7:])
	f("more than all", "bytes=-99999999999999999999", 206, whole.body)
	f("one byte", "bytes=0-0", 206, whole.body[:1])
	f("beyond the end", "bytes=3-99999999999999999999", 206, whole.body[3:])
	f("of another file", "bytes=5-", 200, whole.body, "If-Range", `"other"`)
	f("of a weak tag", "bytes=5-", 200, whole.body, "If-Range", "W/"+tag)
	f("several", "bytes=0-1,3-4", 200, whole.body)
	f("backwards", "bytes=5-3", 200, whole.body)
	f("another unit", "rows=1-2", 200, whole.body)
	f("rubbish", "bytes=a-b", 200, whole.body)
	f("nothing", "bytes=-", 200, whole.body)
	for _, header := range []string{fmt.Sprintf("bytes=%d-", size), "bytes=-0"} {
		a := h.get(t, url, token, "Range", header)
		a.problem(t, 416, "range-not-satisfiable")
		if a.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", size) {
			t.Errorf("%s: %v", header, a.Header)
		}
	}
	if a := h.get(t, url, token, "If-None-Match", tag); a.StatusCode != 304 || a.body != "" {
		t.Errorf("known: %d %s", a.StatusCode, a.body)
	}
	if a := h.do(t, http.MethodHead, url, token); a.StatusCode != 200 || a.ContentLength != int64(size) || a.body != "" {
		t.Errorf("HEAD: %d, length %d", a.StatusCode, a.ContentLength)
	}
	for _, n := range []string{"1", "-1", "x", "00", "99999999999999999999"} {
		h.get(t, strings.TrimSuffix(url, "0")+n, token).problem(t, 404, "not-found")
	}
	h.get(t, url, h.token(t, theirLicense, auth.Owner)).problem(t, 404, "not-found")
	h.get(t, url+"?x=1", token).problem(t, 422, "invalid-request")
}

func TestExportJobRefused(t *testing.T) {
	h := open(t, clickHouseHTTP(t), withJobs(t))
	token := h.token(t, ourLicense, auth.Viewer)
	f := func(name, body string, locations ...string) {
		t.Helper()
		p := h.send(t, http.MethodPost, exportsPath, token, body).problem(t, 422, "invalid-request")
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Location)
		}
		if strings.Join(got, " ") != strings.Join(locations, " ") {
			t.Errorf("%s: faults at %v, want %v", name, got, locations)
		}
	}
	f("not JSON", "range=1h", "body")
	f("a list", "[]", "body")
	f("null", "null", "body")
	f("two objects", "{}{}", "body")
	f("an unknown name", `{"ranges":"1h"}`, "body.ranges")
	f("another license", `{"license_id":"`+theirLicense.String()+`"}`, "body.license_id")
	f("types", `{"range":{"a":1},"format":true}`, "body.format", "body.range")
	f("several", `{"range":["1h","2h"]}`, "body.range")
	f("words", `{"format":"xls","granularity":"daily","compression":"br","split":"week"}`, "body.granularity", "body.format", "body.split", "body.compression")
	f("compressed Parquet", `{"format":"parquet","compression":"gzip"}`, "body.compression")
	f("a cursor", `{"after":"x"}`, "body.after")
	f("a cursor and a range", `{"after":"x","from":0}`, "body.from", "body.after")
	h.send(t, http.MethodPost, exportsPath+"?range=1h", token, "").problem(t, 422, "invalid-request")
	for _, id := range []string{"x", uuid.NewString(), strings.ToUpper(uuid.NewString()), uuid.Nil.String()} {
		h.get(t, exportsPath+"/"+id, token).problem(t, 404, "not-found")
		h.do(t, http.MethodDelete, exportsPath+"/"+id, token).problem(t, 404, "not-found")
		h.get(t, exportsPath+"/"+id+"/files/0", token).problem(t, 404, "not-found")
	}
	if list := h.get(t, exportsPath, token); list.body != `{"exports":[]}` {
		t.Errorf("refused requests left jobs: %s", list.body)
	}
}
