package chaos

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Report is what a run found.
type Report struct {
	tally
	Config         Config
	Took, Striking time.Duration
	Kills, Struck  map[string]int
	Messages       int
	Refused        uint64
	Unanswered     uint64
	Redelivered    int64
	Findings       []string
}

// Failures are the reasons why the run proves nothing good; empty: everything was stored once.
func (r *Report) Failures() []string {
	failures := slices.Clone(r.Findings)
	fail := func(n uint64, what string) {
		if n > 0 {
			failures = append(failures, fmt.Sprintf("%d %s", n, what))
		}
	}
	fail(r.Lost, "samples lost")
	fail(r.Doubled, "samples stored twice under one identity")
	if !r.Config.CrossRepeats {
		fail(r.Removed, "rows stored twice that the aggregator removed")
	}
	fail(r.Wrong, "rows that were not published like this")
	if r.Config.PublisherDedup {
		fail(r.Repeats, "samples stored again that were published twice with the same boot and n")
		fail(r.Retries, "samples stored again because their message was published again under the same Nats-Msg-Id")
	}
	fail(r.LettersLost, "dead letters lost")
	fail(r.LettersDoubled, "dead letters doubled")
	fail(r.LettersWrong, "dead letters wrong")
	if r.Config.StrictRollup || r.Kills["clickhouse"] == 0 {
		fail(r.RollupOff, "hours of samples_hourly that differ from their rows")
		fail(r.MetricsOff, "hours of metrics_hourly that differ from their rows")
	}
	return failures
}

// String is the report as a Markdown table.
func (r *Report) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "Chaos, seed %d, faults %q, %d samples/s, %s of faults, %s in all (%s):\n\n", r.Config.Seed, r.Config.Faults, r.Config.Rate,
		r.Striking.Round(time.Second), r.Took.Round(time.Second), time.Now().UTC().Format(time.DateOnly))
	line := func(what string, value any) { fmt.Fprintf(&text, "| %s | %v |\n", what, value) }
	line("what", "count")
	line("---", "---")
	total := 0
	for _, n := range r.Kills {
		total += n
	}
	line("kill -9", fmt.Sprintf("%d (%s)", total, list(r.Kills)))
	line("all faults", list(r.Struck))
	line("messages confirmed", r.Messages)
	line("attempts refused / unanswered", fmt.Sprintf("%d / %d", r.Refused, r.Unanswered))
	line("redelivered, at least", r.Redelivered)
	line("samples to be stored", r.Samples)
	line("rows stored", r.Rows)
	line("lost", r.Lost)
	line("doubled (same epoch, seq, idx)", r.Doubled)
	line("publishers' repetitions stored: same boot and n / same Nats-Msg-Id", fmt.Sprintf("%d / %d", r.Repeats, r.Retries))
	line("removed by the aggregator as stored twice", r.Removed)
	line("wrong", r.Wrong)
	line("dead letters wanted", r.LettersWanted)
	line("dead letters lost / doubled / wrong", fmt.Sprintf("%d / %d / %d", r.LettersLost, r.LettersDoubled, r.LettersWrong))
	line("samples_hourly, hours off", fmt.Sprintf("%d of %d, %d of them too much", r.RollupOff, r.RollupHours, r.RollupOver))
	line("metrics_hourly, hours off", fmt.Sprintf("%d of %d, %d of them too much", r.MetricsOff, r.MetricHours, r.MetricsOver))
	line("other findings", len(r.Findings))
	for _, finding := range r.Findings {
		fmt.Fprintf(&text, "- %s\n", finding)
	}
	return text.String()
}

func list(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}

// save appends the report to the results file.
func (r *Report) save() error {
	if r.Config.Results == "" {
		return nil
	}
	file, err := os.OpenFile(r.Config.Results, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open results: %w", err)
	}
	defer file.Close()
	_, err = fmt.Fprintf(file, "%s\n", r)
	return err
}
