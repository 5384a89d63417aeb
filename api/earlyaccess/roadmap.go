package earlyaccess

import (
	"context"
	"fmt"
	"time"

	"corrosion/api/account"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Milestone is one point of the launch timeline.
type Milestone struct {
	ID, Title, Description string
	At                     time.Time
	// Launch tells the launch itself.
	Launch bool
}

// Roadmap is what is planned, being built and shipped, and when what happens.
type Roadmap struct {
	Items    []pg.ListRoadmapRow
	Timeline []Milestone
}

// Roadmap reads it.
func (s *Service) Roadmap(ctx context.Context) (r Roadmap, err error) {
	q := s.store.Queries()
	if r.Items, err = q.ListRoadmap(ctx); err != nil {
		return r, fmt.Errorf("list the roadmap: %w", err)
	}
	rows, err := q.ListTimeline(ctx)
	if err != nil {
		return r, fmt.Errorf("list the timeline: %w", err)
	}
	for _, row := range rows {
		m := Milestone{ID: row.ID, Title: row.Title, Description: row.Description, At: s.cfg.LaunchAt, Launch: row.HappensAt == nil}
		if row.HappensAt != nil {
			m.At = *row.HappensAt
		}
		r.Timeline = append(r.Timeline, m)
	}
	return r, nil
}

// Ballot is a person's say on an item.
type Ballot struct {
	Item  string
	Email account.Email
	Asker
	// Withdraw takes the vote back.
	Withdraw bool
}

// Count is what came of a ballot.
type Count struct {
	// Votes are those that the item has now.
	Votes int64
	// Confirm tells that it counts once the link in a mail is opened.
	Confirm bool
}

// Vote counts a vote or takes it back; again changes nothing. Where mail is sent it counts once it is confirmed. It fails
// like Join, and with ErrItem.
func (s *Service) Vote(ctx context.Context, in Ballot) (count Count, err error) {
	if err := s.admit(ctx, kindVote, in.Asker); err != nil {
		return count, err
	}
	changed, mailed := false, false
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		if err := s.spend(ctx, q, in.Asker); err != nil {
			return err
		}
		item, err := q.FindRoadmapItem(ctx, pg.FindRoadmapItemParams{ID: in.Item, EmailKey: in.Email.Key})
		if store.Missing(err) {
			return ErrItem
		}
		if err != nil {
			return fmt.Errorf("find the item: %w", err)
		}
		count = Count{Votes: item.Votes}
		if in.Trapped || item.Voted != in.Withdraw {
			return nil // a robot, or as it is already
		}
		changed = true
		if s.cfg.MailEnabled {
			count.Confirm = true
			mailed, err = s.mailBallot(ctx, q, in)
			return err
		}
		count.Votes, err = s.cast(ctx, q, in)
		return err
	})
	if err != nil {
		return Count{}, s.refused(kindVote, err)
	}
	s.settled(kindVote, changed, mailed)
	return count, nil
}

func (s *Service) cast(ctx context.Context, q *pg.Queries, in Ballot) (votes int64, err error) {
	if in.Withdraw {
		votes, err = q.RemoveVote(ctx, pg.RemoveVoteParams{ID: in.Item, EmailKey: in.Email.Key})
	} else {
		votes, err = q.AddVote(ctx, pg.AddVoteParams{ID: in.Item, EmailKey: in.Email.Key, Now: s.now()})
	}
	return votes, store.Wrap("count the vote", err)
}

// mailBallot asks the owner of the email; false = too many mails went there already.
func (s *Service) mailBallot(ctx context.Context, q *pg.Queries, in Ballot) (bool, error) {
	quiet, err := s.tooManyMails(ctx, in.Email)
	if err != nil || quiet {
		return false, err
	}
	purpose := purposeVote
	if in.Withdraw {
		purpose = purposeUnvote
	}
	return true, s.askToConfirm(ctx, q, in.Email, linkMail{Purpose: purpose, Item: in.Item})
}
