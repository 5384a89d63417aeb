package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"corrosion/schema/cookbook"
)

// cookbookName tells a name from a query: one word of lower-case letters, digits and hyphens is no SQL that answers anything.
func cookbookName(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (c *sqlCommand) runByName(e *env) error {
	q, ok := cookbook.Get(c.Query)
	if !ok {
		return unknownQuery(c.Query)
	}
	if c.Show {
		_, err := io.WriteString(e.stdout, q.Text)
		return err
	}
	values, err := q.Bind(c.Param)
	if err != nil {
		return err
	}
	return c.ask(e, q.SQL, values)
}

func unknownQuery(name string) error {
	message := fmt.Sprintf("the cookbook has no query %s", name)
	if near := cookbook.Like(name); len(near) > 0 {
		message += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return errors.New(message + " (`corrosion sql --list` shows all)")
}

// listCookbook prints the queries by topic, each with its parameters; those in <> have no default.
func listCookbook(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	topic := ""
	for _, q := range cookbook.List() {
		if q.Topic != topic {
			topic = q.Topic
			fmt.Fprintf(w, "%s\n", topic)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", q.Name, q.Title, parameterSummary(q))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "\ncorrosion sql NAME --param license=ID --param NAME=VALUE; --show NAME prints what parameters and columns mean")
	return err
}

func parameterSummary(q cookbook.Query) string {
	parts := make([]string, len(q.Params))
	for i, p := range q.Params {
		if parts[i] = p.Name + "=" + p.Default; p.Required {
			parts[i] = "<" + p.Name + ">"
		}
	}
	return strings.Join(parts, " ")
}
