package api

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"corrosion/api/account"
	"corrosion/api/earlyaccess"
	"corrosion/api/encode"
	"corrosion/api/query"
)

// Problem is the body of every error answer, application/problem+json of RFC 9457.
type Problem struct {
	Type      string         `json:"type" format:"uri-reference" doc:"Where this kind of problem is explained" example:"/api/docs#invalid-request"`
	Title     string         `json:"title" doc:"The kind of problem, in words"`
	Status    int            `json:"status" doc:"HTTP status"`
	Detail    string         `json:"detail,omitempty" doc:"What is wrong this time"`
	Code      string         `json:"code" doc:"The kind of problem, for programs" example:"invalid-request"`
	RequestID string         `json:"request_id,omitempty" doc:"Quote it to the operator: it stands in the log"`
	Errors    []ProblemError `json:"errors,omitempty" doc:"Every fault of the request"`

	headers http.Header
	cause   error
}

// ProblemError is one fault of a request.
type ProblemError struct {
	Location string `json:"location" doc:"The parameter, as in query.from"`
	Message  string `json:"message" doc:"What is wrong with it"`
	Value    any    `json:"value,omitempty" doc:"What was sent"`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus is the answer's status; with GetHeaders and ContentType it lets huma write a Problem.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are further headers of the answer.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType is problem+json whatever was asked for.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// rateLimitedError says when there is room again.
type rateLimitedError struct{ after time.Duration }

func (e *rateLimitedError) Error() string { return "rate limited" }

// notReadyError lists what /readyz found.
type notReadyError struct{ faults []ProblemError }

func (e *notReadyError) Error() string { return "not ready" }

// newProblem is the one place where an error becomes an answer. What it does not know is "internal", without a word of
// the error itself.
func newProblem(err error, requestID string) *Problem {
	p := classify(err)
	p.RequestID, p.cause = requestID, err
	switch {
	case p.Status == http.StatusUnauthorized:
		p.setHeader("WWW-Authenticate", challenge(p))
	case p.Code == "idempotency-key-in-use":
		p.setHeader("Retry-After", "1")
	case p.Code == "unavailable" || p.Code == "payment-unavailable" || p.Code == "too-many-exports" || p.Code == "too-many-export-jobs" || p.Code == "too-many-listeners":
		p.setHeader("Retry-After", "5")
	}
	return p
}

func classify(err error) *Problem {
	var (
		problem  *Problem
		faults   *query.Faults
		limited  *rateLimitedError
		slowed   *account.ThrottledError
		unproven *earlyaccess.ProofNeededError
		notReady *notReadyError
		server   *encode.ServerError
		fiberErr *fiber.Error
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &faults):
		return faultsProblem(faults)
	case errors.As(err, &limited):
		return waitProblem("rate-limited", limited.after)
	case errors.As(err, &slowed):
		return waitProblem("too-many-tries", slowed.After)
	case errors.As(err, &unproven):
		return waitProblem("proof-needed", unproven.After)
	case errors.As(err, &notReady):
		p := kindProblem("not-ready")
		p.Errors = notReady.faults
		return p
	case errors.As(err, &server) && server.Busy():
		return kindProblem("unavailable")
	case errors.As(err, &fiberErr):
		return statusProblem(fiberErr.Code)
	}
	for _, s := range sentinels() {
		if errors.Is(err, s.err) {
			p := kindProblem(s.code)
			if p.Status == http.StatusUnauthorized {
				p.Detail = s.err.Error()
			}
			return p
		}
	}
	return kindProblem("internal")
}

// kindProblem is the problem of a code in the table; an unknown code is "internal".
func kindProblem(code string) *Problem {
	for _, k := range problemKinds() {
		if k.Code == code {
			return &Problem{Type: docsPath + "#" + k.Code, Title: k.Title, Status: k.Status, Code: k.Code, Detail: k.About}
		}
	}
	return kindProblem("internal")
}

// waitProblem is the problem of a code, with when to try again.
func waitProblem(code string, after time.Duration) *Problem {
	p := kindProblem(code)
	p.setHeader("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	return p
}

// statusProblem is the problem of a status that Fiber or fasthttp chose.
func statusProblem(status int) *Problem {
	for _, k := range problemKinds() {
		if k.Status == status && k.Code != query.CodeAggNotKept {
			return kindProblem(k.Code)
		}
	}
	if status >= 400 && status < 500 {
		return kindProblem("malformed-request")
	}
	return kindProblem("internal")
}

func faultsProblem(faults *query.Faults) *Problem {
	p := kindProblem(faults.Code)
	for _, f := range faults.List {
		p.Errors = append(p.Errors, ProblemError{Location: f.Location, Message: f.Message, Value: f.Value})
	}
	if len(faults.List) == 1 {
		p.Detail = faults.List[0].Location + " " + faults.List[0].Message
	}
	return p
}

func (p *Problem) setHeader(name, value string) {
	if p.headers == nil {
		p.headers = http.Header{}
	}
	p.headers.Set(name, value)
}

// challenge is RFC 6750's: no error word where no token was sent, or where it is not the token that is wrong.
func challenge(p *Problem) string {
	switch p.Code {
	case "unauthenticated", "credentials-invalid", "totp-required", "refresh-invalid":
		return `Bearer realm="corrosion"`
	}
	return `Bearer realm="corrosion", error="invalid_token", error_description="` + p.Detail + `"`
}

// write puts p into a response in place of whatever stood there; headers that middleware has set stay.
func (p *Problem) write(response *fasthttp.Response) {
	body, err := json.Marshal(p)
	if err != nil {
		// A value that cannot be encoded came from the request; the rest of the problem says enough.
		p.Errors = nil
		body, _ = json.Marshal(p)
	}
	response.ResetBody()
	response.SetStatusCode(p.Status)
	for name, values := range p.headers {
		response.Header.Set(name, values[0])
	}
	response.Header.Set("Cache-Control", "no-store")
	response.Header.SetContentType(problemType)
	response.SetBody(body)
}

// problemOfHuma turns the errors that huma makes itself into ours.
func problemOfHuma(_ huma.Context, _ string, value any) (any, error) {
	model, ok := value.(*huma.ErrorModel)
	if !ok {
		return value, nil
	}
	p := statusProblem(model.Status)
	p.Status = model.Status
	for _, d := range model.Errors {
		p.Errors = append(p.Errors, ProblemError{Location: locate(d), Message: d.Message, Value: harmless(d)})
	}
	return p, nil
}

// locate names the property that is missing, where huma names what it is missing from.
func locate(d *huma.ErrorDetail) string {
	rest, isMissing := strings.CutPrefix(d.Message, "expected required property ")
	if name, ok := strings.CutSuffix(rest, " to be present"); ok && isMissing {
		return d.Location + "." + name
	}
	return d.Location
}

// harmless is what was sent, where it cannot be a secret: no part of a body but a field that is known to be none.
func harmless(d *huma.ErrorDetail) any {
	field, inBody := strings.CutPrefix(d.Location, "body")
	if !inBody {
		return d.Value
	}
	switch field {
	case ".email", ".name", ".license_id", ".delivery", ".role", ".server_id", ".overlap", ".account_id", ".network_name":
		if text, ok := d.Value.(string); ok {
			return text
		}
	case ".server_count":
		return d.Value
	}
	return nil
}
