package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// describeManners adds to every operation what all of them share: the headers of every answer, conditional reads, and
// keys of requests that must not be done twice.
func describeManners(document *huma.OpenAPI) {
	document.Components.Headers = commonHeaders()
	for path, item := range document.Paths {
		for _, op := range operationsOf(item) {
			for status, response := range op.Responses {
				describeHeaders(response, status)
			}
			if takesKeys(op.Method, path) {
				describeKeys(op)
			}
			if op.Method == http.MethodGet && tagged(path) && op.Responses["200"] != nil {
				describeConditional(op)
			}
		}
	}
}

// commonHeaders are described once, and named by every answer.
func commonHeaders() map[string]*huma.Param {
	text := func(description string, example any) *huma.Param {
		return &huma.Param{Description: description, Schema: &huma.Schema{Type: "string"}, Example: example}
	}
	return map[string]*huma.Param{
		"RateLimit":        text("What is left of each quota: r requests at once, whole again after t seconds.", `"token";r=599;t=1`),
		"RateLimit-Policy": text("The quotas that count: q requests in w seconds, by token, license or address.", `"token";q=600;w=60`),
		"X-Request-Id":     text("The request's id, as sent or made: it stands in the log and in the audit log.", nil),
		"Retry-After":      {Description: "Seconds to wait before the next try.", Schema: &huma.Schema{Type: "integer"}},
	}
}

func describeHeaders(response *huma.Response, status string) {
	if response.Ref != "" {
		return
	}
	if response.Headers == nil {
		response.Headers = map[string]*huma.Param{}
	}
	names := []string{"RateLimit", "RateLimit-Policy", "X-Request-Id"}
	if slices.Contains([]string{"409", "429", "503"}, status) {
		names = append(names, "Retry-After")
	}
	for _, name := range names {
		response.Headers[name] = &huma.Param{Ref: "#/components/headers/" + name}
	}
}

// describeKeys adds the header Idempotency-Key.
func describeKeys(op *huma.Operation) {
	if slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == idempotencyHeader }) {
		return
	}
	most := maxIdempotencyKey
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: idempotencyHeader, In: "header",
		Description: "For requests that must not be done twice: for 24 hours the same key with the same request gives the same answer, marked " +
			"Idempotent-Replayed: true. With another request it is a 422 idempotency-key-reused, while the first is under way a 409 idempotency-key-in-use.",
		Schema: &huma.Schema{Type: "string", MaxLength: &most},
	})
	if op.Responses["409"] == nil {
		op.Responses["409"] = &huma.Response{
			Description: http.StatusText(http.StatusConflict), Content: op.Responses["422"].Content, Headers: op.Responses["429"].Headers,
		}
	}
}

// tagged tells whether answers of a path have an ETag; files and streams have none, or their own.
func tagged(path string) bool {
	if path == exportPath || path == livePath || path == demoLivePath || strings.HasSuffix(path, "/files/{n}") {
		return false
	}
	return slices.ContainsFunc([]string{"/api/analytics/", "/api/public/demo/", adminPrefix + "/", auditPath}, func(prefix string) bool {
		return strings.HasPrefix(path, prefix)
	})
}

// describeConditional adds If-None-Match, ETag and 304.
func describeConditional(op *huma.Operation) {
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Description: "The ETag that was read last: 304 while the answer is the same.", Schema: &huma.Schema{Type: "string"},
	})
	answer := op.Responses["200"]
	if answer.Headers == nil {
		answer.Headers = map[string]*huma.Param{}
	}
	tag := &huma.Param{Description: "Names this version of the answer, for If-None-Match", Schema: &huma.Schema{Type: "string"}}
	if answer.Headers["ETag"] == nil {
		answer.Headers["ETag"] = tag
	}
	op.Responses["304"] = &huma.Response{Description: "Not modified", Headers: map[string]*huma.Param{"ETag": tag}}
	describeHeaders(op.Responses["304"], "304")
}
