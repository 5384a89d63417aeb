package cookbook

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// columns of the front comment are parted by two or more spaces, since types have single ones: DateTime64(3, 'UTC').
var (
	gap         = regexp.MustCompile(`\s{2,}`)
	paramLine   = regexp.MustCompile(`^(\w+)\s+(\S+)\s+(?:= (\S+)\s+)?(\S.*)$`)
	placeholder = regexp.MustCompile(`\{(\w+):(\w+)\}`)
)

// Parse reads one file: the front comment, then the query. It holds the parameters of the comment against those of the
// query, so that neither can be wrong alone.
func Parse(name, text string) (Query, error) {
	q := Query{Name: name, Text: text}
	var comment []string
	rest := text
	for strings.HasPrefix(rest, "--") {
		line, after, _ := strings.Cut(rest, "\n")
		comment, rest = append(comment, strings.TrimPrefix(strings.TrimPrefix(line, "--"), " ")), after
	}
	q.SQL = rest
	if len(comment) < 3 || comment[1] != "" {
		return q, errors.New("the front comment must begin with a title and an empty line")
	}
	q.Title = comment[0]
	if err := q.readSections(comment[2:]); err != nil {
		return q, err
	}
	return q, q.validate()
}

func (q *Query) readSections(lines []string) error {
	section := "Question"
	for _, line := range lines {
		if item, ok := strings.CutPrefix(line, "  "); ok {
			if err := q.readItem(section, item); err != nil {
				return err
			}
			continue
		}
		if line == "" {
			continue
		}
		key, value, found := strings.Cut(line, ":")
		if !found || !slices.Contains([]string{"Topic", "Reads", "Parameters", "Answer"}, key) {
			q.Question = strings.TrimSpace(q.Question + " " + line)
			continue
		}
		section, value = key, strings.TrimSpace(value)
		switch key {
		case "Topic":
			q.Topic = value
		case "Reads":
			q.Reads = strings.Split(value, ", ")
		}
	}
	return nil
}

func (q *Query) readItem(section, item string) error {
	switch section {
	case "Parameters":
		m := paramLine.FindStringSubmatch(item)
		if m == nil {
			return fmt.Errorf("parameter %q: want name, type, = default, meaning", item)
		}
		q.Params = append(q.Params, Param{Name: m[1], Type: m[2], Default: m[3], Required: m[3] == "", Meaning: m[4]})
	case "Answer":
		cells := gap.Split(item, 4)
		if len(cells) != 4 {
			return fmt.Errorf("column %q: want name, type, unit, meaning", item)
		}
		q.Answer = append(q.Answer, Column{Name: cells[0], Type: cells[1], Unit: strings.TrimPrefix(cells[2], "-"), Meaning: cells[3]})
	default:
		return fmt.Errorf("%q stands under %s", item, section)
	}
	return nil
}

func (q *Query) validate() error {
	var faults []error
	if q.Title == "" || q.Question == "" || len(q.Reads) == 0 || len(q.Answer) == 0 {
		faults = append(faults, errors.New("title, question, reads and answer are needed"))
	}
	if !slices.Contains(Topics(), q.Topic) {
		faults = append(faults, fmt.Errorf("topic %q is none of %v", q.Topic, Topics()))
	}
	used := map[string]string{}
	for _, m := range placeholder.FindAllStringSubmatch(q.SQL, -1) {
		used[m[1]] = m[2]
	}
	for _, p := range q.Params {
		if used[p.Name] != p.Type {
			faults = append(faults, fmt.Errorf("parameter %s is %s in the comment and %q in the query", p.Name, p.Type, used[p.Name]))
		}
		delete(used, p.Name)
		if !p.Required {
			if err := p.check(p.Default); err != nil {
				faults = append(faults, fmt.Errorf("default of %s: %w", p.Name, err))
			}
		}
	}
	for name := range used {
		faults = append(faults, fmt.Errorf("parameter %s is not in the comment", name))
	}
	return errors.Join(faults...)
}
