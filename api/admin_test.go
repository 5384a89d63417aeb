package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/account"
	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/platform"
	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// Every route of administrators refuses whoever is none, and leaves no trace of it.
func TestAdminMatrix(t *testing.T) {
	p := openAdministrators(t)
	person := p.signUp("ada@example.org")
	owner := p.license("ada@example.org", "owner")
	count := func() (n int) {
		if err := p.pool.QueryRow(t.Context(), "SELECT count(*) FROM audit_log").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := p.deps.DeadLetters.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: schema.StreamDead, Subjects: []string{schema.SubjectDead}}); err != nil {
		t.Fatal(err)
	}
	script, err := p.deps.Keys.Issue(auth.Identity{Subject: "test", License: owner, Role: auth.Owner}, p.clock.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	before, routes := count(), 0
	for _, operation := range documentedOperations(t, p.harness) {
		method, path, _ := strings.Cut(operation, " ")
		if !strings.HasPrefix(path, adminPrefix+"/") {
			continue
		}
		routes++
		path = strings.NewReplacer("{license_id}", owner.String(), "{number}", "1", "{job}", "verify", "{requested_at}", "2026-01-01T00:00:00Z").Replace(path)
		for token, want := range map[string]struct {
			status int
			code   string
		}{
			"": {401, "unauthenticated"}, "rubbish": {401, "token-invalid"}, algNone(t): {401, "token-invalid"}, otherKeys(t): {401, "token-invalid"},
			p.expired(t): {401, "token-expired"}, script: {403, "account-needed"}, person.AccessToken: {403, "forbidden"},
		} {
			p.send(method, path, token, nil).problem(t, want.status, want.code)
		}
		if a := p.send(method, path, p.token, nil); a.StatusCode == 401 || a.StatusCode == 403 || a.StatusCode >= 500 {
			t.Errorf("%s as an administrator: %d %s", operation, a.StatusCode, a.body)
		}
	}
	if routes < 15 {
		t.Errorf("only %d routes of administrators", routes)
	}
	// The administrator's own calls may have changed something; the others' may not.
	var strangers int
	if err := p.pool.QueryRow(t.Context(), "SELECT count(*) FROM audit_log WHERE id > $1 AND actor <> 'admin@example.org'", before).Scan(&strangers); err != nil || strangers > 0 {
		t.Errorf("%d entries of those who were refused, %v", strangers, err)
	}
}

func TestAdminLicenses(t *testing.T) {
	p := openAdministrators(t)
	var ids []string
	for i := range 5 {
		created, err := account.CreateLicense(t.Context(), p.pool, account.NewLicense{Name: fmt.Sprintf("Nët %d", i), Email: "owner@example.org"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, created.LicenseID.String())
	}
	var seen []string
	path := adminLicensesPath + "?limit=2"
	for range 10 {
		var page AdminLicenses
		a := p.send("GET", path, p.token, nil).ok(t, 200, &page)
		for _, l := range page.Licenses {
			seen = append(seen, l.ID.String())
			if l.Owner != "owner@example.org" || l.Members != 1 {
				t.Errorf("%+v", l)
			}
		}
		link := a.Header.Get("Link")
		if page.Next == nil {
			if link != "" {
				t.Errorf("the last page has a Link %s", link)
			}
			break
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
	}
	if len(seen) != 5 || seen[0] != ids[4] || seen[4] != ids[0] {
		t.Errorf("pages give %v, want %v from the newest", seen, ids)
	}
	var found AdminLicenses
	p.send("GET", adminLicensesPath+"?search="+strings.ToUpper("n%C3%ABt%203"), p.token, nil).ok(t, 200, &found)
	p.send("GET", adminLicensesPath+"?search="+ids[1][:13], p.token, nil).ok(t, 200, nil)
	if len(found.Licenses) != 1 || found.Licenses[0].ID.String() != ids[3] {
		t.Errorf("search: %+v", found)
	}
	p.send("GET", adminLicensesPath+"?cursor=x&limit=0&state=odd&colour=red", p.token, nil).problem(t, 422, "invalid-request")
	p.send("GET", adminLicensesPath+"/"+uuid.NewString(), p.token, nil).problem(t, 404, "not-found")
	p.send("GET", adminLicensesPath+"/nonsense", p.token, nil).problem(t, 404, "not-found")
}

// A suspension is refused without a reason, told to those who ask, written down, and ends.
func TestAdminSuspend(t *testing.T) {
	p := openAdministrators(t)
	created, err := account.CreateLicense(t.Context(), p.pool, account.NewLicense{Name: "Net"})
	if err != nil {
		t.Fatal(err)
	}
	path := adminLicensesPath + "/" + created.LicenseID.String()
	p.post(path+"/suspend", p.token, object{"reason": "  "}).problem(t, 422, "invalid-request")
	var l platform.LicenseDetails
	p.post(path+"/suspend", p.token, object{"reason": "unpaid"}).ok(t, 200, &l)
	if l.SuspendedAt == nil || l.SuspendedReason != "unpaid" || l.SuspendedBy == nil || l.SuspendedBy.String() != p.account {
		t.Errorf("suspended: %+v", l)
	}
	since := *l.SuspendedAt
	p.post(path+"/suspend", p.token, object{"reason": "still unpaid"}).ok(t, 200, &l)
	if !l.SuspendedAt.Equal(since) || l.SuspendedReason != "still unpaid" {
		t.Errorf("suspended again: %+v", l)
	}
	var list AdminLicenses
	p.send("GET", adminLicensesPath+"?state=suspended", p.token, nil).ok(t, 200, &list)
	if len(list.Licenses) != 1 {
		t.Errorf("suspended licenses: %+v", list)
	}
	l = platform.LicenseDetails{}
	p.post(path+"/unsuspend", p.token, nil).ok(t, 200, &l)
	if l.SuspendedAt != nil || l.SuspendedReason != "" {
		t.Errorf("resumed: %+v", l)
	}
	if p.audited("license.suspended") != 2 || p.audited("license.resumed") != 1 {
		t.Error("suspensions are not written down")
	}
}

func TestAdminQuotas(t *testing.T) {
	p := openAdministrators(t)
	created, err := account.CreateLicense(t.Context(), p.pool, account.NewLicense{Name: "Net"})
	if err != nil {
		t.Fatal(err)
	}
	path := adminLicensesPath + "/" + created.LicenseID.String()
	read := p.send("GET", path, p.token, nil).ok(t, 200, nil)
	p.send("GET", path, p.token, nil, "If-None-Match", read.Header.Get("ETag")).ok(t, 304, nil)
	var l platform.LicenseDetails
	p.send("PATCH", path+"/quotas", p.token, object{"servers": 7, "metric_names": 0}, "If-Match", read.Header.Get("ETag")).ok(t, 200, &l)
	if q := l.Quotas; *q.Servers.Own != 7 || *q.Servers.Effective != 7 || *q.MetricNames.Own != 0 || q.MetricNames.Effective != nil || q.SamplesPerSecond.Own != nil {
		t.Errorf("quotas %+v", q)
	}
	p.send("PATCH", path+"/quotas", p.token, object{"servers": 8}, "If-Match", read.Header.Get("ETag")).problem(t, 412, "changed")
	p.send("PATCH", path+"/quotas", p.token, object{"servers": nil}).ok(t, 200, &l)
	if l.Quotas.Servers.Own != nil {
		t.Errorf("quotas %+v", l.Quotas)
	}
	if faults := p.send("PATCH", path+"/quotas", p.token, object{"servers": -1, "metric_names": 1.5, "colour": 1}).problem(t, 422, "invalid-request").Errors; len(faults) != 3 {
		t.Errorf("faults %+v", faults)
	}
	if p.audited("license.quotas-changed") != 2 {
		t.Error("changes of quotas are not written down")
	}
}

// A run by hand waits for an aggregator; what aggregators do not know cannot be asked for.
func TestAdminJobs(t *testing.T) {
	p := openAdministrators(t)
	q := pg.New(p.pool)
	if err := q.PutJob(t.Context(), pg.PutJobParams{Name: "verify", Schedule: "5 * * * *"}); err != nil {
		t.Fatal(err)
	}
	p.post(adminJobsPath+"/nonsense/requests", p.token, nil).problem(t, 404, "not-found")
	p.post(adminJobsPath+"/verify/requests", p.token, object{"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}).problem(t, 422, "invalid-request")
	var asked platform.JobRequest
	a := p.post(adminJobsPath+"/verify/requests", p.token, object{"from": "2026-01-01T00:00:00Z"}).ok(t, 202, &asked)
	if asked.State != "waiting" || asked.From == nil || asked.To != nil {
		t.Errorf("asked %+v", asked)
	}
	id, err := q.ClaimJobRun(t.Context(), pg.ClaimJobRunParams{Job: "verify", ScheduledAt: asked.RequestedAt, Cause: "manual", Instance: "i", Attempts: 5})
	if err != nil {
		t.Fatal(err)
	}
	p.send("GET", a.Header.Get("Location"), p.token, nil).ok(t, 200, &asked)
	if asked.State != "running" || asked.RunID == nil || *asked.RunID != id {
		t.Errorf("running %+v", asked)
	}
	if err := q.FinishJobRun(t.Context(), pg.FinishJobRunParams{ID: id, Instance: "i", Error: "broke", Detail: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	p.send("GET", a.Header.Get("Location"), p.token, nil).ok(t, 200, &asked)
	var jobs AdminJobs
	p.send("GET", adminJobsPath, p.token, nil).ok(t, 200, &jobs)
	var runs AdminRuns
	p.send("GET", adminRunsPath+"?job=verify", p.token, nil).ok(t, 200, &runs)
	if asked.State != "failed" || asked.Error != "broke" || len(jobs.Jobs) != 1 || jobs.Jobs[0].State != "failed" || len(runs.Runs) != 1 || runs.Runs[0].ID != id {
		t.Errorf("%+v, %+v, %+v", asked, jobs, runs)
	}
	if p.audited("job.requested") != 1 {
		t.Error("the request is not written down")
	}
}

// A shorter retention is refused until it is confirmed, and says what would be lost; nothing is changed before.
func TestAdminRetention(t *testing.T) {
	p := openAdministrators(t)
	var before platform.Kept
	p.send("GET", adminRetentionPath, p.token, nil).ok(t, 200, &before)
	if before.RawDays != 7 || before.HourlyDays != 90 || len(before.Tables) < 5 {
		t.Fatalf("%+v", before)
	}
	var losses AdminLosses
	p.send("GET", adminRetentionPath+"/losses?raw_days=6", p.token, nil).ok(t, 200, &losses)
	refused := p.send("PATCH", adminRetentionPath, p.token, object{"raw_days": 6}).problem(t, 409, "confirmation-needed")
	if len(losses.Losses) == 0 || len(refused.Errors) != len(losses.Losses) {
		t.Errorf("losses %+v, errors %+v", losses, refused.Errors)
	}
	p.send("PATCH", adminRetentionPath, p.token, object{"raw_days": 91, "confirm": true}).problem(t, 422, "invalid-request")
	var after platform.Kept
	p.send("PATCH", adminRetentionPath, p.token, object{"raw_days": 8}).ok(t, 200, &after)
	if after.RawDays != 8 {
		t.Errorf("%+v", after)
	}
	p.send("PATCH", adminRetentionPath, p.token, object{"raw_days": 7, "confirm": true}).ok(t, 200, &after)
	if after.RawDays != 7 || p.audited("retention.changed") != 2 {
		t.Errorf("%+v, %d entries", after, p.audited("retention.changed"))
	}
}

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

// What is written down stays so, for the database's own owner too; only erasing says that it may.
func TestAuditIsAppendOnly(t *testing.T) {
	pool := schematest.Postgres(t)
	if err := (audit.Log{Queries: pg.New(pool), Now: time.Now}).Audit(t.Context(), audit.Done(t.Context(), "server.changed", ourLicense, "server", "a", nil)); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log", "UPDATE audit_log SET details = '{}' WHERE false OR true"} {
		_, err := pool.Exec(t.Context(), statement)
		var refused *pgconn.PgError
		if err == nil || !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// Owners read what was done in their license, and nothing of others; files have everything.
func TestAuditOfALicense(t *testing.T) {
	pool := schematest.Postgres(t)
	h := openStored(t, withPlatform(t, pool, ""))
	ctx := audit.By(t.Context(), audit.Asker{Name: "=cmd|x", Origin: audit.Origin{Address: "192.0.2.1", UserAgent: "curl"}})
	q := pg.New(pool)
	for i := range 1203 {
		if err := audit.Write(ctx, q, time.Now(), audit.Done(ctx, "server.changed", ourLicense, "server", fmt.Sprint("s", i), map[string]any{"i": i})); err != nil {
			t.Fatal(err)
		}
	}
	if err := audit.Write(ctx, q, time.Now(), audit.Done(ctx, "mark.created", theirLicense, "mark", "theirs", nil)); err != nil {
		t.Fatal(err)
	}
	token := h.token(t, ourLicense, auth.Owner)
	for _, role := range []auth.Role{auth.Admin, auth.Viewer} {
		h.get(t, auditPath, h.token(t, ourLicense, role)).problem(t, 403, "forbidden")
	}
	var page AuditPage
	h.get(t, auditPath+"?limit=500&action=server.*", token).ok(t, 200, &page)
	if len(page.Entries) != 500 || page.Entries[0].TargetID != "s1202" || page.Next == nil || page.Entries[0].Address != "192.0.2.1" {
		t.Fatalf("%d entries, %+v", len(page.Entries), page.Entries[0])
	}
	h.get(t, auditPath+"?cursor="+*page.Next, token).ok(t, 200, &page)
	if page.Entries[0].TargetID != "s702" {
		t.Errorf("second page begins with %+v", page.Entries[0])
	}
	h.get(t, auditPath+"?target_id=s7&target_kind=server", token).ok(t, 200, &page)
	if len(page.Entries) != 1 {
		t.Errorf("filtered: %+v", page.Entries)
	}
	for _, bad := range []string{"?action=" + strings.Repeat("x", 101), "?from=yesterday", "?actor_id=x", "?format=csv&limit=3", "?cursor=" + packPlace("runs", "1"), "?limit=501", "?license_id=" + theirLicense.String(), "?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z"} {
		h.get(t, auditPath+bad, token).problem(t, 422, "invalid-request")
	}
	file := h.get(t, auditPath+"?format=csv", token)
	rows, err := csv.NewReader(strings.NewReader(file.body)).ReadAll()
	if err != nil || len(rows) != 1204 || rows[0][0] != "id" || rows[1][4] != "'=cmd|x" || !strings.Contains(file.Header.Get("Content-Disposition"), ".csv") {
		t.Errorf("csv: %d rows, %v, %v", len(rows), rows[1], err)
	}
	lines := strings.Split(strings.TrimSpace(h.get(t, auditPath+"?format=ndjson", token).body), "\n")
	var last audit.Entry
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 1203 || last.TargetID != "s0" {
		t.Errorf("ndjson: %d lines, %+v, %v", len(lines), last, err)
	}
	if theirs := h.get(t, auditPath, h.token(t, theirLicense, auth.Owner)); strings.Contains(theirs.body, ourLicense.String()) {
		t.Error("another license reads ours")
	}
}

// Every change that a license's people make is written down with who made it.
func TestChangesAreAudited(t *testing.T) {
	pool := schematest.Postgres(t)
	for _, license := range []uuid.UUID{ourLicense, theirLicense} {
		if err := pg.New(pool).EnsureLicense(t.Context(), pg.EnsureLicenseParams{ID: license, Name: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	h := openStoredOn(t, pool, withJobsOn(t, pool), withPlatform(t, pool, ""))
	token := h.token(t, ourLicense, auth.Owner)
	h.send(t, http.MethodPost, serversPath, token, `{"server_id":"mine"}`).ok(t, 201, nil)
	h.send(t, http.MethodPatch, serversPath+"/mine", token, `{"notes":"x"}`).ok(t, 200, nil)
	h.send(t, http.MethodPost, serversPath+"/mine/archive", token, "").ok(t, 200, nil)
	var mark Mark
	h.send(t, http.MethodPost, eventsPath, token, `{"kind":"note","title":"hello"}`).ok(t, 201, &mark)
	h.do(t, http.MethodDelete, eventsPath+"/"+mark.ID.String(), token).ok(t, 204, nil)
	job := h.newJob(t, ourLicense, `{"range":"1h"}`)
	h.doneJob(t, ourLicense, job)
	h.do(t, http.MethodDelete, job, token).ok(t, 204, nil)
	var page AuditPage
	h.get(t, auditPath, token).ok(t, 200, &page)
	var got []string
	for i := len(page.Entries) - 1; i >= 0; i-- {
		e := page.Entries[i]
		got = append(got, e.Action)
		if e.Actor != "script test" || e.Address != "127.0.0.1" || e.RequestID == "" || e.UserAgent == "" {
			t.Errorf("%+v", e)
		}
	}
	want := "server.created server.changed server.changed mark.created mark.deleted export.created export.deleted"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	for _, do := range []func(context.Context, *pgxpool.Pool, uuid.UUID) error{account.SuspendLicense, account.ResumeLicense} {
		if err := do(t.Context(), pool, ourLicense); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := account.RotateNATS(t.Context(), pool, ourLicense, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := account.CreateAgentUser(t.Context(), pool, ourLicense, "mine"); err != nil {
		t.Fatal(err)
	}
	if err := account.RevokeAgentUser(t.Context(), pool, ourLicense, "mine"); err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]int{"nats-user.created": 2, "nats-user.rotated": 1, "nats-user.revoked": 1, "license.suspended": 1, "license.resumed": 1} {
		var n int
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM audit_log WHERE action = $1 AND license_id = $2", action, ourLicense).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d entries, want %d, %v", action, n, want, err)
		}
	}
}
