package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"

	"corrosion/api/deadletter"
	"corrosion/schema/connect"
)

type deadCommand struct {
	List   deadListCommand   `cmd:"" help:"List samples that could not be stored, oldest first."`
	Show   deadShowCommand   `cmd:"" help:"Show one with its bytes, as JSON."`
	Replay deadReplayCommand `cmd:"" help:"Publish them again after a fix; what is stored then leaves the list."`
	Purge  deadPurgeCommand  `cmd:"" help:"Remove them for good."`
}

// deadFilter chooses dead letters.
type deadFilter struct {
	License string `help:"Only those of this license."`
	Reason  string `help:"Only those with this reason."`
}

func (f deadFilter) value() deadletter.Filter {
	return deadletter.Filter{License: f.License, Reason: f.Reason}
}

// openOffice connects to the dead letters; close the connection after use.
func openOffice(s *services) (*deadletter.Office, *nats.Conn, error) {
	if err := s.find(&s.NATSURL); err != nil {
		return nil, nil, err
	}
	conn, err := connect.NATS(s.NATSURL, nats.Name("corrosion-dead"))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to nats: %w", err)
	}
	office, err := deadletter.NewOffice(conn)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return office, conn, nil
}

type deadListCommand struct {
	services
	deadFilter
	After uint64 `help:"Begin behind this number."`
	Limit int    `default:"50" help:"How many at most, 1 to 1000."`
}

// Run prints one line a letter.
func (c *deadListCommand) Run(e *env) error {
	office, conn, err := openOffice(&c.services)
	if err != nil {
		return err
	}
	defer conn.Close()
	filter := c.value()
	filter.After = c.After
	letters, err := office.List(e.ctx, filter, c.Limit)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tAT\tLICENSE\tREASON\tBYTES\tDETAIL")
	for _, l := range letters {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\n", l.Number, l.At.UTC().Format(time.RFC3339), l.License, l.Reason, l.Size, l.Detail)
	}
	if len(letters) == c.Limit {
		fmt.Fprintf(e.stderr, "there may be more: --after %d\n", letters[len(letters)-1].Number)
	}
	return w.Flush()
}

type deadShowCommand struct {
	services
	Number uint64 `arg:"" help:"The letter's number, as listed."`
}

// Run prints one letter; a body that is text stands there as text.
func (c *deadShowCommand) Run(e *env) error {
	office, conn, err := openOffice(&c.services)
	if err != nil {
		return err
	}
	defer conn.Close()
	letter, err := office.Show(e.ctx, c.Number)
	if err != nil {
		return err
	}
	shown := struct {
		deadletter.Letter
		Body string `json:"body"`
	}{letter, string(letter.Body)}
	if letter.Encoding != "" {
		shown.Body = fmt.Sprintf("%d bytes of %s", len(letter.Body), letter.Encoding)
	}
	out := json.NewEncoder(e.stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(shown)
}

type deadReplayCommand struct {
	services
	deadFilter
	Numbers []uint64 `arg:"" optional:"" name:"number" help:"Letters to replay."`
	All     bool     `help:"Replay all that --license and --reason choose."`
}

// Run replays the letters that are named, or all that are chosen.
func (c *deadReplayCommand) Run(e *env) error {
	if c.All == (len(c.Numbers) > 0) {
		return errors.New("name the letters to replay, or give --all with --license or --reason")
	}
	office, conn, err := openOffice(&c.services)
	if err != nil {
		return err
	}
	defer conn.Close()
	replayed := 0
	if c.All {
		bar := newProgress(e.stderr, "replaying", "letters")
		replayed, err = office.ReplayAll(e.ctx, c.value(), func(n int) { bar.update(int64(n), 0) })
		bar.finish()
	}
	for _, number := range c.Numbers {
		if failed := office.Replay(e.ctx, number); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		replayed++
	}
	fmt.Fprintf(e.stdout, "%d letters replayed\n", replayed)
	return err
}

type deadPurgeCommand struct {
	services
	deadFilter
	Yes bool `help:"Remove them without asking back."`
}

// Run removes what is chosen.
func (c *deadPurgeCommand) Run(e *env) error {
	if !c.Yes {
		return errors.New("this removes samples for good: give --yes, and --license or --reason to choose")
	}
	office, conn, err := openOffice(&c.services)
	if err != nil {
		return err
	}
	defer conn.Close()
	bar := newProgress(e.stderr, "purging", "letters")
	purged, err := office.Purge(e.ctx, c.value(), func(n int) { bar.update(int64(n), 0) })
	bar.finish()
	fmt.Fprintf(e.stdout, "%d letters purged\n", purged)
	return err
}
