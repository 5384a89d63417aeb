package earlyaccess

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/account"
	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// desk is a Service on a real Postgres with a clock that the test moves.
type desk struct {
	*Service
	t    *testing.T
	pool *pgxpool.Pool

	mu    sync.Mutex
	clock time.Time
}

func openDesk(t *testing.T, change func(*Config)) *desk {
	t.Helper()
	keys, err := auth.LoadOrCreateKeys(filepath.Join(t.TempDir(), "jwt.key"))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, pool: schematest.Postgres(t), clock: time.Now().Truncate(time.Second)}
	config := DefaultConfig()
	config.Work = Work{Puzzles: 4, Bits: 4}
	config.Plain.Free = 10_000
	if change != nil {
		change(&config)
	}
	d.Service, err = NewService(config, Deps{Store: store.New(d.pool), Keys: keys, Registerer: prometheus.NewRegistry(), Now: d.Now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clock
}

func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = d.clock.Add(by)
}

func emailOf(t *testing.T, text string) account.Email {
	t.Helper()
	email, err := account.ParseEmail(text)
	if err != nil {
		t.Fatal(err)
	}
	return email
}

func (d *desk) signup(email string, servers int32) Signup {
	return Signup{Email: emailOf(d.t, email), ServerCount: servers, Asker: Asker{Address: "192.0.2.1"}}
}

func (d *desk) join(email string, servers int32) Place {
	d.t.Helper()
	place, err := d.Join(d.t.Context(), d.signup(email, servers))
	if err != nil {
		d.t.Fatal(err)
	}
	return place
}

func (d *desk) claim(email string) Slot {
	d.t.Helper()
	slot, err := d.Claim(d.t.Context(), d.signup(email, 7), "Network of "+email)
	if err != nil {
		d.t.Fatal(err)
	}
	return slot
}

func (d *desk) status() Status {
	d.t.Helper()
	status, err := d.Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return status
}

// However many ask at once, 25 get a slot, each another one, and all have a place on the list.
func TestNeverA26thFounder(t *testing.T) {
	d := openDesk(t, nil)
	const claims = 500
	slots := make([]Slot, claims)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range slots {
		wg.Go(func() {
			<-start
			slots[i] = d.claim(fmt.Sprintf("founder-%d@example.org", i))
		})
	}
	close(start)
	wg.Wait()
	var numbers []int16
	var positions []int64
	for _, slot := range slots {
		positions = append(positions, slot.Position)
		if !slot.Full {
			numbers = append(numbers, slot.Number)
		}
	}
	slices.Sort(numbers)
	slices.Sort(positions)
	for i, number := range numbers {
		if number != int16(i+1) {
			t.Fatalf("slots %v, want 1 to 25", numbers)
		}
	}
	if len(numbers) != 25 {
		t.Fatalf("%d founders", len(numbers))
	}
	if positions[0] != 1 || positions[claims-1] != claims || len(slices.Compact(positions)) != claims {
		t.Errorf("places %v, want 1 to %d without gaps", positions, claims)
	}
	if status := d.status(); status.Founding != (Founding{Total: 25, Taken: 25}) || status.Signups != claims {
		t.Errorf("got %+v", status)
	}
	for i, before := range slots {
		again := d.claim(fmt.Sprintf("FOUNDER-%d@Example.org", i))
		if again.Full != before.Full || again.Number != before.Number || again.Position != before.Position || again.New {
			t.Fatalf("claimed again: %+v, before %+v", again, before)
		}
	}
}

// An email has one place, however it is written and however often it joins at once.
func TestPlacesAreStable(t *testing.T) {
	d := openDesk(t, nil)
	places := make([]Place, 60)
	var wg sync.WaitGroup
	for i := range places {
		email := fmt.Sprintf("ada-%d@bücher.example", i%3)
		if i%2 == 1 {
			email = fmt.Sprintf("ADA-%d@xn--bcher-kva.example", i%3)
		}
		wg.Go(func() { places[i] = d.join(email, int32(i+1)) })
	}
	wg.Wait()
	fresh := 0
	for i, place := range places {
		if place.New {
			fresh++
		}
		if place.Position != places[i%3].Position || place.Position > 3 {
			t.Errorf("places %+v and %+v of one email", place, places[i%3])
		}
	}
	if fresh != 3 || d.status().Signups != 3 {
		t.Errorf("%d new, %d signups, want 3", fresh, d.status().Signups)
	}
}

// The segment of the column and that of the program are the same.
func TestSegments(t *testing.T) {
	d := openDesk(t, nil)
	for servers, want := range map[int32]string{1: "1", 2: "2-5", 5: "2-5", 6: "6-25", 25: "6-25", 26: "26-100", 100: "26-100", 101: "101+", MaxServers: "101+"} {
		if got := d.join("ada@example.org", servers).Segment; got != want || segmentOf(servers) != want {
			t.Errorf("%d servers: %q and %q, want %q", servers, got, segmentOf(servers), want)
		}
	}
}

// Many people vote and change their minds at once: the count is the number of rows.
func TestVotesUnderConcurrency(t *testing.T) {
	d := openDesk(t, nil)
	const voters = 60
	var wg sync.WaitGroup
	for i := range voters * 6 {
		wg.Go(func() {
			person := i % voters
			withdraw := i/voters%2 == 1
			_, err := d.Vote(t.Context(), Ballot{Item: "alerts", Email: emailOf(t, fmt.Sprintf("v%d@example.org", person)), Withdraw: withdraw})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range voters {
		for range 2 {
			count, err := d.Vote(t.Context(), Ballot{Item: "alerts", Email: emailOf(t, fmt.Sprintf("v%d@example.org", i)), Withdraw: i%3 == 0})
			if err != nil || count.Confirm {
				t.Fatalf("got %+v, %v", count, err)
			}
		}
	}
	roadmap, err := d.Roadmap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range roadmap.Items {
		want := int64(0)
		if item.ID == "alerts" {
			want = voters - voters/3
		}
		if item.Votes != want {
			t.Errorf("%s has %d votes, want %d", item.ID, item.Votes, want)
		}
	}
	if _, err := d.Vote(t.Context(), Ballot{Item: "nothing", Email: emailOf(t, "ada@example.org")}); !errors.Is(err, ErrItem) {
		t.Errorf("an unknown item: %v", err)
	}
	if last := roadmap.Timeline[len(roadmap.Timeline)-1]; !last.Launch || !last.At.Equal(d.cfg.LaunchAt) {
		t.Errorf("the timeline ends with %+v", last)
	}
}

func TestProofs(t *testing.T) {
	d := openDesk(t, func(c *Config) { c.Plain.Free = 1 })
	challenge, err := d.NewChallenge()
	if err != nil {
		t.Fatal(err)
	}
	nonces := Solve(challenge)
	for name, altered := range map[string]func() (string, []uint32){
		"too few": func() (string, []uint32) { return challenge.Text, nonces[1:] },
		"unsolved": func() (string, []uint32) {
			wrong := slices.Clone(nonces)
			for solves(challenge.Text, 0, wrong[0], challenge.Work.Bits) {
				wrong[0]++
			}
			return challenge.Text, wrong
		},
		"altered": func() (string, []uint32) { return "B" + challenge.Text[1:], nonces },
		"rubbish": func() (string, []uint32) { return "rubbish", nonces },
		"none":    func() (string, []uint32) { return "", nil },
	} {
		if _, err := d.CheckProof(altered()); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	proof, err := d.CheckProof(challenge.Text, nonces)
	if err != nil {
		t.Fatal(err)
	}
	d.join("first@example.org", 1)
	var needed *ProofNeededError
	d.join("second@example.org", 1) // begins the wait
	_, err = d.Join(t.Context(), d.signup("third@example.org", 1))
	if !errors.As(err, &needed) || needed.After <= 0 {
		t.Fatalf("without a proof: %v", err)
	}
	proven := d.signup("third@example.org", 1)
	proven.Proof = proof
	if place, err := d.Join(t.Context(), proven); err != nil || !place.New {
		t.Fatalf("with a proof: %+v, %v", place, err)
	}
	for range 2 {
		if _, err := d.Join(t.Context(), proven); !errors.Is(err, ErrProof) {
			t.Errorf("the proof counts twice: %v", err)
		}
	}
	d.pass(d.cfg.ChallengeTTL)
	if _, err := d.CheckProof(challenge.Text, nonces); !errors.Is(err, ErrProof) {
		t.Errorf("expired: %v", err)
	}
}

// One proof, many requests at once: one of them gets through.
func TestProofOnceAtOnce(t *testing.T) {
	d := openDesk(t, nil)
	challenge, err := d.NewChallenge()
	if err != nil {
		t.Fatal(err)
	}
	proof, err := d.CheckProof(challenge.Text, Solve(challenge))
	if err != nil {
		t.Fatal(err)
	}
	var through sync.Map
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			in := d.signup(fmt.Sprintf("p%d@example.org", i), 1)
			in.Proof = proof
			if _, err := d.Join(t.Context(), in); err == nil {
				through.Store(i, true)
			} else if !errors.Is(err, ErrProof) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	through.Range(func(any, any) bool { n++; return true })
	if n != 1 || d.status().Signups != 1 {
		t.Errorf("%d got through, %d signups", n, d.status().Signups)
	}
}

// link makes the link of an email's newest mail, as the worker does.
func (d *desk) link(email string, what linkMail) string {
	d.t.Helper()
	token, digest := auth.NewToken(auth.EarlyAccessToken)
	params := pg.AddEarlyAccessLinkParams{TokenDigest: digest, Purpose: string(what.Purpose), EmailKey: emailOf(d.t, email).Key, ExpiresAt: d.Now().Add(24 * time.Hour)}
	if what.Item != "" {
		params.ItemID = &what.Item
	}
	if err := pg.New(d.pool).AddEarlyAccessLink(d.t.Context(), params); err != nil {
		d.t.Fatal(err)
	}
	return token
}

// Where mail is sent, slots that nobody confirms fall free, and who comes too late gets another while there is one.
func TestUnconfirmedSlotsFallFree(t *testing.T) {
	d := openDesk(t, func(c *Config) { c.MailEnabled = true })
	for i := range 25 {
		if slot := d.claim(fmt.Sprintf("f%d@example.org", i)); slot.Full || slot.HeldUntil == nil || !slot.Confirm {
			t.Fatalf("got %+v", slot)
		}
	}
	if !d.claim("late@example.org").Full {
		t.Fatal("a 26th founder")
	}
	done, err := d.Confirm(t.Context(), d.link("f0@example.org", linkMail{Purpose: purposeSignup}))
	if err != nil || done.Slot != 1 || done.Position != 1 {
		t.Fatalf("got %+v, %v", done, err)
	}
	d.pass(d.cfg.ConfirmTTL)
	if got := d.status().Founding; got != (Founding{Total: 25, Taken: 1, Left: 24}) {
		t.Errorf("after the hold: %+v", got)
	}
	// The slot is still f1's as long as nobody else wants it; the waiting list comes in by confirming.
	for i, want := range map[string]int16{"late@example.org": 2, "f2@example.org": 3} {
		if done, err := d.Confirm(t.Context(), d.link(i, linkMail{Purpose: purposeSignup})); err != nil || done.Slot != want {
			t.Errorf("%s: %+v, %v", i, done, err)
		}
	}
	if done, err := d.Confirm(t.Context(), d.link("f1@example.org", linkMail{Purpose: purposeSignup})); err != nil || done.Slot != 4 {
		t.Errorf("who lost a slot by waiting: %+v, %v", done, err)
	}
	if _, err := d.Confirm(t.Context(), "cre_rubbish"); !errors.Is(err, account.ErrLink) {
		t.Errorf("rubbish: %v", err)
	}
}

// A vote counts once its link is opened, and the link works once.
func TestVotesByMail(t *testing.T) {
	d := openDesk(t, func(c *Config) { c.MailEnabled = true })
	ballot := Ballot{Item: "alerts", Email: emailOf(t, "ada@example.org")}
	for range 3 {
		if count, err := d.Vote(t.Context(), ballot); err != nil || !count.Confirm || count.Votes != 0 {
			t.Fatalf("got %+v, %v", count, err)
		}
	}
	token := d.link("ada@example.org", linkMail{Purpose: purposeVote, Item: "alerts"})
	if done, err := d.Confirm(t.Context(), token); err != nil || done.Votes != 1 {
		t.Fatalf("got %+v, %v", done, err)
	}
	if _, err := d.Confirm(t.Context(), token); !errors.Is(err, account.ErrLink) {
		t.Errorf("the link works twice: %v", err)
	}
	if count, err := d.Vote(t.Context(), ballot); err != nil || count.Confirm || count.Votes != 1 {
		t.Errorf("voted already: %+v, %v", count, err)
	}
	ballot.Withdraw = true
	if count, err := d.Vote(t.Context(), ballot); err != nil || !count.Confirm || count.Votes != 1 {
		t.Errorf("withdrawn by a stranger: %+v, %v", count, err)
	}
	if done, err := d.Confirm(t.Context(), d.link("ada@example.org", linkMail{Purpose: purposeUnvote, Item: "alerts"})); err != nil || done.Votes != 0 {
		t.Errorf("got %+v, %v", done, err)
	}
	var mails int
	if err := d.pool.QueryRow(t.Context(), "SELECT count(*) FROM mail_outbox").Scan(&mails); err != nil || mails != 4 {
		t.Errorf("%d mails, %v; want 4", mails, err)
	}
}

func TestTrapped(t *testing.T) {
	d := openDesk(t, nil)
	in := d.signup("robot@example.org", 30)
	in.Trapped = true
	place, err := d.Join(t.Context(), in)
	if err != nil || !place.New || place.Position != 1 || place.Segment != "26-100" {
		t.Errorf("got %+v, %v", place, err)
	}
	if slot, err := d.Claim(t.Context(), in, "Robots"); err != nil || !slot.Full {
		t.Errorf("got %+v, %v", slot, err)
	}
	if status := d.status(); status.Signups != 0 || status.Founding.Taken != 0 {
		t.Errorf("a robot is on the list: %+v", status)
	}
}

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
