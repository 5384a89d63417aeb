package query

import (
	"errors"
	"strings"
)

// Codes of Faults, as they stand in problem+json.
const (
	CodeInvalid       = "invalid-request"
	CodeAggNotKept    = "agg-not-kept"
	CodeTooManyPoints = "too-many-points"
)

var (
	// ErrUnavailable says that ClickHouse did not answer; asking again later may work.
	ErrUnavailable = errors.New("clickhouse is away")
	// ErrTooHeavy says that the question needed more time or memory than one request may take.
	ErrTooHeavy = errors.New("the query needs more time or memory than one request may take")
)

// Fault is one thing wrong with a request. Location names the parameter, as in "query.from".
type Fault struct {
	Location string
	Message  string
	Value    any
}

// Faults are all the things wrong with a request; Code says of which kind.
type Faults struct {
	Code string
	List []Fault
}

// Error joins the messages, each with its location.
func (f *Faults) Error() string {
	parts := make([]string, len(f.List))
	for i, fault := range f.List {
		parts[i] = fault.Location + ": " + fault.Message
	}
	return f.Code + ": " + strings.Join(parts, "; ")
}

// faulty returns an invalid-request error where there are faults, and nil where there are none.
func faulty(list []Fault) error {
	if len(list) == 0 {
		return nil
	}
	return &Faults{Code: CodeInvalid, List: list}
}
