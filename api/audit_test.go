package api

import (
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

	"corrosion/api/account"
	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/platform"
	"corrosion/api/store"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

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
	if err := errors.Join(platform.Suspend(t.Context(), store.New(pool), ourLicense, ""), platform.Resume(t.Context(), store.New(pool), ourLicense)); err != nil {
		t.Fatal(err)
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
