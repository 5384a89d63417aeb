package main

import (
	"errors"
	"fmt"
	"time"

	"corrosion/ingest/publish"
	"corrosion/ingest/replay"
)

type replayCommand struct {
	services
	logging
	publishFlags
	Files        []string `arg:"" name:"file" help:"CSV or NDJSON files; - is standard input."`
	Format       string   `enum:",csv,ndjson" default:"" help:"csv or ndjson; unset = told by the first character."`
	TimeColumn   string   `help:"Column of the time; unset = ts, timestamp, time or date."`
	ServerColumn string   `help:"Column of the server; unset = server_id, server, host, series or instance."`
	ServerID     string   `name:"server-id" help:"The server of every row, for files without a column of it."`
	Map          []string `sep:"none" placeholder:"SOURCE=FIELD[*FACTOR][|round]" help:"What a column becomes: a field of the contract or metrics.NAME; other numeric columns become metrics of their name."`
	Ignore       []string `help:"Columns to leave out."`
	Long         string   `placeholder:"METRIC,VALUE" help:"The two columns of a long CSV, one measurement a row."`
	From         string   `help:"Leave out what is older, in the file's time (RFC 3339)."`
	To           string   `help:"Leave out what is not older, in the file's time (RFC 3339)."`
	Align        string   `enum:",now" default:"" help:"now = shift by whole days so that the newest sample falls in the last 24 hours."`
	Rate         float64  `help:"Samples per second at most; unset = as fast as they are taken."`
	Batch        int      `default:"500" help:"Samples in one message, 1 to 10,000."`
}

// Run publishes the files and says what it rejected and why.
func (c *replayCommand) Run(e *env) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	if c.Compression == "none" {
		c.Compression = string(publish.Zstd)
	}
	publisher, err := c.open(&c.services, c.logging, e, c.Batch)
	if err != nil {
		return err
	}
	defer publisher.Close()
	options.Stdin, options.Publisher, options.Logger = e.stdin, publisher, c.logger(e)
	bars := map[string]*progress{}
	options.Progress = func(p replay.Progress) {
		if bars[p.Phase] == nil {
			what := map[string]string{"scan": "looking for the newest sample", "publish": "publishing"}[p.Phase]
			bars[p.Phase] = newProgress(e.stderr, what, "bytes of the files")
		}
		bars[p.Phase].update(p.Done, p.Total)
	}
	report, err := replay.Run(e.ctx, options)
	for _, bar := range bars {
		bar.finish()
	}
	return errors.Join(err, report.Write(e.stdout))
}

func (c *replayCommand) options() (replay.Options, error) {
	from, fromErr := optionalTime("--from", c.From)
	to, toErr := optionalTime("--to", c.To)
	return replay.Options{
		Files: c.Files, Format: c.Format, TimeColumn: c.TimeColumn, ServerColumn: c.ServerColumn, ServerID: c.ServerID,
		Maps: c.Map, Ignore: c.Ignore, Long: c.Long, From: from, To: to, AlignNow: c.Align == "now", Rate: c.Rate,
	}, errors.Join(fromErr, toErr)
}

func optionalTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%s %q is not an RFC 3339 time, like 2026-01-31T18:00:00Z", flag, text)
	}
	return t, nil
}
