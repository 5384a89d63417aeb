package installation

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"corrosion/schema/command"
)

var begin = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func report(attempt int, status command.State, progress int) command.Report {
	return command.Report{Attempt: attempt, Status: status, Progress: progress}
}

func failure(attempt int, code command.Code) command.Report {
	text := "because"
	return command.Report{Attempt: attempt, Status: command.Failed, Code: code, Error: &text}
}

// sent is an installation whose first command is out.
func sent(p Policy) State {
	s, _ := Asked(begin, p).Sent(1, begin.Add(p.Life))
	return s
}

func TestTheWayToInstalled(t *testing.T) {
	p := DefaultPolicy()
	s := Asked(begin, p)
	if s.Status != Pending || s.Due == nil {
		t.Fatalf("new: %+v", s)
	}
	s = sent(p)
	for _, r := range []command.Report{
		report(1, command.Downloading, 0), report(1, command.Downloading, 40), report(1, command.Installing, 100), report(1, command.Installed, 100),
	} {
		next, changed := s.Hear(r, begin, p)
		if !changed || next.Status != Status(r.Status) {
			t.Fatalf("%s: %+v", r.Status, next)
		}
		if again, changed := next.Hear(r, begin, p); changed && again.Status != next.Status {
			t.Errorf("%s twice: %+v", r.Status, again)
		}
		s = next
	}
	if s.Deadline != nil || s.InstalledAt == nil || s.Progress != 100 {
		t.Errorf("installed: %+v", s)
	}
	for _, late := range []command.Report{report(1, command.Downloading, 10), report(1, command.Installing, 100), failure(1, command.CodeDigest), report(1, command.Uninstalled, 0)} {
		if after, changed := s.Hear(late, begin, p); changed {
			t.Errorf("late %s: %+v", late.Status, after)
		}
	}
}

func TestHear(t *testing.T) {
	p := DefaultPolicy()
	f := func(name string, s State, r command.Report, want Status, changed bool) State {
		t.Helper()
		after, did := s.Hear(r, begin, p)
		if after.Status != want || did != changed {
			t.Errorf("%s: %s, changed %v", name, after.Status, did)
		}
		return after
	}
	f("the sender died before it noted", Asked(begin, p), report(1, command.Downloading, 5), Downloading, true)
	f("of an attempt that is not ours", sent(p), report(2, command.Installed, 100), Dispatched, false)
	f("without an attempt", sent(p), report(0, command.Installed, 100), Installed, true)
	again := f("a passing failure", sent(p), failure(1, command.CodeNetwork), Pending, true)
	if again.Attempt != 2 || again.Tries != 1 || !again.Due.Equal(begin.Add(p.Backoff)) || again.Error != "because" {
		t.Errorf("tried again: %+v", again)
	}
	f("the failure again", again, failure(1, command.CodeNetwork), Pending, false)
	f("a failure for good", sent(p), failure(1, command.CodeGone), Failed, true)
	tired := sent(p)
	tired.Tries = p.MaxTries - 1
	f("the last passing failure", tired, failure(1, command.CodeNetwork), Failed, true)

	silent, _ := sent(p).Hear(report(1, command.Downloading, 5), begin, p)
	silent, expired := silent.Expire(begin.Add(p.Silence))
	if !expired || silent.Status != Failed || silent.Code != CodeSilent {
		t.Fatalf("silence: %+v", silent)
	}
	f("done after all", silent, report(1, command.Installed, 100), Installed, true)
}

func TestRemove(t *testing.T) {
	p := DefaultPolicy()
	f := func(name string, s State, want Status, goal Goal) State {
		t.Helper()
		after, err := s.Remove(begin, p)
		if err != nil || after.Status != want || after.Goal != goal {
			t.Errorf("%s: %s %s %v", name, after.Status, after.Goal, err)
		}
		return after
	}
	f("not sent", Asked(begin, p), Cancelled, NeverWas)
	underWay := f("sent", sent(p), Uninstalling, NeverWas)
	installed, _ := sent(p).Hear(report(1, command.Installed, 100), begin, p)
	leaving := f("installed", installed, Uninstalling, Absent)
	for _, s := range []State{underWay, leaving} {
		if s.Attempt != 2 || s.Due == nil {
			t.Errorf("no command is due: %+v", s)
		}
	}
	if s, changed := underWay.Hear(report(1, command.Installed, 100), begin, p); changed {
		t.Errorf("the word of the first command: %+v", s)
	}
	if s, _ := underWay.Hear(report(2, command.Uninstalled, 0), begin, p); s.Status != Cancelled {
		t.Errorf("cancelled: %+v", s)
	}
	gone, _ := leaving.Hear(report(2, command.Uninstalled, 0), begin, p)
	if gone.Status != Uninstalled {
		t.Errorf("uninstalled: %+v", gone)
	}
	for _, s := range []State{gone, {Status: Cancelled}} {
		if _, err := s.Remove(begin, p); !errors.Is(err, ErrIllegal) {
			t.Errorf("%s was removed: %v", s.Status, err)
		}
		if _, err := s.Retry(begin, p); !errors.Is(err, ErrIllegal) {
			t.Errorf("%s was retried: %v", s.Status, err)
		}
	}
	failed, _ := leaving.Expire(begin.Add(p.Life))
	if again, err := failed.Retry(begin, p); err != nil || again.Status != Uninstalling || again.Goal != Absent {
		t.Errorf("uninstall retried: %+v %v", again, err)
	}
}

// Whatever is said in whatever order: only moves of the table are made, attempts never go back, something that is open has
// either a command to send or a deadline, and what is over has neither.
func TestAnyOrderOfWords(t *testing.T) {
	p := DefaultPolicy()
	rapid.Check(t, func(t *rapid.T) {
		s, now := Asked(begin, p), begin
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			before := s
			now = now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				s, _ = s.Sent(rapid.IntRange(1, 6).Draw(t, "attempt"), now.Add(p.Life))
			case 1:
				s, _ = s.Expire(now)
			case 2:
				s, _ = s.Remove(now, p)
			case 3:
				s, _ = s.Retry(now, p)
			default:
				states := []command.State{command.Downloading, command.Installing, command.Installed, command.Failed, command.Uninstalled}
				codes := []command.Code{"", command.CodeNetwork, command.CodeGone}
				s, _ = s.Hear(command.Report{
					Attempt: rapid.IntRange(0, 6).Draw(t, "of"), Status: rapid.SampledFrom(states).Draw(t, "said"),
					Code: rapid.SampledFrom(codes).Draw(t, "code"), Progress: rapid.IntRange(0, 100).Draw(t, "progress"),
				}, now, p)
			}
			legal := s.Status == before.Status || slices.Contains(moves(before.Status), s.Status) ||
				before.Status == Pending && slices.Contains(moves(Dispatched), s.Status) // sent, and heard of before it was noted
			if !legal {
				t.Fatalf("from %s to %s", before.Status, s.Status)
			}
			if s.Attempt < before.Attempt {
				t.Fatalf("attempt %d after %d", s.Attempt, before.Attempt)
			}
			if s.Status.Open() != (s.Deadline != nil) || !s.Status.Open() && s.Due != nil {
				t.Fatalf("%s with deadline %v, due %v", s.Status, s.Deadline, s.Due)
			}
			if s.Status == Failed && s.Error == "" && s.Code == "" {
				t.Fatal("failed without a reason")
			}
		}
	})
}
