package api

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"corrosion/api/query"
	"corrosion/schema"
)

// The structs here describe query parameters for the OpenAPI document; inputs reads them, so that every fault of a
// request is found at once.

// AnalyticsInput are the parameters that every analytics request has.
type AnalyticsInput struct {
	Range    string   `query:"range" doc:"Length before now: n minutes, hours or days, or a bare number of hours; from an hour to raw retention it begins on a whole minute. Default 24h." example:"24h"`
	From     string   `query:"from" doc:"Start, included: RFC 3339, or epoch in seconds (in ms above 10^11)." example:"2026-11-22T00:00:00Z"`
	To       string   `query:"to" doc:"End, excluded, written like from. Default now." example:"2026-11-23T00:00:00Z"`
	ServerID []string `query:"server_id,explode" doc:"Only these servers; repeatable. Default all."`
	Tag      []string `query:"tag,explode" doc:"Only servers with this tag, key:value; repeatable: values of one key are alternatives, different keys must all fit." example:"region:eu"`
	Group    []string `query:"group,explode" doc:"Only servers of this group; repeatable: any of them."`
	TZ       string   `query:"tz" doc:"IANA time zone; it moves the edges of buckets only. Default UTC." example:"Europe/Berlin"`
}

// inputs reads the query of one request and gathers what is wrong with it.
type inputs struct {
	values    url.Values
	now       time.Time
	retention schema.Retention
	faults    []query.Fault
	// code is the kind of problem where it is not simply an invalid request.
	code string
}

// newInputs finds unknown parameters.
func newInputs(values url.Values, known map[string]bool, now time.Time, retention schema.Retention) *inputs {
	in := &inputs{values: values, now: now, retention: retention}
	for name, sent := range values {
		if !known[name] {
			in.add(query.Fault{Location: "query." + name, Message: "is not a parameter of this request", Value: sent[0]})
		}
	}
	slices.SortFunc(in.faults, func(a, b query.Fault) int {
		if a.Location < b.Location {
			return -1
		}
		return 1
	})
	return in
}

func (in *inputs) add(faults ...query.Fault) { in.faults = append(in.faults, faults...) }

func (in *inputs) check(fault *query.Fault) {
	if fault != nil {
		in.add(*fault)
	}
}

// one is a parameter that may be given once; absent is "".
func (in *inputs) one(name string) string {
	sent := in.values[name]
	if len(sent) == 0 {
		return ""
	}
	if len(sent) > 1 {
		in.add(query.Fault{Location: "query." + name, Message: "may be given only once", Value: sent})
	}
	return sent[0]
}

// err is every fault found, or nil.
func (in *inputs) err() error {
	if len(in.faults) == 0 {
		return nil
	}
	code := query.CodeInvalid
	if in.code != "" && len(in.faults) == 1 {
		code = in.code
	}
	return &query.Faults{Code: code, List: in.faults}
}

func (in *inputs) timeRange() query.Range {
	r, faults := query.ParseRange(
		query.RangeParams{Range: in.one("range"), From: in.one("from"), To: in.one("to")}, in.now, in.retention)
	in.add(faults...)
	return r
}

func (in *inputs) servers() []string {
	servers, faults := query.ParseServers(in.values["server_id"])
	in.add(faults...)
	return servers
}

func (in *inputs) zone() *time.Location {
	zone, fault := query.ParseTZ(in.one("tz"))
	in.check(fault)
	return zone
}

// number is a whole number within bounds; absent is 0.
func (in *inputs) number(name string, least, most int) int {
	text := in.one(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		in.add(query.Fault{
			Location: "query." + name, Value: text,
			Message: "must be a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most),
		})
		return 0
	}
	return n
}

// choice is one of the given words, the first where the parameter is absent.
func choice[T ~string](in *inputs, name string, allowed ...T) T {
	text := in.one(name)
	if text == "" {
		return allowed[0]
	}
	if slices.Contains(allowed, T(text)) {
		return T(text)
	}
	message := "must be one of"
	for _, word := range allowed {
		message += " " + string(word)
	}
	in.add(query.Fault{Location: "query." + name, Message: message, Value: text})
	return allowed[0]
}
