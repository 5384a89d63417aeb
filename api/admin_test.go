package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/platform"
	"corrosion/schema"
	"corrosion/schema/pg"
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
	p.send("GET", strings.ReplaceAll(a.Header.Get("Location"), ":", "%3A"), p.token, nil).ok(t, 200, &asked)
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
	tag := p.send("GET", adminRetentionPath, p.token, nil).ok(t, 200, &before).Header.Get("ETag")
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
	p.send("PATCH", adminRetentionPath, p.token, object{"raw_days": 8}, "If-Match", tag).ok(t, 200, &after)
	if after.RawDays != 8 {
		t.Errorf("%+v", after)
	}
	p.send("PATCH", adminRetentionPath, p.token, object{"raw_days": 9}, "If-Match", tag).problem(t, 412, "changed")
	if now := p.send("GET", adminRetentionPath, p.token, nil).ok(t, 200, &after).Header.Get("ETag"); now == tag || after.RawDays != 8 {
		t.Errorf("%s %+v", now, after)
	}
	p.send("PATCH", adminRetentionPath, p.token, object{"raw_days": 7, "confirm": true}).ok(t, 200, &after)
	if after.RawDays != 7 || p.audited("retention.changed") != 2 {
		t.Errorf("%+v, %d entries", after, p.audited("retention.changed"))
	}
}
