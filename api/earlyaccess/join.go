package earlyaccess

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corrosion/api/account"
	"corrosion/api/mail"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Signup is somebody who wants to be there. The fields have been checked.
type Signup struct {
	Email account.Email
	// ServerCount is 1 to MaxServers.
	ServerCount int32
	Asker
}

// MaxServers bounds how many servers somebody may say to have.
const MaxServers = 1_000_000

// Segments are the groups of signups by their number of servers, as the column segment makes them.
func Segments() []string { return []string{"1", "2-5", "6-25", "26-100", "101+"} }

// Place is where somebody stands on the list.
type Place struct {
	Position int64
	Segment  string
	// New tells that the email was not on the list before.
	New bool
	// Confirm tells that a mail with a link is on its way.
	Confirm bool
}

// Join puts an email on the list, once. It fails with a ProofNeededError, an account.ThrottledError or ErrProof.
func (s *Service) Join(ctx context.Context, in Signup) (place Place, err error) {
	if err := s.admit(ctx, kindSignup, in.Asker); err != nil {
		return place, err
	}
	if in.Trapped {
		return s.pretend(ctx, in)
	}
	quiet, err := s.tooManyMails(ctx, in.Email)
	if err != nil {
		return place, err
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		if err := s.spend(ctx, q, in.Asker); err != nil {
			return err
		}
		place, err = s.seat(ctx, q, in, nil)
		if err != nil || !place.Confirm || quiet {
			return err
		}
		return s.askToConfirm(ctx, q, in.Email, linkMail{Purpose: purposeSignup})
	})
	if err != nil {
		return Place{}, s.refused(kindSignup, err)
	}
	s.settled(kindSignup, place.New, place.Confirm)
	return place, nil
}

// pretend answers a robot as if it had joined.
func (s *Service) pretend(ctx context.Context, in Signup) (Place, error) {
	s.count(kindSignup, "trapped")
	status, err := s.Status(ctx)
	return Place{Position: status.Signups + 1, Segment: segmentOf(in.ServerCount), New: true, Confirm: s.cfg.MailEnabled}, err
}

// segmentOf is what the column segment would be.
func segmentOf(servers int32) string {
	for i, most := range []int32{1, 5, 25, 100} {
		if servers <= most {
			return Segments()[i]
		}
	}
	return Segments()[len(Segments())-1]
}

// seat finds the place of an email or gives it the next one. network is nil for who does not ask for a founding slot.
func (s *Service) seat(ctx context.Context, q *pg.Queries, in Signup, network *string) (Place, error) {
	change := pg.ChangeSignupParams{EmailKey: in.Email.Key, ServerCount: in.ServerCount, NetworkName: network}
	row, err := q.ChangeSignup(ctx, change)
	if store.Missing(err) {
		// Not there: look again once nobody else can add it.
		if _, err := q.LockEarlyAccess(ctx); err != nil {
			return Place{}, fmt.Errorf("lock early access: %w", err)
		}
		row, err = q.ChangeSignup(ctx, change)
	}
	isNew := store.Missing(err)
	if isNew {
		var added pg.AddSignupRow
		added, err = q.AddSignup(ctx, pg.AddSignupParams{
			Email: in.Email.Address, EmailKey: in.Email.Key, ServerCount: in.ServerCount, NetworkName: network, Now: s.now(),
		})
		row = pg.ChangeSignupRow(added)
	}
	if err != nil {
		return Place{}, fmt.Errorf("store the signup: %w", err)
	}
	return Place{Position: row.Position, Segment: row.Segment, New: isNew, Confirm: s.cfg.MailEnabled && row.ConfirmedAt == nil}, nil
}

// refused counts why a request came to nothing.
func (s *Service) refused(kind string, err error) error {
	switch {
	case errors.Is(err, ErrProof):
		s.count(kind, "bad-proof")
	case !errors.Is(err, ErrItem):
		s.count(kind, "failed")
	}
	return err
}

// settled counts what a request came to and sends the mail on its way.
func (s *Service) settled(kind string, isNew, mailed bool) {
	result := "again"
	if isNew {
		result = "new"
	}
	s.count(kind, result)
	if mailed {
		s.wake()
	}
}

// Slot is what came of a founding claim.
type Slot struct {
	// Number is 1 to the number of slots; meaningful unless Full.
	Number int16
	// Full tells that there was none left: the email is on the list.
	Full bool
	Place
	// HeldUntil is when the slot falls free unless the email is confirmed; nil = it does not.
	HeldUntil *time.Time
}

// Claim takes a founding slot, one an email, and puts the email on the list either way. New tells that the slot was not
// the email's before. It fails like Join.
func (s *Service) Claim(ctx context.Context, in Signup, network string) (slot Slot, err error) {
	if err := s.admit(ctx, kindFounding, in.Asker); err != nil {
		return slot, err
	}
	if in.Trapped {
		s.count(kindFounding, "trapped")
		return Slot{Full: true}, nil
	}
	quiet, err := s.tooManyMails(ctx, in.Email)
	if err != nil {
		return slot, err
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		if err := s.spend(ctx, q, in.Asker); err != nil {
			return err
		}
		if _, err := q.LockEarlyAccess(ctx); err != nil {
			return fmt.Errorf("lock early access: %w", err)
		}
		place, err := s.seat(ctx, q, in, &network)
		if err != nil {
			return err
		}
		if slot, err = s.takeSlot(ctx, q, place); err != nil || quiet || !s.cfg.MailEnabled || !slot.New && !place.Confirm {
			return err
		}
		return s.askToConfirm(ctx, q, in.Email, linkMail{Purpose: purposeSignup})
	})
	if err != nil {
		return Slot{}, s.refused(kindFounding, err)
	}
	if slot.Full {
		s.count(kindFounding, "full")
		return slot, nil
	}
	s.settled(kindFounding, slot.New, s.cfg.MailEnabled)
	return slot, nil
}

// takeSlot gives a place the slot that it has, or the first one free. The caller has locked early access.
func (s *Service) takeSlot(ctx context.Context, q *pg.Queries, place Place) (Slot, error) {
	now := s.now()
	slot := Slot{Place: place}
	slot.New = false
	if s.cfg.MailEnabled {
		until := now.Add(s.cfg.ConfirmTTL)
		slot.HeldUntil, slot.Confirm = &until, true
	}
	held, err := q.HoldSlot(ctx, pg.HoldSlotParams{Now: now, Hold: slot.HeldUntil, Position: &place.Position})
	if err == nil {
		slot.Number, slot.HeldUntil, slot.Confirm = held.Slot, held.HeldUntil, held.HeldUntil != nil
		return slot, nil
	}
	if store.Missing(err) {
		slot.New = true
		slot.Number, err = q.TakeSlot(ctx, pg.TakeSlotParams{Position: &place.Position, Now: &now, Hold: slot.HeldUntil})
	}
	if store.Missing(err) {
		return Slot{Full: true, Place: place}, nil
	}
	return slot, store.Wrap("take a founding slot", err)
}

// tooManyMails counts a mail to an email and tells whether it is one too many, which nobody is told.
func (s *Service) tooManyMails(ctx context.Context, email account.Email) (bool, error) {
	if !s.cfg.MailEnabled {
		return false, nil
	}
	err := s.cfg.Mail.Count(ctx, s.store.Queries(), s.now(), "early-mail", email.Key)
	var slowed *account.ThrottledError
	if errors.As(err, &slowed) {
		return true, nil
	}
	return false, err
}

// askToConfirm puts the mail with the link into the outbox.
func (s *Service) askToConfirm(ctx context.Context, q *pg.Queries, email account.Email, what linkMail) error {
	return mail.Enqueue(ctx, q, s.now(), mailConfirm, email.Mailbox, what)
}
