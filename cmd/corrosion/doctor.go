package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"corrosion/api/auth"
	"corrosion/deploy/local"
)

type doctorCommand struct {
	services
	jwtKeys
	listening
	accountFlags
	streamFlags
	Role string `default:"serve" enum:"serve,ingest,api,aggregate" help:"The role whose needs are checked: ${enum}."`
}

// doctorLimit bounds each check.
const doctorLimit = 10 * time.Second

// finding is what one check saw; todo says what to do about a fault.
type finding struct {
	what string
	saw  string
	todo string // empty = fine
}

// Run checks what serve would need, or what a role needs of services that run. It fails when a check found a fault.
func (c *doctorCommand) Run(e *env) error {
	all := []func(context.Context) []finding{}
	if err := c.find(); err != nil {
		all = append(all, one(func(context.Context) finding {
			return finding{what: "instance", saw: err.Error(), todo: "choose another directory with --data, or give the URLs of the services"}
		}))
	}
	all = append(all, c.checks(e)...)
	checks, faults := 0, 0
	for _, check := range all {
		ctx, cancel := context.WithTimeout(e.ctx, doctorLimit)
		found := check(ctx)
		cancel()
		for _, f := range found {
			checks++
			if f.todo == "" {
				fmt.Fprintf(e.stdout, "ok     %-11s %s\n", f.what, f.saw)
				continue
			}
			faults++
			fmt.Fprintf(e.stdout, "FAULT  %-11s %s\n       %-11s do: %s\n", f.what, f.saw, "", f.todo)
		}
	}
	if faults > 0 {
		return fmt.Errorf("%d of %d checks found a fault", faults, checks)
	}
	return nil
}

// checks are those that the role has a use for.
func (c *doctorCommand) checks(e *env) []func(context.Context) []finding {
	checks := []func(context.Context) []finding{one(c.checkData)}
	if c.Role == "serve" || c.Role == "api" {
		checks = append(checks, one(c.checkKey), one(c.checkListening), one(c.checkMail))
	}
	if c.ClickHouseURL == "" && c.PostgresURL == "" && c.NATSURL == "" {
		fmt.Fprintf(e.stdout, "nothing runs on %s: checking what `corrosion serve` would need\n", c.Data)
		return append(checks, one(c.checkEngines))
	}
	checks = append(checks, c.needed("clickhouse", &c.ClickHouseURL, c.checkClickHouse), c.needed("postgres", &c.PostgresURL, c.checkPostgres))
	if c.Role == "serve" || c.Role == "api" {
		checks = append(checks, c.needed("exports", &c.ClickHouseHTTPURL, c.checkHTTP))
	}
	if c.Role != "aggregate" {
		checks = append(checks, c.needed("nats", &c.NATSURL, c.checkNATS))
	}
	if c.Role == "serve" {
		checks = append(checks, one(c.checkJobs))
	}
	return checks
}

func one(check func(context.Context) finding) func(context.Context) []finding {
	return func(ctx context.Context) []finding { return []finding{check(ctx)} }
}

// needed checks a service whose URL is known.
func (c *doctorCommand) needed(what string, target *string, check func(context.Context) []finding) func(context.Context) []finding {
	if *target != "" {
		return check
	}
	return func(context.Context) []finding {
		return []finding{{what: what, saw: "no URL is known", todo: "give " + c.flagOf(target) + ", or start `corrosion serve`"}}
	}
}

// certificate says how long a server's certificate is good, and warns a fortnight before it ends.
func certificate(what, host string, state *tls.ConnectionState) finding {
	f := finding{what: what, saw: host + ": not encrypted"}
	if state == nil || len(state.PeerCertificates) == 0 {
		return f
	}
	ends := state.PeerCertificates[0].NotAfter
	f.saw = fmt.Sprintf("%s: %s, certificate good until %s", host, tls.VersionName(state.Version), ends.UTC().Format(time.DateOnly))
	if time.Until(ends) < 14*24*time.Hour {
		f.todo = "renew the server's certificate"
	}
	return f
}

// atLeast compares the numbers of dotted versions.
func atLeast(version, least string) bool {
	have, want := numbers(version), numbers(least)
	for i, w := range want {
		if i >= len(have) || have[i] != w {
			return i < len(have) && have[i] > w
		}
	}
	return true
}

func numbers(version string) []int {
	var out []int
	for part := range strings.FieldsFuncSeq(version, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(part)
		out = append(out, n)
	}
	return out
}

// checkData checks that the data directory, or the nearest one above it that is there, can be written. It makes none.
func (c *doctorCommand) checkData(context.Context) finding {
	f := finding{what: "data", saw: c.Data}
	dir, err := filepath.Abs(c.Data)
	if err != nil {
		f.saw, f.todo = err.Error(), "choose a directory you may write with --data or CORROSION_DATA"
		return f
	}
	info, err := os.Stat(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	if err != nil {
		f.saw, f.todo = err.Error(), "choose a directory you may write with --data or CORROSION_DATA"
		return f
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		f.saw, f.todo = err.Error(), "give yourself the right to write there, or choose another with --data"
		return f
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	if missing {
		f.saw += " will be made on first start"
		return f
	}
	f.saw += " can be written"
	return f
}

func (c *doctorCommand) checkKey(context.Context) finding {
	path := c.path(c.Data)
	f := finding{what: "token key", saw: path}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		f.saw += " will be made on first start"
	case err != nil:
		f.saw, f.todo = err.Error(), "make the file readable, or name another with --jwt-key-file"
	case info.Mode().Perm()&auth.KeyFileOthers != 0:
		f.saw, f.todo = fmt.Sprintf("%s can be read by others (mode %o)", path, info.Mode().Perm()), "chmod 600 "+filepath.Clean(path)
	}
	return f
}

func (c *doctorCommand) checkEngines(ctx context.Context) finding {
	f := finding{what: "engines"}
	if err := local.CheckEngines(ctx, c.Data); err != nil {
		f.saw, f.todo = err.Error(), "run `make engines`, or give the services by URL"
		return f
	}
	f.saw = "ClickHouse and PostgreSQL are installed"
	return f
}
