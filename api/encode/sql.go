package encode

import (
	"embed"
	"net/url"
	"strconv"
	"strings"
	"text/template"
	"time"

	"corrosion/schema"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

// formulaStart are the bytes that make a spreadsheet run a cell. A leading apostrophe makes it text; numbers are never
// touched, for they are not text to begin with.
const formulaStart = `'^[=+\\-@\\t\\r\\n]'`

// statement is a query's text and its parameters, the names without ClickHouse's prefix "param_".
type statement struct {
	text   string
	params map[string]string
}

type sqlData struct {
	Fields  []string
	Metrics string
	Servers bool
	// Range, Before, Since and Ahead say which of the request's bounds count.
	Range, Before, Since, Ahead bool
	Format                      string
}

func parseTemplates() (*template.Template, error) { return template.ParseFS(sqlFiles, "sql/*.sql") }

func buildStatement(templates *template.Template, r Request) (statement, error) {
	return fillStatement(templates, string(r.Granularity)+".sql", r)
}

// buildPlan asks how many rows each UTC day has of what r chooses.
func buildPlan(templates *template.Template, r Request) (statement, error) {
	return fillStatement(templates, "plan_"+string(r.Granularity)+".sql", r)
}

func fillStatement(templates *template.Template, name string, r Request) (statement, error) {
	data := sqlData{
		Metrics: metricsColumn(r.Format), Servers: r.Selected || len(r.Servers) > 0, Format: engineFormat(r.Format),
		Range: r.bounded(), Before: !r.StoredBefore.IsZero(), Since: !r.StoredSince.IsZero(), Ahead: !r.Ahead.IsZero(),
	}
	for f := range schema.NumFields {
		data.Fields = append(data.Fields, fieldColumn(f, r.Format))
	}
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, name, data); err != nil {
		return statement{}, err
	}
	return statement{text: text.String(), params: requestParams(r, data)}, nil
}

func requestParams(r Request, data sqlData) map[string]string {
	params := map[string]string{"license": r.License.String()}
	add := func(wanted bool, name string, t time.Time) {
		if wanted {
			params[name] = timeParam(t, r.Granularity)
		}
	}
	from, to := r.Bounds()
	add(data.Range, "from", from)
	add(data.Range, "to", to)
	add(data.Before, "stored_before", r.StoredBefore)
	add(data.Since, "stored_since", r.StoredSince)
	add(data.Ahead, "ahead", r.Ahead)
	if data.Servers {
		params["servers"] = arrayParam(r.Servers)
	}
	return params
}

func fieldColumn(f schema.Field, format Format) string {
	name := f.String()
	if format == CSV && f.Info().Kind == schema.Text {
		return "replaceRegexpOne(" + name + ", " + formulaStart + `, '''\\0') AS ` + name
	}
	return name
}

// metricsColumn is one JSON cell; within NDJSON it is simply an object.
func metricsColumn(format Format) string {
	if format == NDJSON {
		return "metrics"
	}
	return "toJSONString(metrics) AS metrics"
}

func engineFormat(format Format) string {
	switch format {
	case CSV:
		return "CSVWithNames"
	case NDJSON:
		return "JSONEachRow"
	default:
		return "Parquet"
	}
}

// timeParam is seconds since the epoch, with ms for raw: unlike text it has no zone to get wrong.
func timeParam(t time.Time, granularity schema.Resolution) string {
	if granularity == schema.Hourly {
		return strconv.FormatInt(t.Unix(), 10)
	}
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}

// arrayParam is an Array(String) literal. Server ids hold nothing that needs an escape, but escaping costs nothing.
func arrayParam(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = schema.Literal(v)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// formatSettings make the engine write what the contract promises.
func formatSettings(format Format) url.Values {
	settings := url.Values{
		"date_time_output_format": {"iso"},
		// Metrics' names may hold slashes; the JSON cell is easier to read without escapes.
		"output_format_json_escape_forward_slashes": {"0"},
	}
	switch format {
	case CSV:
		settings.Set("output_format_csv_crlf_end_of_line", "1")
		settings.Set("format_csv_null_representation", "")
	case NDJSON:
		settings.Set("output_format_json_quote_64bit_integers", "0")
		settings.Set("output_format_json_validate_utf8", "1")
	case Parquet:
		settings.Set("output_format_parquet_compression_method", "zstd")
		// The engine holds a few row groups; a tenth of its default keeps them small and still reads well.
		settings.Set("output_format_parquet_row_group_size", "100000")
		settings.Set("output_format_parquet_string_as_string", "1")
	}
	return settings
}
