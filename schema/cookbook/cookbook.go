package cookbook

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"corrosion/schema"
)

// Query is one question and the SQL that answers it.
type Query struct {
	// Name is what `corrosion sql` calls it: the file's name without .sql.
	Name string
	// Title and Question say what it asks; Topic is one of Topics.
	Title, Question, Topic string
	// Reads are the tables and views it needs: those of the database corrosion without its name, others as system.x.
	Reads  []string
	Params []Param
	// Answer are the columns, in order.
	Answer []Column
	// Text is the whole file, SQL the query without the front comment.
	Text, SQL string
}

// Param is a ClickHouse query parameter.
type Param struct {
	Name, Type string
	// Default is used where no value is given; a parameter without one is Required.
	Default  string
	Required bool
	Meaning  string
}

// Column is one column of an answer.
type Column struct {
	Name, Type string
	// Unit is empty for what has none; * stands for a publisher's own unit.
	Unit    string
	Meaning string
}

// Topics are the parts of the cookbook, in reading order.
func Topics() []string {
	return []string{"Players", "Performance", "Availability", "Custom metrics", "Data and storage"}
}

// List returns every query, by topic and name.
func List() []Query {
	queries, err := read(schema.CookbookFiles())
	if err != nil {
		panic("BUG: " + err.Error()) // the files are part of the binary, and a test reads them
	}
	return queries
}

// Get finds a query by name.
func Get(name string) (Query, bool) {
	for _, q := range List() {
		if q.Name == name {
			return q, true
		}
	}
	return Query{}, false
}

func read(files fs.FS) ([]Query, error) {
	paths, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	queries := make([]Query, 0, len(paths))
	for _, path := range paths {
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, err
		}
		q, err := Parse(strings.TrimSuffix(path, ".sql"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		queries = append(queries, q)
	}
	topics := Topics()
	slices.SortStableFunc(queries, func(a, b Query) int {
		return slices.Index(topics, a.Topic) - slices.Index(topics, b.Topic)
	})
	return queries, nil
}

// Like returns the names that resemble a misspelt one, the nearest first; at most three.
func Like(name string) []string {
	type scored struct {
		name     string
		distance int
	}
	var near []scored
	for _, q := range List() {
		d := distance(name, q.Name)
		if strings.Contains(q.Name, name) || strings.Contains(name, q.Name) {
			d = min(d, 1)
		}
		if d <= 2+len(name)/4 {
			near = append(near, scored{q.Name, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return a.distance - b.distance })
	var names []string
	for _, s := range near[:min(len(near), 3)] {
		names = append(names, s.name)
	}
	return names
}

// distance is Levenshtein's, over bytes: names are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
