package earlyaccess

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"corrosion/api/account"
)

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
