package account_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/natsauth"
	"corrosion/api/platform"
	"corrosion/api/store"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

func TestSuspendAndResume(t *testing.T) {
	pool := schematest.Postgres(t)
	queries := pg.New(pool)
	created, err := account.CreateLicense(t.Context(), pool, account.NewLicense{Name: "North"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice is as once
		if err := platform.Suspend(t.Context(), store.New(pool), created.LicenseID, ""); err != nil {
			t.Fatal(err)
		}
	}
	if d := login(t, queries, created.NATSUser, created.NATSPassword); d.Verdict != natsauth.Later || d.Denied != natsauth.DeniedSuspended {
		t.Errorf("suspended: got %+v", d)
	}
	if d := login(t, queries, created.NATSUser, "wrong"); d.Denied != natsauth.DeniedPassword {
		t.Errorf("a wrong password learns that the license is suspended: %+v", d)
	}
	if err := platform.Resume(t.Context(), store.New(pool), created.LicenseID); err != nil {
		t.Fatal(err)
	}
	if d := login(t, queries, created.NATSUser, created.NATSPassword); d.Verdict != natsauth.Admitted {
		t.Errorf("resumed: got %+v", d)
	}
	for _, err := range []error{platform.Suspend(t.Context(), store.New(pool), uuid.New(), ""), platform.Resume(t.Context(), store.New(pool), uuid.New())} {
		if !errors.Is(err, platform.ErrNoLicense) {
			t.Errorf("no such license: got %v", err)
		}
	}
}

func TestRotateNATS(t *testing.T) {
	pool := schematest.Postgres(t)
	queries := pg.New(pool)
	first, err := account.CreateLicense(t.Context(), pool, account.NewLicense{Name: "North"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := account.RotateNATS(t.Context(), pool, first.LicenseID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if second.NATSUser != first.NATSUser || second.NATSPassword == first.NATSPassword || second.PreviousUntil == nil {
		t.Fatalf("got %+v after %+v", second, first)
	}
	oldLogin, newLogin := login(t, queries, first.NATSUser, first.NATSPassword), login(t, queries, first.NATSUser, second.NATSPassword)
	if oldLogin.Verdict != natsauth.Admitted || !oldLogin.Until.Equal(*second.PreviousUntil) {
		t.Errorf("the old password within the overlap: got %+v", oldLogin)
	}
	if newLogin.Verdict != natsauth.Admitted || !newLogin.Until.IsZero() || newLogin.Name == oldLogin.Name {
		t.Errorf("the new password: got %+v", newLogin)
	}
	third, err := account.RotateNATS(t.Context(), pool, first.LicenseID, 0)
	if err != nil || third.PreviousUntil != nil {
		t.Fatalf("got %+v, %v", third, err)
	}
	for password, want := range map[string]natsauth.Verdict{
		first.NATSPassword: natsauth.Refused, second.NATSPassword: natsauth.Refused, third.NATSPassword: natsauth.Admitted,
	} {
		if d := login(t, queries, first.NATSUser, password); d.Verdict != want {
			t.Errorf("got %+v, want verdict %d", d, want)
		}
	}
}

func TestRotateNATSFaults(t *testing.T) {
	pool := schematest.Postgres(t)
	if _, err := account.RotateNATS(t.Context(), pool, uuid.New(), 0); !errors.Is(err, account.ErrNoLicense) {
		t.Errorf("no such license: got %v", err)
	}
	for _, overlap := range []time.Duration{-1, account.MaxOverlap + 1} {
		if _, err := account.RotateNATS(t.Context(), pool, uuid.New(), overlap); !errors.Is(err, account.ErrBadOverlap) {
			t.Errorf("overlap %s: got %v", overlap, err)
		}
	}
	demo, err := account.EnsureDemo(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	made, err := account.RotateNATS(t.Context(), pool, demo, time.Hour)
	if err != nil || made.PreviousUntil != nil {
		t.Fatalf("a license without a NATS user: got %+v, %v", made, err)
	}
	if d := login(t, pg.New(pool), made.NATSUser, made.NATSPassword); d.Verdict != natsauth.Admitted {
		t.Errorf("got %+v", d)
	}
}

func TestAgentUsers(t *testing.T) {
	pool := schematest.Postgres(t)
	queries := pg.New(pool)
	created, err := account.CreateLicense(t.Context(), pool, account.NewLicense{Name: "North"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := account.CreateAgentUser(t.Context(), pool, created.LicenseID, "eu-1")
	if err != nil {
		t.Fatal(err)
	}
	before := login(t, queries, made.NATSUser, made.NATSPassword)
	if want := natsauth.AgentRights(created.LicenseID, "eu-1"); before.Verdict != natsauth.Admitted || before.Rights.Publish[0] != want.Publish[0] {
		t.Errorf("got %+v", before)
	}
	if _, err := account.CreateAgentUser(t.Context(), pool, created.LicenseID, "eu-1"); !errors.Is(err, account.ErrAgentExists) {
		t.Errorf("a second one: got %v", err)
	}
	for _, bad := range []string{"", "a.b", "a b", "*", ">", "stats", "reply", "host", "events"} {
		if _, err := account.CreateAgentUser(t.Context(), pool, created.LicenseID, bad); !errors.Is(err, account.ErrBadServerID) {
			t.Errorf("server id %q: got %v", bad, err)
		}
	}
	if _, err := account.CreateAgentUser(t.Context(), pool, uuid.New(), "eu-1"); !errors.Is(err, account.ErrNoLicense) {
		t.Errorf("no such license: got %v", err)
	}
	if err := account.RevokeAgentUser(t.Context(), pool, created.LicenseID, "eu-1"); err != nil {
		t.Fatal(err)
	}
	if err := account.RevokeAgentUser(t.Context(), pool, created.LicenseID, "eu-1"); !errors.Is(err, account.ErrNoAgent) {
		t.Errorf("revoked twice: got %v", err)
	}
	if d := login(t, queries, made.NATSUser, made.NATSPassword); d.Denied != natsauth.DeniedUnknown {
		t.Errorf("revoked: got %+v", d)
	}
	again, err := account.CreateAgentUser(t.Context(), pool, created.LicenseID, "eu-1")
	if err != nil {
		t.Fatal(err)
	}
	if d := login(t, queries, again.NATSUser, again.NATSPassword); d.Name == before.Name {
		t.Errorf("connections of the revoked user would hold again: %s", d.Name)
	}
}
