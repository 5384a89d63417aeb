package ingest

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// outcome is what became of published samples, rejects aside.
type outcome uint8

const (
	accepted outcome = iota
	duplicate
	quotaSamples
	quotaBytes
	quotaServers
	quotaMetrics
	numOutcomes
)

func (o outcome) String() string {
	return [numOutcomes]string{
		schema.OutcomeAccepted, schema.OutcomeDuplicate, schema.OutcomeQuotaSamples, schema.OutcomeQuotaBytes,
		schema.OutcomeQuotaServers, schema.OutcomeQuotaMetrics,
	}[o]
}

// count is how many samples (of quotaMetrics: values), and of how many bytes of payload as published.
type count struct{ n, bytes int64 }

// tally is the counts of one license and minute.
type tally struct {
	counts   [numOutcomes]count
	rejected map[wire.Reason]count
}

func (t *tally) add(o outcome, n, bytes int64) {
	t.counts[o].n += n
	t.counts[o].bytes += bytes
}

func (t *tally) reject(reason wire.Reason, bytes int) {
	if t.rejected == nil {
		t.rejected = map[wire.Reason]count{}
	}
	c := t.rejected[reason]
	t.rejected[reason] = count{c.n + 1, c.bytes + int64(bytes)}
}

// maxTallies bounds the licenses and minutes that are counted while their counts cannot be written.
const maxTallies = 50_000

// tallies are the counts since they were last taken.
type tallies struct {
	minutes map[tallyKey]*tally
	// turn changes when they are taken, so that nobody goes on counting in those.
	turn uint64
	// lost takes what is too much.
	lost tally
}

type tallyKey struct {
	license uuid.UUID
	minute  int64 // since the epoch
}

func newTallies() *tallies { return &tallies{minutes: map[tallyKey]*tally{}} }

// of is where to count what a license published at a time, ms. Valid until the next call for the license.
func (all *tallies) of(t *tenant, storedAt int64) *tally {
	minute := storedAt / 60_000
	if t.tally != nil && t.minute == minute && t.turn == all.turn {
		return t.tally
	}
	key := tallyKey{t.license, minute}
	found := all.minutes[key]
	if found == nil {
		if len(all.minutes) >= maxTallies {
			return &all.lost
		}
		found = &tally{}
		all.minutes[key] = found
	}
	t.tally, t.minute, t.turn = found, minute, all.turn
	return found
}

// tallyRow is one row of the ingest log.
type tallyRow struct {
	tallyKey
	outcome string
	count
}

// takeLost gives how many samples were not counted by license and minute since it was last asked.
func (all *tallies) takeLost() (n int64) {
	for _, c := range all.lost.counts {
		n += c.n
	}
	for _, c := range all.lost.rejected {
		n += c.n
	}
	all.lost = tally{}
	return n
}

// take gives the counts as rows, in the order of the table, and starts with none.
func (all *tallies) take() []tallyRow {
	var rows []tallyRow
	for key, t := range all.minutes {
		for o, c := range t.counts {
			if c.n > 0 {
				rows = append(rows, tallyRow{key, outcome(o).String(), c})
			}
		}
		for reason, c := range t.rejected {
			rows = append(rows, tallyRow{key, schema.OutcomeRejected + string(reason), c})
		}
	}
	slices.SortFunc(rows, func(a, b tallyRow) int {
		return cmp.Or(slices.Compare(a.license[:], b.license[:]), cmp.Compare(a.minute, b.minute), strings.Compare(a.outcome, b.outcome))
	})
	clear(all.minutes)
	all.turn++
	return rows
}

// excess is what the log says of quotas: the last license that was over one, and how often any was since it was told.
type excess struct {
	license uuid.UUID
	by      outcome
	times   int64
}

// tell writes one line, if there is something to say.
func (e *excess) tell(log *slog.Logger) {
	if e.times > 0 {
		log.Warn("licenses are over their quotas; what is too much is not stored", "last", e.license, "quota", e.by.String(),
			"times", e.times, "see", schema.IngestLogTable)
	}
	*e = excess{}
}
