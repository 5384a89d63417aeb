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
)

type sqlCommand struct {
	services
	Format string `default:"PrettyCompact" help:"Any ClickHouse output format."`
	Query  string `arg:"" help:"The query; - reads it from standard input."`
}

// Run prints one query's answer. On a local platform it asks as the read-only user operator.
func (c *sqlCommand) Run(e *env) error {
	if c.Query == "-" {
		text, err := io.ReadAll(io.LimitReader(e.stdin, 1<<20))
		if err != nil {
			return fmt.Errorf("read the query: %w", err)
		}
		c.Query = string(text)
	}
	if strings.TrimSpace(c.Query) == "" {
		return errors.New("the query is empty")
	}
	target, err := c.target()
	if err != nil {
		return err
	}
	return runSQL(e.ctx, target, c.Format, c.Query, e.stdout)
}

func (c *sqlCommand) target() (string, error) {
	if c.ClickHouseHTTPURL != "" {
		return c.ClickHouseHTTPURL, nil
	}
	if c.ClickHouseURL != "" {
		return local.HTTPFromNative(c.ClickHouseURL), nil
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

// runSQL streams a query's answer over HTTP. The password goes in a header, never in the URL.
func runSQL(ctx context.Context, target, format, query string, out io.Writer) error {
	u, err := url.Parse(target)
	if err != nil {
		return errors.New("the ClickHouse HTTP URL cannot be read")
	}
	user := u.User
	u.User = nil
	values := u.Query()
	values.Set("default_format", format)
	u.RawQuery = values.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(query))
	if err != nil {
		return err
	}
	if user != nil {
		password, _ := user.Password()
		request.Header.Set("X-ClickHouse-User", user.Username())
		request.Header.Set("X-ClickHouse-Key", password)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask clickhouse: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		message, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
		return fmt.Errorf("clickhouse says: %s", strings.TrimSpace(string(message)))
	}
	_, err = io.Copy(out, response.Body)
	return err
}
