package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// exportJobInput describes a new job for the OpenAPI document.
type exportJobInput struct {
	Body *struct {
		Range       string   `json:"range,omitempty" doc:"Length before now: n minutes, hours or days, or a bare number of hours. Default 24h." example:"7d"`
		From        string   `json:"from,omitempty" doc:"Start, included: RFC 3339, or epoch."`
		To          string   `json:"to,omitempty" doc:"End, excluded, written like from. Default now."`
		ServerID    []string `json:"server_id,omitempty" doc:"Only these servers. Default all."`
		TZ          string   `json:"tz,omitempty" doc:"IANA time zone; exports have no buckets, so it changes nothing."`
		Granularity string   `json:"granularity,omitempty" enum:"raw,hourly" default:"raw"`
		Format      string   `json:"format,omitempty" enum:"csv,ndjson,parquet" default:"csv"`
		After       string   `json:"after,omitempty" doc:"The next_cursor of an earlier export of the same servers, in place of a range. Raw only."`
		Compression string   `json:"compression,omitempty" enum:"none,gzip,zstd" default:"none" doc:"How each file is compressed; none for Parquet."`
		Split       string   `json:"split,omitempty" enum:"day,none" doc:"A file a UTC day, or one file. Default: day for raw, none for hourly."`
	} `required:"false"`
}

type exportJobOutput struct {
	Location string `header:"Location"`
	Body     exportJob
}

type exportJobsOutput struct{ Body exportJobs }

type exportJobPath struct {
	ID string `path:"id" format:"uuid"`
}

type exportFilePath struct {
	ID      string `path:"id" format:"uuid"`
	N       string `path:"n" doc:"The file's place in the manifest, from 0."`
	Range   string `header:"Range" doc:"One range of bytes." example:"bytes=1048576-"`
	IfRange string `header:"If-Range" doc:"The ETag that the range is of: another file is sent whole."`
}

// registerExportJobs serves and describes the jobs, where there is someone to do them.
func (s *Server) registerExportJobs() {
	if s.deps.ExportJobs == nil {
		return
	}
	op := func(id, method, path, summary, description string, status int) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: exportsPath + path, Tags: []string{"Analytics"}, Security: private(),
			Summary: summary, Description: description, DefaultStatus: status,
		}
	}
	describeAnswer[exportJobInput, exportJobOutput](s, op("create-export", http.MethodPost, "", "Export to files, in the background",
		"The parameters are those of an export, as JSON. The job goes on when the client goes away and when the program is stopped. Its files are kept for a day.",
		http.StatusAccepted))
	describeAnswer[struct{}, exportJobsOutput](s, op("list-exports", http.MethodGet, "", "Export jobs", "The license's newest jobs, newest first.", http.StatusOK))
	describeAnswer[exportJobPath, exportJobOutput](s, op("get-export", http.MethodGet, "/{id}", "One export job",
		"Poll it until status is done, failed, cancelled or expired. The manifest has every file's rows and SHA-256.", http.StatusOK))
	describe[exportJobPath](s, op("delete-export", http.MethodDelete, "/{id}", "Cancel or remove an export job",
		"A job that waits or runs becomes cancelled; one that is over is removed with its files.", http.StatusNoContent))
	s.describeExportFile(op("get-export-file", http.MethodGet, "/{id}/files/{n}", "A file of an export job",
		"One range of bytes is honoured, so that a download that broke off can go on; the ETag is the file's SHA-256. "+
			"Files lie with the process that made them: processes that do not share its directory answer export-elsewhere.", http.StatusOK))

	s.app.Post(exportsPath, s.createExport)
	s.app.Get(exportsPath, s.listExports)
	s.app.Get(exportsPath+"/:id", s.getExport)
	s.app.Delete(exportsPath+"/:id", s.deleteExport)
	s.app.Get(exportsPath+"/:id/files/:n", s.getExportFile)
}

func (s *Server) describeExportFile(op huma.Operation) {
	content := map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}
	op.Responses = map[string]*huma.Response{
		"200": {Description: "The file", Content: content}, "206": {Description: "A part of it", Content: content},
		"416": s.problemResponse("The range is not within the file"),
	}
	describe[exportFilePath](s, op)
}
