package earlyaccess

import (
	"context"
	"encoding/json"
	"fmt"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/mail"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// mailConfirm is the kind of mail whose link confirms something.
const mailConfirm = "early-access.confirm"

// Purpose is what a link confirms.
type Purpose string

// The purposes of links.
const (
	purposeSignup Purpose = "signup"
	purposeVote   Purpose = "vote"
	purposeUnvote Purpose = "unvote"
)

// linkMail is what the outbox keeps of a mail; item is empty for a signup.
type linkMail struct {
	Purpose Purpose `json:"purpose"`
	Item    string  `json:"item,omitempty"`
}

// Renderers make the mails of early access.
func (s *Service) Renderers() map[string]mail.Renderer {
	return map[string]mail.Renderer{mailConfirm: s.renderConfirm}
}

// renderConfirm makes the link, and stores its digest. What has been confirmed meanwhile needs no mail.
func (s *Service) renderConfirm(ctx context.Context, q *pg.Queries, item mail.Item) (*mail.Message, error) {
	var what linkMail
	if err := json.Unmarshal(item.Data, &what); err != nil {
		return nil, fmt.Errorf("read mail data: %w", err)
	}
	email, err := account.ParseEmail(item.To)
	if err != nil {
		return nil, err
	}
	message, err := s.confirmText(ctx, q, email, what)
	if err != nil || message == nil {
		return nil, err
	}
	token, digest := auth.NewToken(auth.EarlyAccessToken)
	link := pg.AddEarlyAccessLinkParams{TokenDigest: digest, Purpose: string(what.Purpose), EmailKey: email.Key, ExpiresAt: s.now().Add(s.cfg.ConfirmTTL)}
	if what.Item != "" {
		link.ItemID = &what.Item
	}
	if err := q.AddEarlyAccessLink(ctx, link); err != nil {
		return nil, fmt.Errorf("store the link: %w", err)
	}
	message.To = item.To
	message.Text += "\n\nOpen this link within " + s.cfg.ConfirmTTL.String() + " to confirm:\n\n" + s.cfg.PublicURL +
		"/early-access/confirm#token=" + token + "\n\nIf it was not you, do nothing.\n"
	return message, nil
}

// confirmText says what is to be confirmed; nil = nothing any more.
func (s *Service) confirmText(ctx context.Context, q *pg.Queries, email account.Email, what linkMail) (*mail.Message, error) {
	if what.Purpose == purposeSignup {
		signup, err := q.FindSignup(ctx, email.Key)
		if store.Missing(err) || err == nil && signup.ConfirmedAt != nil && signup.HeldUntil == nil {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("find the signup: %w", err)
		}
		text := fmt.Sprintf("You are number %d on the early-access list of Corrosion Stats.", signup.Position)
		if signup.Slot > 0 {
			text += fmt.Sprintf(" Founding slot %d is held for you until you confirm.", signup.Slot)
		}
		return &mail.Message{Subject: "Confirm your place on the Corrosion Stats list", Text: text}, nil
	}
	item, err := q.FindRoadmapItem(ctx, pg.FindRoadmapItemParams{EmailKey: email.Key, ID: what.Item})
	if store.Missing(err) || err == nil && item.Voted == (what.Purpose == purposeVote) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the item: %w", err)
	}
	if what.Purpose == purposeUnvote {
		return &mail.Message{Subject: "Take your vote back?", Text: "Somebody, hopefully you, wants to take back your vote for “" + item.Title + "”."}, nil
	}
	return &mail.Message{Subject: "Confirm your vote", Text: "Somebody, hopefully you, voted for “" + item.Title + "” on the Corrosion Stats roadmap. It counts once you confirm it."}, nil
}

// Confirmed is what a link did.
type Confirmed struct {
	Purpose Purpose
	// Position and Slot are a signup's; Slot is 0 where it has none.
	Position int64
	Slot     int16
	// Item and Votes are a vote's.
	Item  string
	Votes int64
}

// Confirm does what a link in a mail stands for, once. It fails with account.ErrLink.
func (s *Service) Confirm(ctx context.Context, token string) (done Confirmed, err error) {
	digest, err := auth.TokenDigest(auth.EarlyAccessToken, token)
	if err != nil {
		return done, account.ErrLink
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		link, err := q.UseEarlyAccessLink(ctx, pg.UseEarlyAccessLinkParams{TokenDigest: digest, Now: s.now()})
		if store.Missing(err) {
			return account.ErrLink
		}
		if err != nil {
			return fmt.Errorf("find the link: %w", err)
		}
		done, err = s.fulfil(ctx, q, link)
		return err
	})
	return done, err
}

func (s *Service) fulfil(ctx context.Context, q *pg.Queries, link pg.UseEarlyAccessLinkRow) (done Confirmed, err error) {
	done.Purpose = Purpose(link.Purpose)
	if link.ItemID != nil {
		done.Item = *link.ItemID
	}
	switch done.Purpose {
	case purposeVote:
		done.Votes, err = q.AddVote(ctx, pg.AddVoteParams{ID: done.Item, EmailKey: link.EmailKey, Now: s.now()})
	case purposeUnvote:
		done.Votes, err = q.RemoveVote(ctx, pg.RemoveVoteParams{ID: done.Item, EmailKey: link.EmailKey})
	default:
		return s.confirmSignup(ctx, q, link.EmailKey)
	}
	return done, store.Wrap("count the vote", err)
}

// confirmSignup confirms the place, and keeps its founding slot; who asked for one and lost it waiting gets another, if
// there is one.
func (s *Service) confirmSignup(ctx context.Context, q *pg.Queries, key string) (Confirmed, error) {
	if _, err := q.LockEarlyAccess(ctx); err != nil {
		return Confirmed{}, fmt.Errorf("lock early access: %w", err)
	}
	signup, err := q.FindSignup(ctx, key)
	if store.Missing(err) {
		return Confirmed{}, account.ErrLink
	}
	if err != nil {
		return Confirmed{}, fmt.Errorf("find the signup: %w", err)
	}
	done := Confirmed{Purpose: purposeSignup, Position: signup.Position, Slot: signup.Slot}
	now := s.now()
	if err := q.ConfirmSignup(ctx, pg.ConfirmSignupParams{Position: signup.Position, Now: now}); err != nil {
		return done, fmt.Errorf("confirm the signup: %w", err)
	}
	if signup.Slot > 0 {
		return done, store.Wrap("keep the founding slot", q.KeepSlot(ctx, &signup.Position))
	}
	if signup.NetworkName == nil {
		return done, nil
	}
	done.Slot, err = q.TakeSlot(ctx, pg.TakeSlotParams{Position: &signup.Position, Now: &now})
	if store.Missing(err) {
		return done, nil
	}
	return done, store.Wrap("take a founding slot", err)
}
