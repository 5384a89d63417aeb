package query

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"corrosion/schema"
)

const (
	minStep = time.Second
	// MaxServers bounds how many servers one request may choose.
	MaxServers = 1000
	// MaxMetrics bounds how many metrics one request may name.
	MaxMetrics = 50
	// metricPrefix marks a custom metric.
	metricPrefix = "metrics."
)

var prometheusDuration = regexp.MustCompile(`^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$`)

var prometheusUnits = []time.Duration{365 * day, 7 * day, day, time.Hour, time.Minute, time.Second, time.Millisecond}

// ParseStep reads a Go or Prometheus duration of whole ms, from 1 s to 400 days; "" is 0, which chooses one.
func ParseStep(text string) (time.Duration, *Fault) {
	if text == "" {
		return 0, nil
	}
	step, err := time.ParseDuration(text)
	if err != nil {
		var ok bool
		if step, ok = parsePrometheusDuration(text); !ok {
			return 0, &Fault{"query.step", "is not a duration such as 30s, 5m, 1h30m or 1d", text}
		}
	}
	if fault := checkStep(step); fault != nil {
		fault.Value = text
		return 0, fault
	}
	return step, nil
}

func checkStep(step time.Duration) *Fault {
	if step < minStep || step > maxRange || step%time.Millisecond != 0 {
		return &Fault{"query.step", "must be whole milliseconds, at least 1s and at most 400d", step.String()}
	}
	return nil
}

func parsePrometheusDuration(text string) (time.Duration, bool) {
	match := prometheusDuration.FindStringSubmatch(text)
	if match == nil {
		return 0, false
	}
	total := 0.0
	for i, digits := range match[1:] {
		n, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			continue
		}
		total += n * float64(prometheusUnits[i])
	}
	// Beyond what a Duration holds: any bound refuses it.
	if total > float64(math.MaxInt64/2) {
		return math.MaxInt64 / 2, true
	}
	return time.Duration(total), true
}

// ParseAgg reads an aggregation; "" is avg.
func ParseAgg(text string) (Agg, *Fault) {
	return oneOf("query.agg", text, Avg, Avg, Min, Max, Sum, Last, P05, P50, P95, P99, Count)
}

// ParseFill reads how gaps are filled; "" is null.
func ParseFill(text string) (Fill, *Fault) {
	return oneOf("query.fill", text, FillNull, FillNull, FillPrevious, FillLinear, FillNone)
}

// ParseGroupBy reads a grouping: server, group or tag:<key>; "" is none.
func ParseGroupBy(text string) (GroupBy, *Fault) {
	if key, tagged := GroupBy(text).Tag(); tagged {
		if !ValidTagKey(key) {
			return GroupNone, &Fault{"query.group_by", "tag: is followed by a tag's key: [A-Za-z0-9_.-]{1,64}", text}
		}
		return GroupBy(text), nil
	}
	return oneOf("query.group_by", text, GroupNone, GroupServer, GroupGroups)
}

func oneOf[T ~string](location, text string, otherwise T, allowed ...T) (T, *Fault) {
	if text == "" {
		return otherwise, nil
	}
	if slices.Contains(allowed, T(text)) {
		return T(text), nil
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	return otherwise, &Fault{location, "must be one of " + strings.Join(names, ", "), text}
}

// ParseTZ reads an IANA zone; "" is UTC.
func ParseTZ(text string) (*time.Location, *Fault) {
	zone, err := time.LoadLocation(text)
	if err != nil || text == "Local" {
		return time.UTC, &Fault{"query.tz", "is not an IANA time zone such as Europe/Berlin", text}
	}
	return zone, nil
}

// ParseMetrics checks from 1 to MaxMetrics metrics; repeated ones count once.
func ParseMetrics(texts []string) ([]string, []Fault) {
	if len(texts) == 0 {
		return nil, []Fault{{"query.metric", "is missing: name at least one", nil}}
	}
	return parseList("query.metric", texts, MaxMetrics, func(text string) string {
		if name, custom := strings.CutPrefix(text, metricPrefix); custom {
			if !schema.ValidMetricName(name) {
				return "is not a metric's name: [A-Za-z0-9_.:/-]{1,96} after metrics."
			}
			return ""
		}
		field, known := schema.FieldByName(text)
		if !known {
			return "is unknown; custom metrics are written metrics.<name>"
		}
		if !field.Info().Metric {
			return "is not a measurement"
		}
		return ""
	})
}

// ParseServers checks at most MaxServers ids of servers; none means all.
func ParseServers(texts []string) ([]string, []Fault) {
	return parseList("query.server_id", texts, MaxServers, func(text string) string {
		if schema.ValidServerID(text) {
			return ""
		}
		return "is not a server's id: [A-Za-z0-9_-]{1,64}"
	})
}

// parseList returns the distinct texts and a fault for each that wrong finds something about.
func parseList(location string, texts []string, most int, wrong func(string) string) (list []string, faults []Fault) {
	if len(texts) > most {
		return nil, []Fault{{location, fmt.Sprintf("may be given at most %d times", most), len(texts)}}
	}
	seen := make(map[string]bool, len(texts))
	for _, text := range texts {
		if message := wrong(text); message != "" {
			faults = append(faults, Fault{location, message, text})
			continue
		}
		if !seen[text] {
			seen[text] = true
			list = append(list, text)
		}
	}
	return list, faults
}
