package earlyaccess

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"corrosion/api/account"
)

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
