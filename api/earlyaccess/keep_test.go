package earlyaccess

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"corrosion/api/audit"
)

// The file has every signup of the segment, page after page, and no cell that a spreadsheet would run.
func TestCSV(t *testing.T) {
	d := openDesk(t, nil)
	_, err := d.pool.Exec(t.Context(), `WITH t AS (UPDATE early_access_totals SET signups = 2500)
		INSERT INTO early_access_signups (position, email, email_key, server_count, created_at)
		SELECT i, '=cmd' || i || '@example.org', 'cmd' || i || '@example.org', 1 + i % 2, now() FROM generate_series(1, 2500) i`)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buffer := make([]byte, 333)
	for reader := d.CSV(t.Context(), "2-5"); ; {
		n, err := reader.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	lines := strings.Split(strings.TrimSuffix(text.String(), "\r\n"), "\r\n")
	if len(lines) != 1251 || !strings.HasPrefix(lines[0], "position,email,server_count,segment") {
		t.Fatalf("%d lines, first %q", len(lines), lines[0])
	}
	if !strings.HasPrefix(lines[1250], "2499,'=cmd2499@example.org,2,2-5,,,false,") {
		t.Errorf("the last line is %q", lines[1250])
	}
	counts, err := d.Counts(t.Context())
	if err != nil || len(counts) != 5 || counts[0].Signups != 1250 || counts[1].Signups != 1250 || counts[4] != (SegmentCount{Segment: "101+"}) {
		t.Errorf("got %+v, %v", counts, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := d.CSV(cancelled, "").Read(buffer); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("a broken file reads as %d, %v", n, err)
	}
}

// Erased is erased: the place and the votes stay, the person is gone, and may come back.
func TestForget(t *testing.T) {
	d := openDesk(t, nil)
	slot := d.claim("ada@example.org")
	if _, err := d.Vote(t.Context(), Ballot{Item: "alerts", Email: emailOf(t, "ada@example.org")}); err != nil {
		t.Fatal(err)
	}
	if err := d.Forget(t.Context(), slot.Position, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if err := d.Forget(t.Context(), 99, audit.Event{}); !errors.Is(err, ErrPlace) {
		t.Errorf("an unknown place: %v", err)
	}
	var left int
	err := d.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM early_access_signups WHERE email ILIKE '%ada%' OR email_key ILIKE '%ada%' OR network_name IS NOT NULL)
		+ (SELECT count(*) FROM roadmap_votes WHERE email_key ILIKE '%ada%')`).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d rows still know the person, %v", left, err)
	}
	if status := d.status(); status.Signups != 1 || status.Founding.Taken != 0 {
		t.Errorf("got %+v", status)
	}
	if place := d.join("ada@example.org", 1); !place.New || place.Position != 2 {
		t.Errorf("came back to %+v", place)
	}
}

func TestSweep(t *testing.T) {
	d := openDesk(t, nil)
	challenge, err := d.NewChallenge()
	if err != nil {
		t.Fatal(err)
	}
	in := d.signup("ada@example.org", 1)
	if in.Proof, err = d.CheckProof(challenge.Text, Solve(challenge)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Join(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	d.link("ada@example.org", linkMail{Purpose: purposeSignup})
	left := func() (n int) {
		t.Helper()
		err := d.pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM early_access_proofs) + (SELECT count(*) FROM early_access_links)").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := d.sweep(t.Context()); err != nil || left() != 2 {
		t.Errorf("%d left, %v; want 2", left(), err)
	}
	d.pass(25 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.Run(ctx, slog.New(slog.DiscardHandler)) // ends although it could not work
	if err := d.sweep(t.Context()); err != nil || left() != 0 {
		t.Errorf("%d left, %v; want 0", left(), err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := Config{PublicURL: "nowhere", Work: Work{Puzzles: 99}}.Validate()
	if err == nil {
		t.Fatal("an empty config passes")
	}
	for _, want := range []string{"ConfirmTTL", "ChallengeTTL", "Sweep", "Plain", "Proven", "Mail", "LaunchAt", "public URL", "puzzles"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}
