package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// State is how far an agent is with a command.
type State string

// The states that an agent reports.
const (
	Downloading State = "downloading"
	Installing  State = "installing"
	Installed   State = "installed"
	Failed      State = "failed"
	Uninstalled State = "uninstalled"
)

// Over tells whether no other state of the same attempt follows.
func (s State) Over() bool { return s == Installed || s == Failed || s == Uninstalled }

func (s State) known() bool {
	return s == Downloading || s == Installing || s.Over()
}

// Code is the kind of a failure, for programs.
type Code string

// The kinds of failures that an agent reports.
const (
	CodeExpired  Code = "expired"   // the agent got the command too late, by its own clock
	CodeGone     Code = "http"      // the file's server refused for good
	CodeNetwork  Code = "network"   // the download broke off again and again
	CodeTooSlow  Code = "too-slow"  // it took longer than it may
	CodeTooBig   Code = "too-big"   // the server sent more than the file has
	CodeSize     Code = "size"      // the file ended too early
	CodeDigest   Code = "digest"    // the file is not the one that was asked for
	CodeDiskFull Code = "disk-full" // no room in the plugin directory
	CodeTarget   Code = "target"    // what lies at the file's place may not be replaced
	CodeDisk     Code = "disk"      // the plugin directory does not work
	CodeInvalid  Code = "invalid"   // the command itself
)

// Passing tells whether trying again later may help.
func (c Code) Passing() bool {
	switch c {
	case CodeNetwork, CodeTooSlow, CodeSize, CodeDigest, CodeDiskFull, CodeDisk:
		return true
	}
	return false
}

// Bounds of what agents say.
const (
	MaxStatusBytes = 256 << 10
	MaxError       = 500 // runes
	MaxInventory   = 256
	MaxReports     = 64
)

// Report is the state of one command, alone as a status or within a heartbeat.
type Report struct {
	ID       uuid.UUID `json:"id"`
	Attempt  int       `json:"attempt,omitempty"` // 0 = the agent does not say
	Status   State     `json:"status"`
	Progress int       `json:"progress"` // 0 to 100
	Error    *string   `json:"error"`
	Code     Code      `json:"code,omitempty"`
	At       time.Time `json:"at"`
}

// Status is a message of an agent about one command.
type Status struct {
	Schema int `json:"schema"`
	Report
}

// KindHeartbeat is Heartbeat.Kind.
const KindHeartbeat = "heartbeat"

// Heartbeat says that an agent is there, what lies on its disk, and what became of its latest commands: what was lost
// on the way is heard of with the next one.
type Heartbeat struct {
	Schema  int       `json:"schema"`
	Kind    string    `json:"kind"`
	Agent   string    `json:"agent"` // version
	OS      string    `json:"os"`
	Arch    string    `json:"arch"`
	Started time.Time `json:"started"`
	At      time.Time `json:"at"`
	// Fault is what keeps the agent from working; "" = nothing.
	Fault     string   `json:"fault,omitempty"`
	Installed []Module `json:"installed"`
	Reports   []Report `json:"reports"`
}

// Condition is what became of an installed file.
type Condition string

// The conditions of a file.
const (
	Intact  Condition = "ok"
	Missing Condition = "missing"
	Altered Condition = "altered"
)

// Module is a module on an agent's disk.
type Module struct {
	ID        uuid.UUID `json:"id"`
	Module    string    `json:"module"`
	Version   string    `json:"version"`
	File      string    `json:"file"`
	SHA256    string    `json:"sha256"` // as it lies there; "" = missing
	Condition Condition `json:"condition"`
}

// ErrStatus says that what came on a status subject is none.
var ErrStatus = errors.New("not a status of an agent")

// Message is one of both.
type Message struct {
	Heartbeat *Heartbeat
	Status    *Status
}

// ReadMessage reads what an agent published. Texts are cut to their bounds, a list that is too long is an error, as is
// whatever else could not have come from an agent.
func ReadMessage(payload []byte) (Message, error) {
	if len(payload) > MaxStatusBytes {
		return Message{}, fmt.Errorf("%w: %d bytes", ErrStatus, len(payload))
	}
	var head struct {
		Schema int    `json:"schema"`
		Kind   string `json:"kind"`
	}
	if err := json.Unmarshal(payload, &head); err != nil || head.Schema != Schema {
		return Message{}, fmt.Errorf("%w: schema %d", ErrStatus, head.Schema)
	}
	switch head.Kind {
	case "":
		var s Status
		if err := json.Unmarshal(payload, &s); err != nil {
			return Message{}, fmt.Errorf("%w: %w", ErrStatus, err)
		}
		return Message{Status: &s}, s.Report.tidy()
	case KindHeartbeat:
		var h Heartbeat
		if err := json.Unmarshal(payload, &h); err != nil {
			return Message{}, fmt.Errorf("%w: %w", ErrStatus, err)
		}
		return Message{Heartbeat: &h}, h.tidy()
	}
	return Message{}, fmt.Errorf("%w: kind %.20q", ErrStatus, head.Kind)
}

// tidy bounds a report; what makes no sense is an error.
func (r *Report) tidy() error {
	if r.ID == uuid.Nil || !r.Status.known() || r.Attempt < 0 {
		return fmt.Errorf("%w: status %.20q", ErrStatus, r.Status)
	}
	r.Progress = min(max(r.Progress, 0), 100)
	r.Code = Code(Clip(string(r.Code), 32))
	if r.Error != nil {
		cut := Clip(*r.Error, MaxError)
		r.Error = &cut
	}
	return nil
}

func (h *Heartbeat) tidy() error {
	if len(h.Installed) > MaxInventory || len(h.Reports) > MaxReports {
		return fmt.Errorf("%w: %d modules, %d reports", ErrStatus, len(h.Installed), len(h.Reports))
	}
	h.Agent, h.OS, h.Arch, h.Fault = Clip(h.Agent, 64), Clip(h.OS, 32), Clip(h.Arch, 32), Clip(h.Fault, MaxError)
	for i := range h.Reports {
		if err := h.Reports[i].tidy(); err != nil {
			return err
		}
	}
	for _, m := range h.Installed {
		if m.ID == uuid.Nil || !ValidModule(m.Module) || len(m.Version) > MaxVersion || m.SHA256 != "" && !ValidDigest(m.SHA256) {
			return fmt.Errorf("%w: module %.20q", ErrStatus, m.Module)
		}
		if m.Condition != Intact && m.Condition != Missing && m.Condition != Altered {
			return fmt.Errorf("%w: condition %.20q", ErrStatus, m.Condition)
		}
	}
	return nil
}

// Clip makes a text fit: valid UTF-8 without control characters, of at most most runes.
func Clip(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most])
	}
	return text
}
