package grafana

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// view is what a user looks at: the time range, the width of a point, and the choices of the variables.
type view struct {
	from, to time.Time
	interval time.Duration
	// chosen holds each variable's values; all of those that stand for "All" are named in everything.
	chosen     map[string][]string
	everything []string
}

var (
	simpleMacro = regexp.MustCompile(`\$__(\w+)`)
	variableRef = regexp.MustCompile(`\$\{(\w+)(?::(\w+))?\}`)
)

// expand does what Grafana and its ClickHouse plugin do to a query before it is sent: conditions that "All" makes
// superfluous, variables, then macros, as the plugin's documentation lists them.
func (v view) expand(query string) (string, error) {
	query, err := v.conditions(query)
	if err != nil {
		return "", err
	}
	var faults []string
	query = variableRef.ReplaceAllStringFunc(query, func(ref string) string {
		m := variableRef.FindStringSubmatch(ref)
		values, ok := v.chosen[m[1]]
		switch {
		case !ok:
			faults = append(faults, "no variable "+m[1])
		case m[2] == "singlequote":
			return "'" + strings.Join(values, "','") + "'"
		case m[2] != "" || len(values) != 1:
			faults = append(faults, fmt.Sprintf("%s stands for %d values", ref, len(values)))
		default:
			return values[0]
		}
		return ref
	})
	for {
		at := simpleMacro.FindStringSubmatchIndex(query)
		if at == nil {
			break
		}
		name, end, argument := query[at[2]:at[3]], at[1], ""
		if end < len(query) && query[end] == '(' {
			argument, end = balanced(query, end)
		}
		text, ok := v.macro(name, argument)
		if !ok {
			return "", fmt.Errorf("no macro $__%s(%s)", name, argument)
		}
		query = query[:at[0]] + text + query[end:]
	}
	if len(faults) > 0 {
		return "", fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return query, nil
}

// conditions replaces $__conditionalAll(condition, $variable): 1=1 where the variable stands for all its values.
func (v view) conditions(query string) (string, error) {
	const macro = "$__conditionalAll"
	for {
		at := strings.Index(query, macro)
		if at < 0 {
			return query, nil
		}
		arguments, end := balanced(query, at+len(macro))
		comma := strings.LastIndex(arguments, ",")
		if comma < 0 {
			return "", fmt.Errorf("%s(%s) has one argument", macro, arguments)
		}
		name, isVariable := strings.CutPrefix(strings.TrimSpace(arguments[comma+1:]), "$")
		if !isVariable || v.chosen[name] == nil {
			return "", fmt.Errorf("%s(%s) ends with no variable", macro, arguments)
		}
		condition := arguments[:comma]
		if slices.Contains(v.everything, name) {
			condition = "1=1"
		}
		query = query[:at] + condition + query[end:]
	}
}

func (v view) macro(name, argument string) (string, bool) {
	from, to := fmt.Sprintf("toDateTime(%d)", v.from.Unix()), fmt.Sprintf("toDateTime(%d)", v.to.Unix())
	seconds := max(int(v.interval.Seconds()), 1)
	switch name {
	case "fromTime":
		return from, argument == ""
	case "toTime":
		return to, argument == ""
	case "timeFilter":
		return fmt.Sprintf("%s >= %s AND %s <= %s", argument, from, argument, to), argument != ""
	case "timeInterval":
		return fmt.Sprintf("toStartOfInterval(toDateTime(%s), INTERVAL %d second)", argument, seconds), argument != ""
	case "interval_s":
		return fmt.Sprint(seconds), argument == ""
	}
	return "", false
}

// balanced returns what stands between the bracket at open and its partner, and the place after that.
func balanced(text string, open int) (inside string, end int) {
	depth := 0
	for i := open; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text[open+1 : i], i + 1
			}
		}
	}
	return text[open+1:], len(text)
}

// The expansions are those of the plugin's documentation.
func TestExpand(t *testing.T) {
	v := view{from: time.Unix(1415792726, 0), to: time.Unix(1447328726, 0), interval: 20 * time.Second,
		chosen: map[string][]string{"license": {"L"}, "server": {"a", "b"}}}
	f := func(query, want string) {
		t.Helper()
		if got, err := v.expand(query); err != nil || got != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", query, got, err, want)
		}
	}
	f("$__timeFilter(time)", "time >= toDateTime(1415792726) AND time <= toDateTime(1447328726)")
	f("$__fromTime, $__toTime", "toDateTime(1415792726), toDateTime(1447328726)")
	f("$__timeInterval(column)", "toStartOfInterval(toDateTime(column), INTERVAL 20 second)")
	f("$__interval_s", "20")
	f("'${license}' $__conditionalAll(s IN (${server:singlequote}), $server)", "'L' s IN ('a','b')")
	v.everything = []string{"server"}
	f("$__conditionalAll(s IN (${server:singlequote}), $server) AND x", "1=1 AND x")
	for _, bad := range []string{"${nobody}", "'${server}'", "$__nothing(x)", "$__timeFilter", "$__conditionalAll(x)"} {
		if got, err := v.expand(bad); err == nil {
			t.Errorf("%s became %s", bad, got)
		}
	}
}
