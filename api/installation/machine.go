package installation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"corrosion/schema/command"
)

// Status is how far an installation is.
type Status string

// The states of an installation.
const (
	Pending      Status = "pending"
	Dispatched   Status = "dispatched"
	Downloading  Status = "downloading"
	Installing   Status = "installing"
	Installed    Status = "installed"
	Failed       Status = "failed"
	Cancelled    Status = "cancelled"
	Uninstalling Status = "uninstalling"
	Uninstalled  Status = "uninstalled"
)

// Statuses are all of them, in the order in which they are gone through.
func Statuses() []Status {
	return []Status{Pending, Dispatched, Downloading, Installing, Installed, Failed, Cancelled, Uninstalling, Uninstalled}
}

// moves are all that there are. A status that was lost may be skipped; what is over does not begin again.
func moves(from Status) []Status {
	switch from {
	case Pending:
		return []Status{Dispatched, Failed, Cancelled}
	case Dispatched:
		return []Status{Downloading, Installing, Installed, Failed, Cancelled, Pending, Uninstalling}
	case Downloading:
		return []Status{Installing, Installed, Failed, Pending, Uninstalling}
	case Installing:
		return []Status{Installed, Failed, Pending, Uninstalling}
	case Installed:
		return []Status{Uninstalling, Uninstalled} // the latter where another version has taken its place
	case Failed: // tried again, taken back, or what was given up on silence was done after all
		return []Status{Pending, Installed, Uninstalling, Uninstalled, Cancelled}
	case Uninstalling:
		return []Status{Uninstalled, Cancelled, Failed}
	}
	return nil
}

// Open tells whether something is still to happen.
func (s Status) Open() bool {
	return s == Pending || s == Dispatched || s == Downloading || s == Installing || s == Uninstalling
}

// Goal is what is wanted of an installation.
type Goal string

// The goals. An installation that is cancelled leaves the version before in place.
const (
	Present  Goal = "present"
	Absent   Goal = "absent"
	NeverWas Goal = "cancelled"
)

// Codes of failures that the platform finds itself; the others are the agent's.
const (
	CodeUnreached command.Code = "unreached" // the agent did not take the command before it expired
	CodeSilent    command.Code = "silent"    // the agent took it and said nothing more
	CodeNeeds     command.Code = "needs"     // a module that must be there first is not
)

// State is what the machine decides on.
type State struct {
	Status   Status
	Goal     Goal
	Progress int
	Error    string
	Code     command.Code
	// Attempt counts the commands from 1, Tries the failures of this goal.
	Attempt, Tries int
	// Due is when the next command is to be sent; nil = none is.
	Due *time.Time
	// Deadline is when silence means failure; nil = it means nothing.
	Deadline    *time.Time
	InstalledAt *time.Time
}

// Policy bounds patience.
type Policy struct {
	// Life is how long a command waits for its agent.
	Life time.Duration
	// Silence is how long an agent may say nothing of a command that it took.
	Silence time.Duration
	// MaxTries is how often a goal may fail for a passing reason; Backoff is the wait after the first time, doubled with
	// each.
	MaxTries int
	Backoff  time.Duration
}

// DefaultPolicy waits a day for agents that are away.
func DefaultPolicy() Policy {
	return Policy{Life: 24 * time.Hour, Silence: 15 * time.Minute, MaxTries: 3, Backoff: 30 * time.Second}
}

// ErrIllegal says that an installation cannot go from its status to the one that was asked for.
var ErrIllegal = errors.New("not possible in this status")

// to moves; reasons stand in the row's error where it failed.
func (s State) to(next Status) (State, error) {
	if !slices.Contains(moves(s.Status), next) {
		return s, fmt.Errorf("%w: from %s to %s", ErrIllegal, s.Status, next)
	}
	s.Status = next
	if !next.Open() {
		s.Due, s.Deadline = nil, nil
	}
	return s, nil
}

func at(t time.Time) *time.Time { return &t }

// Asked is a fresh installation whose command is due at once.
func Asked(now time.Time, p Policy) State {
	return State{Status: Pending, Goal: Present, Attempt: 1, Due: at(now), Deadline: at(now.Add(p.Life))}
}

// Sent notes that the command of an attempt is in the stream until expires. A command that was overtaken changes nothing:
// sent is false.
func (s State) Sent(attempt int, expires time.Time) (after State, sent bool) {
	if s.Attempt != attempt || s.Due == nil {
		return s, false
	}
	after = s
	if s.Status == Pending {
		after.Status = Dispatched
	}
	after.Due, after.Deadline = nil, at(expires)
	return after, true
}

// rank orders what an agent says of one attempt.
func rank(s Status) int {
	return slices.Index([]Status{Pending, Dispatched, Downloading, Installing, Installed}, s)
}

// Hear takes what an agent says. Late, doubled and overtaken words change nothing: changed is false.
func (s State) Hear(r command.Report, now time.Time, p Policy) (after State, changed bool) {
	if r.Attempt != 0 && r.Attempt != s.Attempt {
		return s, false
	}
	if s.Due != nil { // it speaks of this attempt, so it has the command, whatever the sender could note
		if r.Attempt == 0 {
			return s, false
		}
		s, _ = s.Sent(s.Attempt, now.Add(p.Silence))
	}
	switch {
	case r.Status == command.Failed:
		return s.hearFailed(r, now, p)
	case s.Goal != Present:
		return s.hearGone(r)
	case r.Status == command.Installed:
		return s.hearInstalled(now)
	}
	return s.hearProgress(r, now, p)
}

func (s State) hearProgress(r command.Report, now time.Time, p Policy) (State, bool) {
	next := Status(r.Status)
	underWay := s.Status == Dispatched || s.Status == Downloading || s.Status == Installing
	if r.Status == command.Uninstalled || !underWay || rank(next) < rank(s.Status) {
		return s, false
	}
	if next == s.Status {
		if r.Progress < s.Progress {
			return s, false
		}
	} else if moved, err := s.to(next); err == nil {
		s = moved
	}
	s.Progress, s.Error, s.Code, s.Deadline = r.Progress, "", "", at(now.Add(p.Silence))
	return s, true
}

func (s State) hearInstalled(now time.Time) (State, bool) {
	after, err := s.to(Installed)
	if err != nil {
		return s, false
	}
	after.Progress, after.Error, after.Code, after.Tries, after.InstalledAt = 100, "", "", 0, at(now)
	return after, true
}

func (s State) hearGone(r command.Report) (State, bool) {
	if r.Status != command.Uninstalled {
		return s, false
	}
	next := Uninstalled
	if s.Goal == NeverWas {
		next = Cancelled
	}
	after, err := s.to(next)
	if err != nil {
		return s, false
	}
	after.Error, after.Code, after.Tries = "", "", 0
	return after, true
}

// hearFailed tries again where that may help.
func (s State) hearFailed(r command.Report, now time.Time, p Policy) (State, bool) {
	if !s.Status.Open() || s.Status == Pending {
		return s, false
	}
	text := "the agent gives no reason"
	if r.Error != nil && *r.Error != "" {
		text = *r.Error
	}
	s.Tries++
	if r.Code.Passing() && s.Tries < p.MaxTries {
		after := s
		if s.Goal == Present {
			after, _ = s.to(Pending)
		}
		wait := p.Backoff << (s.Tries - 1)
		after.Attempt++
		after.Progress, after.Error, after.Code = 0, text, r.Code
		after.Due, after.Deadline = at(now.Add(wait)), at(now.Add(wait+p.Life))
		return after, true
	}
	return s.fail(r.Code, text), true
}

func (s State) fail(code command.Code, text string) State {
	after, err := s.to(Failed)
	if err != nil {
		return s
	}
	after.Error, after.Code = text, code
	return after
}

// Expire ends what silence has decided at now.
func (s State) Expire(now time.Time) (after State, changed bool) {
	if s.Deadline == nil || now.Before(*s.Deadline) || !s.Status.Open() {
		return s, false
	}
	switch s.Status {
	case Pending:
		return s.fail(CodeUnreached, "the command could not be sent in time: NATS was away or the module it needs did not come"), true
	case Dispatched:
		return s.fail(CodeUnreached, "the server's agent did not take the command before it expired"), true
	case Uninstalling:
		return s.fail(CodeUnreached, "the server's agent did not say that the file is gone before the command expired: whether it is there is not known"), true
	}
	return s.fail(CodeSilent, "the server's agent took the command and then said nothing for too long; if it comes back it may still finish"), true
}

// Unneeded fails an installation that waits for a module that will not come.
func (s State) Unneeded(reason string) (after State, changed bool) {
	if s.Status != Pending {
		return s, false
	}
	return s.fail(CodeNeeds, reason), true
}

// Retry begins a failed one again, with the goal that it had.
func (s State) Retry(now time.Time, p Policy) (State, error) {
	if s.Status != Failed {
		return s, fmt.Errorf("%w: only what has failed can be retried, this is %s", ErrIllegal, s.Status)
	}
	next := Pending
	if s.Goal != Present {
		next = Uninstalling
	}
	return s.again(next, s.Goal, now, p)
}

// Remove takes an installation back. What has not been sent is cancelled at once; for all else the agent must act.
func (s State) Remove(now time.Time, p Policy) (State, error) {
	switch s.Status {
	case Pending:
		after, err := s.to(Cancelled)
		after.Goal = NeverWas
		return after, err
	case Installed:
		return s.again(Uninstalling, Absent, now, p)
	case Failed:
		goal := s.Goal
		if goal == Present {
			goal = NeverWas
		}
		return s.again(Uninstalling, goal, now, p)
	}
	return s.again(Uninstalling, NeverWas, now, p)
}

func (s State) again(next Status, goal Goal, now time.Time, p Policy) (State, error) {
	after, err := s.to(next)
	if err != nil {
		return s, err
	}
	after.Goal, after.Attempt, after.Tries = goal, s.Attempt+1, 0
	after.Progress, after.Error, after.Code = 0, "", ""
	after.Due, after.Deadline = at(now), at(now.Add(p.Life))
	return after, nil
}

// Unsent cancels one whose command was taken out of the stream before the agent had it.
func (s State) Unsent() (State, error) {
	after, err := s.to(Cancelled)
	after.Goal = NeverWas
	return after, err
}

// Replaced ends an installed one in whose place another version is.
func (s State) Replaced() (State, error) {
	after, err := s.to(Uninstalled)
	after.Goal = Absent
	return after, err
}
