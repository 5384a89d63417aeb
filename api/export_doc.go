package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"corrosion/api/encode"
)

// describeExport puts the export, which Fiber answers, into the document.
func (s *Server) describeExport() {
	content := map[string]*huma.MediaType{}
	for _, format := range encode.Formats() {
		content[mediaType(format)] = &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	}
	text := func(description string) *huma.Param {
		return &huma.Param{Description: description, Schema: &huma.Schema{Type: "string"}}
	}
	describe[exportInput](s, huma.Operation{
		OperationID: "export", Method: http.MethodGet, Path: exportPath, Tags: []string{"Analytics"}, Security: private(),
		Summary: "Samples or hours as a file", DefaultStatus: 200,
		Description: "Streamed, ordered by server_id, ts, seq, idx. CSV is RFC 4180 with a header row, empty cells for what was not measured, and cells of boot, " +
			"map and version that a spreadsheet would run as a formula led in by an apostrophe; NDJSON has null for what was not measured; Parquet is compressed with zstd. " +
			"metrics is one JSON cell (in NDJSON an object). Accept-Encoding gzip and zstd are honoured for CSV and NDJSON. A file that could not be completed " +
			"ends with a broken connection; one that is complete has the trailer X-Row-Count. Raw exports also have the trailer X-Next-Cursor: sent as after, it " +
			"gives what was received since, so that copies that go on from each other miss nothing and repeat nothing, late samples included. A cursor holds for its " +
			"license and selection of servers, and for a day less than raw samples are kept.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The file", Content: content, Headers: map[string]*huma.Param{
				"Content-Disposition": text("A file name with license, granularity and range"),
				rowCountTrailer:       text("A trailer: the number of rows"),
				cursorTrailer:         text("A trailer of raw exports: the next export's after"),
			},
		}},
	})
}

func mediaType(format encode.Format) string {
	if format == encode.CSV {
		return "text/csv"
	}
	return format.ContentType()
}
