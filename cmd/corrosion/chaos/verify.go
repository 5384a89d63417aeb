package chaos

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// maxExamples bounds how many cases of one kind are told in full.
const maxExamples = 20

// tally is what the verifier found.
type tally struct {
	// Repeats were published again on purpose with the same boot and n, Retries because a confirmation was lost.
	Repeats, Retries     uint64
	Samples, Rows        uint64 // wanted, stored
	Lost, Doubled, Wrong uint64
	// Removed were stored twice and removed by the aggregator.
	Removed                      uint64
	LettersWanted, LettersLost   uint64
	LettersDoubled, LettersWrong uint64
	// Hours whose rollup is not what their rows give, and those of them that count more samples than there are.
	RollupOver, MetricsOver                         uint64
	RollupHours, RollupOff, MetricHours, MetricsOff uint64
}

// verifier compares what is stored with the ledger. Nobody publishes any more while it works.
type verifier struct {
	w      *world
	ledger *ledger
	config *Config
	tally
	rows     []uint8 // stored rows by sample
	examples map[string]int
}

func newVerifier(c *Config, w *world, l *ledger) *verifier {
	return &verifier{w: w, ledger: l, config: c, rows: make([]uint8, len(l.samples)), examples: map[string]int{}}
}

// tell counts a case and tells the first ones in full; all go to the journal.
func (v *verifier) tell(kind string, count *uint64, detail func() string) {
	*count++
	v.examples[kind]++
	if v.examples[kind] <= maxExamples {
		text := kind + ": " + detail()
		v.w.t.Log(text)
		v.w.journal.write("case", text)
	} else if v.examples[kind] <= 50*maxExamples {
		v.w.journal.write("case", kind+": "+detail())
	}
}

// row is one stored row.
type row struct {
	schema.Sample
	id int64 // the marker; -1 without one
}

// verifySamples reads every stored row.
func (v *verifier) verifySamples(ctx context.Context) error {
	if err := v.doubles(ctx); err != nil {
		return err
	}
	if err := v.eachRow(ctx, v.row); err != nil {
		return err
	}
	for id := range v.ledger.samples {
		r := &v.ledger.samples[id]
		v.Samples += uint64(r.want)
		switch stored := v.rows[id]; {
		case stored < r.want:
			v.tell("LOST", &v.Lost, func() string { return v.story(uint32(id)) })
		case stored > r.want:
			kind, count := "RETRY", &v.Retries
			switch {
			case r.want == 0:
				kind, count = "WRONG", &v.Wrong
			case r.repeated:
				kind, count = "REPEAT", &v.Repeats
			}
			if !v.config.PublisherDedup && r.want > 0 {
				*count++
				continue
			}
			v.tell(kind, count, func() string {
				return fmt.Sprintf("stored %d times, want %d%s: %s", stored, r.want, v.places(ctx, id), v.story(uint32(id)))
			})
		}
	}
	return nil
}

// places tells by which messages a sample came that is stored too often.
func (v *verifier) places(ctx context.Context, id int) string {
	if v.examples["REPEAT"]+v.examples["RETRY"] > maxExamples {
		return ""
	}
	var places string
	err := v.w.conn.QueryRow(ctx, `
		SELECT arrayStringConcat(arraySort(groupArray(concat(toString(received_at), ' epoch ', toString(epoch), ' seq ', toString(seq), ' idx ', toString(idx)))), ', ')
		FROM corrosion.samples WHERE metrics['chaos'] = ?`, float64(id)).Scan(&places)
	if err != nil {
		return ", by messages that could not be asked for"
	}
	return ", by " + places
}

// double is one identity that is stored more than once.
type double struct {
	epoch, seq, copies uint64
	idx                uint16
	id, received       int64
	parts              string
}

// doubles finds rows of one identity, and tells those that were received together as one episode.
func (v *verifier) doubles(ctx context.Context) error {
	rows, err := v.w.conn.Query(ctx, `
		SELECT epoch, seq, idx, count() AS copies, toInt64(any(metrics['chaos'])) AS id,
			toInt64(toUnixTimestamp64Milli(any(received_at))) AS received, arrayStringConcat(groupArray(_part), ' ') AS parts
		FROM corrosion.samples GROUP BY epoch, seq, idx HAVING copies > 1 ORDER BY received, epoch, seq, idx`)
	if err != nil {
		return fmt.Errorf("ask for doubles: %w", err)
	}
	defer rows.Close()
	var episode []double
	for rows.Next() {
		var d double
		if err := rows.Scan(&d.epoch, &d.seq, &d.idx, &d.copies, &d.id, &d.received, &d.parts); err != nil {
			return err
		}
		if len(episode) > 0 && d.received-episode[len(episode)-1].received > 1000 {
			v.tellEpisode(episode)
			episode = episode[:0]
		}
		episode = append(episode, d)
		v.w.journal.write("double", fmt.Sprintf("%+v", d))
		if d.id >= 0 && d.id < int64(len(v.rows)) { // told here, not again as a repeat
			v.rows[d.id] -= uint8(d.copies - 1)
		}
	}
	if len(episode) > 0 {
		v.tellEpisode(episode)
	}
	return rows.Err()
}

func (v *verifier) tellEpisode(doubles []double) {
	first, last := doubles[0], doubles[len(doubles)-1]
	before := v.Doubled
	v.tell("DOUBLES", &v.Doubled, func() string {
		return fmt.Sprintf("%d rows, epoch %d seq %d idx %d to epoch %d seq %d idx %d, received within %d ms, the first stored %d times in parts %s; faults since then: %s; the first is %s",
			len(doubles), first.epoch, first.seq, first.idx, last.epoch, last.seq, last.idx, last.received-first.received, first.copies,
			first.parts, v.w.journal.around(first.received, last.received+15_000), v.story(uint32(first.id)))
	})
	v.Doubled = before
	for _, d := range doubles {
		v.Doubled += d.copies - 1
	}
}

// row counts one stored row and compares every value.
func (v *verifier) row(r *row) {
	v.Rows++
	if r.id < 0 || r.id >= int64(len(v.rows)) {
		v.tell("WRONG", &v.Wrong, func() string { return fmt.Sprintf("row without a known number: %+v", r.Sample) })
		return
	}
	v.rows[r.id]++
	if diff := v.differs(r); diff != "" {
		v.tell("WRONG", &v.Wrong, func() string { return diff + ": " + v.story(uint32(r.id)) })
	}
}

// differs names the first value that is not what was published.
func (v *verifier) differs(got *row) string {
	want := v.ledger.sample(uint32(got.id))
	if want.TS == 0 {
		want.TS = got.ReceivedAt
	}
	m := &v.ledger.messages[v.ledger.samples[got.id].msg]
	switch {
	case got.License != want.License:
		return fmt.Sprintf("license %s, want %s", got.License, want.License)
	case got.ServerID != want.ServerID:
		return fmt.Sprintf("server %s, want %s", got.ServerID, want.ServerID)
	case got.TS != want.TS:
		return fmt.Sprintf("ts %d, want %d", got.TS, want.TS)
	case got.ReceivedAt < m.sent-1000:
		return fmt.Sprintf("received at %d, before it was sent at %d", got.ReceivedAt, m.sent)
	case len(got.Metrics) != len(want.Metrics):
		return fmt.Sprintf("metrics %v, want %v", got.Metrics, want.Metrics)
	}
	for f := range schema.NumFields {
		if got.Has(f) != want.Has(f) || got.Uint(f) != want.Uint(f) || got.Text(f) != want.Text(f) {
			return fmt.Sprintf("%s is %v/%d/%q, want %v/%d/%q", f, got.Has(f), got.Uint(f), got.Text(f), want.Has(f), want.Uint(f), want.Text(f))
		}
	}
	stored := map[string]float64{}
	for _, m := range got.Metrics {
		stored[m.Name] = m.Value
	}
	for _, m := range want.Metrics {
		if value, has := stored[m.Name]; !has || value != m.Value {
			return fmt.Sprintf("metrics %v, want %v", got.Metrics, want.Metrics)
		}
	}
	return ""
}

// story is all that is known of a sample.
func (v *verifier) story(id uint32) string {
	if int(id) >= len(v.ledger.samples) {
		return fmt.Sprintf("sample %d is unknown", id)
	}
	r := &v.ledger.samples[id]
	s := &v.ledger.servers[r.server]
	m := &v.ledger.messages[r.msg]
	var notes []string
	for note, is := range map[string]bool{
		"without n": r.numberless, "repeated on purpose": r.repeated, "without ts": r.ts == 0, "unconfirmed": m.confirmed == 0,
	} {
		if is {
			notes = append(notes, note)
		}
	}
	until := m.confirmed
	if until == 0 {
		until = math.MaxInt64
	}
	return fmt.Sprintf("sample %d (%s/%s boot %d n %d ts %s%s) of message %d, %s seq %d, %d samples, sent %s, confirmed after %d ms and %d attempts; faults meanwhile: %s",
		id, s.license.String()[:8], s.name, r.boot, r.n, time.UnixMilli(r.ts).UTC().Format(time.RFC3339), strings.Join(append([]string{""}, notes...), ", "),
		r.msg, m.stream, m.seq, m.samples, time.UnixMilli(m.sent).UTC().Format("15:04:05.000"), m.confirmed-m.sent, m.attempts, v.w.journal.around(m.sent, until))
}

// eachRow reads samples in the order of their columns.
func (v *verifier) eachRow(ctx context.Context, f func(*row)) error {
	var names []string
	for _, c := range schema.SampleColumns() {
		names = append(names, c.Name)
	}
	rows, err := v.w.conn.Query(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+schema.SamplesTable)
	if err != nil {
		return fmt.Errorf("read samples: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		s := newScan()
		if err := rows.Scan(s.targets()...); err != nil {
			return fmt.Errorf("read a sample: %w", err)
		}
		f(s.row())
	}
	return rows.Err()
}

// scan takes one row as the driver gives it.
type scan struct {
	license      uuid.UUID
	server       string
	ts, received time.Time
	uint32s      [schema.NumFields]*uint32
	uint64s      [schema.NumFields]*uint64
	floats       [schema.NumFields]*float64
	texts        [schema.NumFields]*string
	metrics      map[string]float64
	epoch, seq   uint64
	idx          uint16
}

func newScan() *scan { return &scan{} }

func (s *scan) targets() []any {
	targets := []any{&s.license, &s.server, &s.ts}
	for f := range schema.NumFields {
		switch f.Info().Kind {
		case schema.Uint32:
			targets = append(targets, &s.uint32s[f])
		case schema.Uint64:
			targets = append(targets, &s.uint64s[f])
		case schema.Float:
			targets = append(targets, &s.floats[f])
		default:
			targets = append(targets, &s.texts[f])
		}
	}
	return append(targets, &s.metrics, &s.epoch, &s.seq, &s.idx, &s.received)
}

func (s *scan) row() *row {
	r := &row{id: -1, Sample: schema.Sample{
		License: s.license, ServerID: s.server, TS: s.ts.UnixMilli(), Epoch: s.epoch, Seq: s.seq, Idx: s.idx, ReceivedAt: s.received.UnixMilli(),
	}}
	for f := range schema.NumFields {
		switch {
		case s.uint32s[f] != nil:
			r.SetUint(f, uint64(*s.uint32s[f]))
		case s.uint64s[f] != nil:
			r.SetUint(f, *s.uint64s[f])
		case s.floats[f] != nil:
			r.SetFloat(f, *s.floats[f])
		case s.texts[f] != nil:
			r.SetText(f, *s.texts[f])
		}
	}
	for name, value := range s.metrics {
		r.Metrics = append(r.Metrics, schema.Metric{Name: name, Value: value})
		if name == marker {
			r.id = int64(value)
		}
	}
	return r
}
