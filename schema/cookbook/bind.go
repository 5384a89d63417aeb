package cookbook

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Bind gives every parameter a value: the given one or the default. The error lists each fault with the parameter's
// meaning: what is missing, what does not fit its type, and what the query does not have.
func (q Query) Bind(given map[string]string) (map[string]string, error) {
	values := make(map[string]string, len(q.Params))
	var faults []error
	for _, p := range q.Params {
		value, ok := given[p.Name]
		if !ok && p.Required {
			faults = append(faults, fmt.Errorf("parameter %s is missing: %s (%s)", p.Name, p.Meaning, p.Type))
			continue
		}
		if !ok {
			value = p.Default
		}
		if err := p.check(value); err != nil {
			faults = append(faults, fmt.Errorf("parameter %s: %w: %s", p.Name, err, p.Meaning))
		}
		values[p.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(q.Params, func(p Param) bool { return p.Name == name }) {
			faults = append(faults, fmt.Errorf("%s has no parameter %s; it has %s", q.Name, name, q.paramNames()))
		}
	}
	return values, errors.Join(faults...)
}

func (q Query) paramNames() string {
	if len(q.Params) == 0 {
		return "none"
	}
	names := make([]string, len(q.Params))
	for i, p := range q.Params {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

// check tells whether value fits the parameter's type, so that a fault is told in words and not as a parser's.
func (p Param) check(value string) error {
	switch p.Name {
	case "until":
		return checkTime(value)
	case "tz":
		if _, err := time.LoadLocation(value); err != nil || value == "" || value == "Local" {
			return fmt.Errorf("%q is not an IANA time zone", value)
		}
		return nil
	}
	switch p.Type {
	case "UUID":
		if len(value) != 36 || uuid.Validate(value) != nil {
			return fmt.Errorf("%q is not a UUID", value)
		}
	case "UInt32":
		if _, err := strconv.ParseUint(value, 10, 32); err != nil {
			return fmt.Errorf("%q is not a whole number from 0 to 4294967295", value)
		}
	case "Float64":
		if f, err := strconv.ParseFloat(value, 64); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return fmt.Errorf("%q is not a number", value)
		}
	case "String":
	default:
		return fmt.Errorf("type %s is not known", p.Type)
	}
	return nil
}

func checkTime(value string) error {
	if value == "now" {
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if _, err := time.Parse(layout, value); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%q is neither now nor a time like 2026-11-20T18:00:00Z", value)
}
