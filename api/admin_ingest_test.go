package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/account"
	"corrosion/api/platform"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestAdminDeadLetters(t *testing.T) {
	p := openAdministrators(t)
	js := p.deps.DeadLetters.JetStream()
	p.send("GET", adminDeadPath, p.token, nil).problem(t, 503, "unavailable") // no ingester has made the stream yet
	for name, subject := range map[string]string{schema.StreamDead: schema.SubjectDead, schema.StreamStats: schema.SubjectStats} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	for i, license := range []uuid.UUID{ourLicense, ourLicense, theirLicense} {
		m := nats.NewMsg(schema.DeadSubject(license.String()))
		m.Data = []byte(fmt.Sprintf(`{"bad":%d}`, i))
		m.Header.Set(schema.DeadReason, "bad_json")
		m.Header.Set(schema.DeadOf, schema.StatsSubject(license))
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var page DeadLetters
	p.send("GET", adminDeadPath+"?limit=1&license_id="+ourLicense.String(), p.token, nil).ok(t, 200, &page)
	if len(page.Letters) != 1 || page.Next == nil || page.Letters[0].Reason != "bad_json" {
		t.Fatalf("%+v", page)
	}
	var second DeadLetters
	p.send("GET", adminDeadPath+"?license_id="+ourLicense.String()+"&cursor="+*page.Next, p.token, nil).ok(t, 200, &second)
	if len(second.Letters) != 1 || second.Letters[0].Number == page.Letters[0].Number {
		t.Errorf("second page %+v", second)
	}
	one := fmt.Sprintf("%s/%d", adminDeadPath, page.Letters[0].Number)
	var letter DeadLetter
	p.send("GET", one, p.token, nil).ok(t, 200, &letter)
	if letter.Body == nil || *letter.Body != `{"bad":0}` {
		t.Errorf("letter %+v", letter)
	}
	var done DeadChosen
	p.post(one+"/replay", p.token, nil).ok(t, 200, &done)
	p.send("GET", one, p.token, nil).problem(t, 404, "not-found")
	p.post(adminDeadPath+"/purge", p.token, object{}).problem(t, 422, "invalid-request")
	p.post(adminDeadPath+"/purge", p.token, object{"license_id": theirLicense.String()}).ok(t, 200, &done)
	p.send("DELETE", fmt.Sprintf("%s/%d", adminDeadPath, second.Letters[0].Number), p.token, nil).ok(t, 204, nil)
	p.send("GET", adminDeadPath, p.token, nil).ok(t, 200, &page)
	if done.Done != 1 || len(page.Letters) != 0 {
		t.Errorf("purged %+v, left %+v", done, page)
	}
	if p.audited("deadletter.replayed") != 1 || p.audited("deadletter.purged") != 1 || p.audited("deadletters.purged") != 1 {
		t.Error("what was done to letters is not written down")
	}
	var health platform.IngestHealth
	p.send("GET", adminPrefix+"/ingest", p.token, nil).ok(t, 200, &health)
	if len(health.Streams) != 2 || health.Streams[0].Messages != 1 {
		t.Errorf("health %+v", health)
	}
}

// Rates, refusals by reason and what waits, for every license that published.
func TestAdminIngest(t *testing.T) {
	p := openAdministrators(t)
	created, err := account.CreateLicense(t.Context(), p.pool, account.NewLicense{Name: "Busy"})
	if err != nil {
		t.Fatal(err)
	}
	conn := schematest.ClickHouse(t)
	minute := p.clock.Now().Truncate(time.Minute).Add(-2 * time.Minute)
	for outcome, n := range map[string]uint64{"accepted": 100, "duplicate": 5, "quota_samples": 10, "rejected:bad_ts": 3, "quota_metrics": 40} {
		if err := conn.Exec(t.Context(), "INSERT INTO corrosion.ingest_log (license_id, minute, outcome, count, bytes) VALUES (?, ?, ?, ?, ?)",
			created.LicenseID, minute, outcome, n, n*10); err != nil {
			t.Fatal(err)
		}
	}
	var health platform.IngestHealth
	p.send("GET", adminPrefix+"/ingest?minutes=10", p.token, nil).ok(t, 200, &health)
	for _, l := range health.Licenses {
		if l.LicenseID != created.LicenseID {
			continue
		}
		if l.Name != "Busy" || l.Accepted != 100 || l.Duplicate != 5 || l.Refused != 13 || l.Reasons["rejected:bad_ts"] != 3 || l.Reasons["quota_metrics"] != 40 || l.LagSeconds == nil {
			t.Errorf("%+v", l)
		}
		return
	}
	t.Errorf("the license is missing: %+v", health)
}
