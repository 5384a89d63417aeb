package cookbook_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"corrosion/schema/cookbook"
)

// Every query runs as operator and answers in the documented shape, and what it says is what was planted.
func TestQueries(t *testing.T) {
	fill(t)
	finds := findings()
	for _, q := range cookbook.List() {
		t.Run(q.Name, func(t *testing.T) {
			find, ok := finds[q.Name]
			if !ok {
				t.Fatal("nothing is asserted about its answer")
			}
			a := ask(t, q.Name, find.given)
			if got, want := a.columns(), shape(q); !slices.Equal(got, want) {
				t.Errorf("the answer's shape:\ngot  %q\nwant %q", got, want)
			}
			find.check(t, a)
			noForeignRows(t, q, a)
			if now := ask(t, q.Name, nowInstead(q, find.given)); !slices.Equal(now.columns(), shape(q)) {
				t.Errorf("until=now answers %q", now.columns())
			}
		})
	}
	for name := range finds {
		if _, ok := cookbook.Get(name); !ok {
			t.Errorf("findings has %s, the cookbook has not", name)
		}
	}
}

func nowInstead(q cookbook.Query, given map[string]string) map[string]string {
	all := maps.Clone(given)
	if all == nil {
		all = map[string]string{}
	}
	for _, p := range q.Params {
		if p.Name == "until" {
			all["until"] = "now"
		}
	}
	return all
}

// noForeignRows looks for what the other tenant sends, in answers about one license.
func noForeignRows(t *testing.T, q cookbook.Query, a answer) {
	t.Helper()
	if !slices.ContainsFunc(q.Params, func(p cookbook.Param) bool { return p.Name == "license" }) {
		return
	}
	for _, word := range []string{foreign, "Foreign", "9.9.9", "50000"} {
		if strings.Contains(fmt.Sprint(a.Data), word) {
			t.Errorf("the answer holds %s of another license: %v", word, a.Data)
		}
	}
}

// A query names in its front comment exactly the tables that stand after FROM and JOIN.
func TestReadsAreTrue(t *testing.T) {
	source := regexp.MustCompile(`(?:FROM|JOIN)\s+(corrosion|system)\.(\w+)`)
	for _, q := range cookbook.List() {
		var got []string
		for _, m := range source.FindAllStringSubmatch(q.SQL, -1) {
			name := strings.TrimPrefix(m[1]+"."+m[2], "corrosion.")
			if !slices.Contains(got, name) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(q.Reads)); !slices.Equal(got, want) {
			t.Errorf("%s reads %v, and says %v", q.Name, got, want)
		}
	}
}

func TestListIsWhole(t *testing.T) {
	queries := cookbook.List()
	if len(queries) < 24 {
		t.Errorf("there are %d queries", len(queries))
	}
	titles := map[string]string{}
	for _, q := range queries {
		if other := titles[q.Title]; other != "" {
			t.Errorf("%s and %s are both called %q", other, q.Name, q.Title)
		}
		titles[q.Title] = q.Name
		if !strings.HasSuffix(q.Question, "?") && !strings.HasSuffix(q.Question, ".") {
			t.Errorf("%s asks %q", q.Name, q.Question)
		}
	}
}

func TestBindListsEveryFault(t *testing.T) {
	f := func(name string, given map[string]string, wants ...string) {
		t.Helper()
		q, ok := cookbook.Get(name)
		if !ok {
			t.Fatalf("there is no %s", name)
		}
		_, err := q.Bind(given)
		if err == nil {
			t.Errorf("%s took %v", name, given)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s with %v says\n%v\nwithout %q", name, given, err, want)
			}
		}
	}
	f("top-servers", nil, "parameter license is missing: the license whose servers are asked about (UUID)")
	f("top-servers", map[string]string{"license": "me", "hours": "-1", "limit": "4294967296", "until": "tomorrow", "tz": "UTC"},
		`"me" is not a UUID`, `"-1" is not a whole number`, "how far back to look", `"4294967296" is not`, `"tomorrow" is neither now nor`,
		"top-servers has no parameter tz; it has license, hours, until, limit")
	f("lag-spikes", map[string]string{"license": license, "below": "slow"}, `"slow" is not a number`)
	f("lag-spikes", map[string]string{"license": license, "below": "NaN"}, `"NaN" is not a number`)
	f("lag-spikes", map[string]string{"license": "{" + license + "}"}, "is not a UUID")
	f("peaks-by-day", map[string]string{"license": license, "tz": "Mars/Olympus"}, `"Mars/Olympus" is not an IANA time zone`)
	f("storage-by-table", map[string]string{"license": license}, "storage-by-table has no parameter license; it has none")

	q, _ := cookbook.Get("top-servers")
	values, err := q.Bind(map[string]string{"license": license, "hours": "48"})
	if want := map[string]string{"license": license, "hours": "48", "until": "now", "limit": "10"}; err != nil || !maps.Equal(values, want) {
		t.Errorf("got %v, %v, want %v", values, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "-- A\n--\n-- What?\n--\n-- Topic: Players\n-- Reads: samples\n-- Parameters:\n--   days  UInt32  = 1  so many days\n" +
		"-- Answer:\n--   n  UInt64  -  how many\nSELECT {days:UInt32} AS n"
	q, err := cookbook.Parse("good", good)
	if err != nil || q.SQL != "SELECT {days:UInt32} AS n" || q.Question != "What?" || q.Params[0].Default != "1" || q.Answer[0].Unit != "" {
		t.Fatalf("got %+v, %v", q, err)
	}
	f := func(old, replacement, want string) {
		t.Helper()
		_, err := cookbook.Parse("bad", strings.Replace(good, old, replacement, 1))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", replacement, err, want)
		}
	}
	f("-- A\n--\n", "-- A\n", "must begin with a title")
	f("Topic: Players", "Topic: Weather", `topic "Weather" is none of`)
	f("{days:UInt32}", "{weeks:UInt32}", "parameter weeks is not in the comment")
	f("{days:UInt32}", "{days:UInt8}", "parameter days is UInt32 in the comment")
	f("= 1  so", "= one  so", `default of days: "one" is not a whole number`)
	f("--   n  UInt64  -  how many", "--   n UInt64 how many", "want name, type, unit, meaning")
	f("-- What?\n", "", "are needed")
}

func TestLikeFindsTheNearest(t *testing.T) {
	for wrong, want := range map[string]string{"top-server": "top-servers", "restart": "restarts", "duplicate": "duplicates", "lag-spike": "lag-spikes"} {
		if got := cookbook.Like(wrong); len(got) == 0 || got[0] != want {
			t.Errorf("%s: got %v, want %s first", wrong, got, want)
		}
	}
	if got := cookbook.Like("zzzzzzzzzzzzzzzzzzzz"); len(got) != 0 {
		t.Errorf("got %v for nonsense", got)
	}
}
