package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"corrosion/api/mail"
	"corrosion/schema/connect/stores"
	"corrosion/schema/pg"
)

// checkListening checks the settings of the API.
func (c *doctorCommand) checkListening(context.Context) finding {
	f := finding{what: "api", saw: c.Listen}
	if err := c.listening.check(); err != nil {
		f.saw, f.todo = strings.ReplaceAll(err.Error(), "\n", "; "), "correct these settings; `corrosion serve --help` lists each"
		return f
	}
	if err := c.accountFlags.config(c.listening).Validate(); err != nil {
		f.saw, f.todo = err.Error(), "give --public-url as people type it, like https://stats.example.org"
		return f
	}
	f.saw += "; pages of other origins: none"
	if len(c.CORSOrigins) > 0 {
		f.saw = c.Listen + "; pages of other origins: " + strings.Join(c.CORSOrigins, ", ")
	}
	if len(c.TrustedProxies) > 0 {
		f.saw += "; X-Forwarded-For is believed from " + strings.Join(c.TrustedProxies, ", ")
	}
	return f
}

// checkMail checks what mail is sent by.
func (c *doctorCommand) checkMail(context.Context) finding {
	f := finding{what: "mail", saw: "none is sent: administrators are given the links"}
	server, err := c.mailServer()
	if err == nil && server != nil {
		_, err = mail.NewSMTP(*server)
	}
	if err != nil {
		f.saw, f.todo = err.Error(), "give CORROSION_SMTP_URL as smtp://user@host:587?from=a@example.org, and a password file that can be read"
		return f
	}
	if server == nil {
		return f
	}
	f.saw = "is sent"
	return f
}

// checkJobs checks that what must run regularly has run, and well.
func (c *doctorCommand) checkJobs(ctx context.Context) finding {
	f := finding{what: "jobs", todo: "check --postgres-url"}
	conn, err := stores.PostgresConn(ctx, c.PostgresURL)
	if err != nil {
		f.saw = err.Error()
		return f
	}
	defer conn.Close(ctx)
	jobs, err := pg.New(conn).ListJobs(ctx)
	if err != nil {
		f.saw, f.todo = err.Error(), "run `corrosion migrate`"
		return f
	}
	if len(jobs) == 0 {
		f.saw, f.todo = "no aggregator has ever run", "start `corrosion serve` or `corrosion aggregate`"
		return f
	}
	var failed []string
	for _, job := range jobs {
		if job.FinishedAt != nil && job.Error != "" {
			failed = append(failed, fmt.Sprintf("%s at %s", job.Name, job.StartedAt.UTC().Format(time.RFC3339)))
		}
	}
	if len(failed) > 0 {
		f.saw, f.todo = "failed: "+strings.Join(failed, ", "), "see `corrosion jobs`, and run it again with `corrosion jobs run`"
		return f
	}
	return finding{what: "jobs", saw: fmt.Sprintf("%d are known, and none failed last", len(jobs))}
}
