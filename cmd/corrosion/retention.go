package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
)

// retention is how long ClickHouse keeps rows. What is not given stays as the tables have it.
type retention struct {
	RetentionRaw    *int `env:"CORROSION_RETENTION_RAW_DAYS" help:"Days that raw samples are kept; unset = as the tables have it, 7 at first."`
	RetentionHourly *int `env:"CORROSION_RETENTION_HOURLY_DAYS" help:"Days that hourly rollups are kept; unset = as the tables have it, 90 at first."`
}

// over puts what is given in place of what stands.
func (r retention) over(standing schema.Retention) schema.Retention {
	const day = 24 * time.Hour
	if r.RetentionRaw != nil {
		standing.Raw = time.Duration(*r.RetentionRaw) * day
	}
	if r.RetentionHourly != nil {
		standing.Hourly = time.Duration(*r.RetentionHourly) * day
	}
	return standing
}

// validate finds what no table could have, whatever stands in them.
func (r retention) validate() error {
	given := r.over(schema.Retention{})
	if r.RetentionHourly == nil {
		given.Hourly = max(given.Raw, schema.DefaultRetention().Hourly)
	}
	if r.RetentionRaw == nil {
		given.Raw = min(given.Hourly, schema.DefaultRetention().Raw)
	}
	return given.Validate()
}

// errShrinks says that a setting would delete rows.
var errShrinks = errors.New("the setting is smaller than what the tables have, and nothing was changed")

// lengthen makes the tables keep rows longer; a smaller setting changes nothing and is errShrinks.
func (r retention) lengthen(ctx context.Context, conn driver.Conn) error {
	standing, err := schema.ReadRetention(ctx, conn)
	if err != nil {
		return err
	}
	want := r.over(standing)
	if want == standing {
		return nil
	}
	losses, err := schema.Losses(ctx, conn, want)
	if err != nil {
		return err
	}
	if len(losses) > 0 {
		return fmt.Errorf("retention raw %s, hourly %s: %w: run `%s` to see what would be lost, and again with --yes", schema.Days(want.Raw), schema.Days(want.Hourly), errShrinks, setCommand(want))
	}
	return schema.ApplyRetention(ctx, conn, want)
}

func setCommand(want schema.Retention) string {
	return fmt.Sprintf("corrosion retention set --raw %s --hourly %s", schema.Days(want.Raw), schema.Days(want.Hourly))
}

type retentionCommand struct {
	Show retentionShowCommand `cmd:"" help:"Show how long each table keeps its rows, and what it holds."`
	Set  retentionSetCommand  `cmd:"" help:"Change how long rows are kept; a shorter time needs --yes."`
}

type retentionShowCommand struct{ services }

// Run prints one line a table, as ClickHouse says.
func (c *retentionShowCommand) Run(e *env) (err error) {
	return c.withClickHouse(e, func(conn driver.Conn) error {
		tables, err := schema.KeptTables(e.ctx, conn)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "TABLE\tSETTING\tKEPT\tROWS\tBYTES")
		for _, t := range tables {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", t.Name, t.Resolution, schema.Days(t.Keep), t.Rows, t.Bytes)
		}
		return w.Flush()
	})
}

type retentionSetCommand struct {
	services
	Raw    days `help:"How long raw samples are kept, in days: 7d."`
	Hourly days `help:"How long hourly rollups are kept, in days: 90d."`
	Yes    bool `help:"Delete what a shorter time leaves out."`
}

// Run changes the tables; what would be lost is said first.
func (c *retentionSetCommand) Run(e *env) (err error) {
	if c.Raw == 0 && c.Hourly == 0 {
		return errors.New("say --raw, --hourly or both")
	}
	return c.withClickHouse(e, func(conn driver.Conn) error {
		standing, err := schema.ReadRetention(e.ctx, conn)
		if err != nil {
			return err
		}
		want := c.over(standing)
		losses, err := schema.Losses(e.ctx, conn, want)
		if err != nil {
			return err
		}
		if len(losses) > 0 {
			printLosses(e.stdout, losses)
			if !c.Yes {
				return fmt.Errorf("nothing was changed: `%s --yes` deletes these rows", setCommand(want))
			}
		}
		if err := schema.ApplyRetention(e.ctx, conn, want); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "raw samples are kept %s, hours %s\n", schema.Days(want.Raw), schema.Days(want.Hourly))
		if len(losses) > 0 {
			fmt.Fprintln(e.stdout, "ClickHouse drops days that are over within minutes; `corrosion jobs run retention` does it now and says what was freed")
		}
		return nil
	})
}

// over puts what is given in place of what stands.
func (c *retentionSetCommand) over(standing schema.Retention) schema.Retention {
	var r retention
	if raw := int(c.Raw); raw != 0 {
		r.RetentionRaw = &raw
	}
	if hourly := int(c.Hourly); hourly != 0 {
		r.RetentionHourly = &hourly
	}
	return r.over(standing)
}

// printLosses says, table by table, what a smaller limit deletes.
func printLosses(out io.Writer, losses []schema.Loss) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "TABLE\tKEPT\tWOULD KEEP\tROWS LOST\tOLDEST\tBYTES LOST")
	for _, l := range losses {
		oldest := "-"
		if !l.Oldest.IsZero() {
			oldest = l.Oldest.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%d\n", l.Table, schema.Days(l.From), schema.Days(l.To), l.Rows, oldest, l.Bytes)
	}
	_ = w.Flush() // to a terminal or a buffer
}

// withClickHouse connects as the platform does.
func (s *services) withClickHouse(e *env, do func(driver.Conn) error) (err error) {
	if err := s.find(&s.ClickHouseURL); err != nil {
		return err
	}
	r := newRoles(*s, logging{LogLevel: "warn"}.logger(e))
	defer func() { err = errors.Join(err, r.close(e.hurry)) }()
	if err := r.openClickHouse(e.ctx); err != nil {
		return err
	}
	return do(r.clickhouse)
}

// days is a number of whole days, written 7d or 7.
type days int

// UnmarshalText reads 7d or 7; 1 to 3650.
func (d *days) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(strings.TrimSuffix(string(text), "d"))
	if err != nil || n < 1 || n > 3650 {
		return fmt.Errorf("%q is no number of days: want 1d to 3650d", text)
	}
	*d = days(n)
	return nil
}
