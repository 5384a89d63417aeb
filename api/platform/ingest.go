package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
)

// IngestHealth is how publishing goes for everybody over some time until now.
type IngestHealth struct {
	From     time.Time       `json:"from"`
	To       time.Time       `json:"to"`
	Streams  []StreamHealth  `json:"streams" doc:"What waits in JetStream; empty where this process knows no NATS"`
	Licenses []LicenseIngest `json:"licenses" doc:"Those that published, the busiest first"`
}

// StreamHealth is one stream.
type StreamHealth struct {
	Stream     string     `json:"stream" example:"STATS"`
	Messages   uint64     `json:"messages" doc:"That wait"`
	Bytes      uint64     `json:"bytes"`
	MaxBytes   int64      `json:"max_bytes" doc:"Full = publishes are refused; -1 is without bound"`
	Oldest     *time.Time `json:"oldest" doc:"When the oldest of them was stored; null = none waits"`
	LagSeconds float64    `json:"lag_seconds" doc:"How long the oldest has waited"`
}

// LicenseIngest is what became of what one license published.
type LicenseIngest struct {
	LicenseID        uuid.UUID         `json:"license_id"`
	Name             string            `json:"name" doc:"Empty = there is no such license any more"`
	Suspended        bool              `json:"suspended"`
	SamplesPerSecond float64           `json:"samples_per_second" doc:"Published on average, whatever became of them"`
	BytesPerSecond   float64           `json:"bytes_per_second"`
	Accepted         uint64            `json:"accepted" doc:"Stored"`
	Duplicate        uint64            `json:"duplicate" doc:"Sent more than once"`
	Refused          uint64            `json:"refused" doc:"Not stored: bad, or beyond a quota"`
	Reasons          map[string]uint64 `json:"reasons" doc:"Refusals by reason: quota_samples, quota_bytes, quota_servers, rejected:<reason>; and quota_metrics, values left out of samples that are stored"`
	Waiting          uint64            `json:"waiting" doc:"Messages that wait in JetStream"`
	LastMinute       *time.Time        `json:"last_minute" doc:"The newest minute in which something arrived"`
	LagSeconds       *float64          `json:"lag_seconds" doc:"Since that minute ended; null = nothing arrived in the range"`
}

// MaxIngestLicenses bounds the licenses of one answer.
const MaxIngestLicenses = 1000

// ingestHealthQuery counts outcomes of all licenses. The busiest come first, so that a bound leaves out the quiet ones.
const ingestHealthQuery = `SELECT license_id, groupArray(outcome) AS outcomes, groupArray(counted) AS counts, sum(payload) AS payload, max(newest) AS newest
FROM
(
    SELECT license_id, toString(outcome) AS outcome, sum(count) AS counted, sum(bytes) AS payload, max(minute) AS newest
    FROM corrosion.ingest_log
    WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
    GROUP BY license_id, outcome
)
GROUP BY license_id
ORDER BY sum(counted) DESC, license_id
LIMIT {most:UInt32}
SETTINGS log_comment = 'api/platform ingest_health', max_execution_time = 20`

// Ingest tells how publishing went in the last length, 1 minute to 7 days. js may be nil.
func (s *Service) Ingest(ctx context.Context, js jetstream.JetStream, length time.Duration) (*IngestHealth, error) {
	now := s.now().UTC()
	h := &IngestHealth{From: now.Add(-length).Truncate(time.Minute), To: now, Streams: []StreamHealth{}, Licenses: []LicenseIngest{}}
	waiting := map[uuid.UUID]uint64{}
	if js != nil {
		for _, name := range []string{schema.StreamStats, schema.StreamStatsByServer, schema.StreamEvents, schema.StreamDead} {
			if err := h.addStream(ctx, js, name, waiting, now); err != nil {
				return nil, err
			}
		}
	}
	if err := s.countIngest(ctx, h); err != nil {
		return nil, err
	}
	for i := range h.Licenses {
		l := &h.Licenses[i]
		l.Waiting = waiting[l.LicenseID]
		delete(waiting, l.LicenseID)
	}
	for id, messages := range waiting { // nothing of theirs has come through yet
		h.Licenses = append(h.Licenses, LicenseIngest{LicenseID: id, Waiting: messages, Reasons: map[string]uint64{}})
	}
	return h, s.nameLicenses(ctx, h)
}

// addStream reads one stream; one that is not there yet is left out. Dead letters wait for people and are not counted by
// license.
func (h *IngestHealth) addStream(ctx context.Context, js jetstream.JetStream, name string, waiting map[uuid.UUID]uint64, now time.Time) error {
	stream, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	var options []jetstream.StreamInfoOpt
	if name != schema.StreamDead {
		options = append(options, jetstream.WithSubjectFilter(">"))
	}
	info, err := stream.Info(ctx, options...)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	state := StreamHealth{Stream: name, Messages: info.State.Msgs, Bytes: info.State.Bytes, MaxBytes: info.Config.MaxBytes}
	if info.State.Msgs > 0 {
		state.Oldest = utc(&info.State.FirstTime)
		state.LagSeconds = max(0, now.Sub(info.State.FirstTime).Seconds())
	}
	h.Streams = append(h.Streams, state)
	for subject, messages := range info.State.Subjects {
		if license, ok := licenseOf(subject); ok {
			waiting[license] += messages
		}
	}
	return nil
}

// licenseOf finds the license in a stored subject: the word behind "corrosion".
func licenseOf(subject string) (uuid.UUID, bool) {
	words := strings.Split(subject, ".")
	at := slices.Index(words, "corrosion")
	if at < 0 || at+1 >= len(words) {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(words[at+1])
	return id, err == nil
}

func (s *Service) countIngest(ctx context.Context, h *IngestHealth) error {
	rows, err := s.conn.Query(ctx, ingestHealthQuery, clickhouse.Named("from", h.From.Format(time.DateTime)),
		clickhouse.Named("to", h.To.Add(time.Minute).Format(time.DateTime)), clickhouse.Named("most", MaxIngestLicenses))
	if err != nil {
		return fmt.Errorf("read the ingest log: %w", err)
	}
	defer rows.Close()
	seconds := max(h.To.Sub(h.From).Seconds(), 1)
	for rows.Next() {
		l := LicenseIngest{Reasons: map[string]uint64{}}
		var outcomes []string
		var counts []uint64
		var payload uint64
		var newest time.Time
		if err := rows.Scan(&l.LicenseID, &outcomes, &counts, &payload, &newest); err != nil {
			return fmt.Errorf("read the ingest log: %w", err)
		}
		l.count(outcomes, counts)
		l.SamplesPerSecond, l.BytesPerSecond = float64(l.Accepted+l.Duplicate+l.Refused)/seconds, float64(payload)/seconds
		l.LastMinute = utc(&newest)
		lag := max(0, h.To.Sub(newest.Add(time.Minute)).Seconds())
		l.LagSeconds = &lag
		h.Licenses = append(h.Licenses, l)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the ingest log: %w", err)
	}
	return nil
}

// count sorts outcomes into what was stored, what was repeated, and why the rest was refused.
func (l *LicenseIngest) count(outcomes []string, counts []uint64) {
	for i, outcome := range outcomes {
		switch outcome {
		case schema.OutcomeAccepted:
			l.Accepted += counts[i]
		case schema.OutcomeDuplicate:
			l.Duplicate += counts[i]
		case schema.OutcomeQuotaMetrics: // values of samples that are stored
			l.Reasons[outcome] += counts[i]
		default:
			l.Reasons[outcome] += counts[i]
			l.Refused += counts[i]
		}
	}
}

// nameLicenses adds names, and puts the busiest first.
func (s *Service) nameLicenses(ctx context.Context, h *IngestHealth) error {
	ids := make([]uuid.UUID, 0, len(h.Licenses))
	for i := range h.Licenses {
		ids = append(ids, h.Licenses[i].LicenseID)
	}
	names, err := s.store.Queries().LicenseNames(ctx, ids)
	if err != nil {
		return fmt.Errorf("read names of licenses: %w", err)
	}
	for _, row := range names {
		i := slices.IndexFunc(h.Licenses, func(l LicenseIngest) bool { return l.LicenseID == row.ID })
		h.Licenses[i].Name, h.Licenses[i].Suspended = row.Name, row.SuspendedAt != nil
	}
	slices.SortStableFunc(h.Licenses, func(a, b LicenseIngest) int {
		return cmp.Or(cmp.Compare(b.SamplesPerSecond, a.SamplesPerSecond), cmp.Compare(b.Waiting, a.Waiting), strings.Compare(a.LicenseID.String(), b.LicenseID.String()))
	})
	return nil
}
