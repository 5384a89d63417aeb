package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"corrosion/deploy/local"
	"corrosion/schema/connect/stores"
)

type sqlCommand struct {
	services
	Format string            `default:"PrettyCompact" help:"Any ClickHouse output format."`
	Param  map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"A parameter of the query, {NAME:Type} in its text; repeatable."`
	List   bool              `help:"List the cookbook's queries with their parameters."`
	Show   bool              `help:"Print the text of a query of the cookbook instead of running it."`
	Query  string            `arg:"" optional:"" help:"A query, or the name of one in the cookbook; - reads a query from standard input."`
}

// Run prints one query's answer. On a local platform it asks as the read-only user operator.
func (c *sqlCommand) Run(e *env) error {
	if c.List {
		return listCookbook(e.stdout)
	}
	if c.Query == "-" {
		text, err := io.ReadAll(io.LimitReader(e.stdin, 1<<20))
		if err != nil {
			return fmt.Errorf("read the query: %w", err)
		}
		c.Query = string(text)
	}
	if strings.TrimSpace(c.Query) == "" {
		return errors.New("the query is empty: give one, or a name that `corrosion sql --list` shows")
	}
	if cookbookName(c.Query) {
		return c.runByName(e)
	}
	if c.Show {
		return errors.New("--show prints a query of the cookbook: give its name")
	}
	return c.ask(e, c.Query, c.Param)
}

func (c *sqlCommand) ask(e *env, query string, parameters map[string]string) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	printed, err := runSQL(e.ctx, target, c.Format, query, parameters, e.stdout)
	if err == nil && printed == 0 {
		fmt.Fprintln(e.stderr, "corrosion: no rows")
	}
	return err
}

func (c *sqlCommand) target() (string, error) {
	if c.ClickHouseHTTPURL != "" {
		return c.ClickHouseHTTPURL, nil
	}
	running, err := local.ReadEndpoints(c.Data)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("no platform runs on %s: start one with `corrosion serve`, or give --clickhouse-http-url", c.Data)
	}
	if err != nil {
		return "", err
	}
	u, err := url.Parse(running.ClickHouseHTTP)
	if err != nil {
		return "", err
	}
	if running.Operator.User != "" {
		u.User = url.UserPassword(running.Operator.User, running.Operator.Password)
	}
	return u.String(), nil
}

// parameterText writes a value as ClickHouse reads query parameters: tab-separated text, where these have a meaning.
var parameterText = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n")

// runSQL streams a query's answer over HTTP and returns how many bytes it was. A fault of ClickHouse, before or amid the
// answer, is a *stores.Exception. The password goes in a header, never in the URL.
func runSQL(ctx context.Context, target, format, query string, parameters map[string]string, out io.Writer) (printed int64, err error) {
	store, err := stores.ClickHouseHTTP(target)
	if err != nil {
		return 0, err
	}
	u := store.Address()
	values := u.Query()
	values.Set("default_format", format)
	for name, value := range parameters {
		values.Set("param_"+name, parameterText.Replace(value))
	}
	u.RawQuery = values.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(query))
	if err != nil {
		return 0, err
	}
	if err := store.SignIn(request); err != nil {
		return 0, err
	}
	transport := store.Secure(&http.Transport{})
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask clickhouse: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, stores.Refusal(response)
	}
	return io.Copy(out, stores.NewAnswer(response))
}
