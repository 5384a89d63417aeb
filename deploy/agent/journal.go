package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"corrosion/schema/command"
)

// job is a command that was accepted and how far it is.
type job struct {
	Command command.Command `json:"command"`
	State   command.State   `json:"state,omitempty"` // "" = not begun
	Error   string          `json:"error,omitempty"`
	Code    command.Code    `json:"code,omitempty"`
	At      time.Time       `json:"at"`
	// progress is not worth a sync.
	progress int
}

// over tells whether nothing is left to do.
func (j *job) over() bool { return j.State.Over() }

func (j *job) report() command.Report {
	r := command.Report{
		ID: j.Command.ID, Attempt: j.Command.Attempt, Status: j.State, Progress: j.progress, Code: j.Code, At: j.At,
	}
	switch j.State {
	case "":
		r.Status = command.Downloading
		if j.Command.Action == command.Uninstall {
			r.Status = ""
		}
	case command.Installing, command.Installed:
		r.Progress = 100
	}
	if j.Error != "" {
		r.Error = &j.Error
	}
	return r
}

// holding is a version of a module in the plugin directory. Version "" is a file that was there before any module.
type holding struct {
	ID      uuid.UUID `json:"id"`
	Module  string    `json:"module"`
	Version string    `json:"version"`
	File    string    `json:"file"`
	SHA256  string    `json:"sha256"`
	// Before is the last good version; its file is kept.
	Before *holding `json:"before,omitempty"`
}

// record is the journal's content.
type record struct {
	Schema  int                 `json:"schema"`
	License uuid.UUID           `json:"license"`
	Server  string              `json:"server"`
	Jobs    []*job              `json:"jobs"` // in the order in which they were accepted
	Modules map[string]*holding `json:"modules"`
}

// journal is what the agent knows, on the disk before it counts. It is safe for concurrent use.
type journal struct {
	disk *disk

	mu     sync.Mutex // covers record
	record record
}

// jobsKept bounds the commands that are remembered, those that have expired first to go: by then nobody can repeat them.
const jobsKept = 300

// openJournal reads what was written last. A directory belongs to one server's agent.
func openJournal(d *disk, license uuid.UUID, server string) (*journal, error) {
	j := &journal{disk: d, record: record{Schema: command.Schema, License: license, Server: server}}
	text, err := d.root.ReadFile(journalFile)
	if err == nil {
		err = json.Unmarshal(text, &j.record)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read the journal %s: %w: move it away to begin anew", journalFile, err)
	case j.record.Schema != command.Schema:
		return nil, fmt.Errorf("read the journal %s: schema %d is of another version of the agent", journalFile, j.record.Schema)
	case j.record.License != license || j.record.Server != server:
		return nil, fmt.Errorf("the plugin directory belongs to the agent of server %s of license %s", j.record.Server, j.record.License)
	}
	if j.record.Modules == nil {
		j.record.Modules = map[string]*holding{}
	}
	d.reserve()
	return j, j.save()
}

// save replaces the file; on a full disk the reserve makes room once.
func (j *journal) save() error {
	text, err := json.Marshal(&j.record)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	err = j.replace(text)
	if err != nil && isFull(err) {
		if err = j.disk.release(); err == nil {
			err = j.replace(text)
		}
	}
	return onDisk("write the journal", err)
}

func (j *journal) replace(text []byte) error {
	temp := journalFile + ".tmp"
	if err := j.disk.write(temp, bytes.NewReader(text)); err != nil {
		return errors.Join(err, j.disk.remove(temp))
	}
	return j.disk.rename(temp, journalFile)
}

// change changes the record and writes it; what could not be written is undone.
func (j *journal) change(do func(*record)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	before, err := json.Marshal(&j.record)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	do(&j.record)
	if err := j.save(); err != nil {
		undone := record{}
		if again := json.Unmarshal(before, &undone); again != nil {
			return errors.Join(err, again)
		}
		j.record = undone
		return err
	}
	return nil
}

func (r *record) find(id uuid.UUID) *job {
	for _, one := range r.Jobs {
		if one.Command.ID == id {
			return one
		}
	}
	return nil
}

// accept writes a command down. fresh is false for one that was there already, or that a later one has overtaken.
func (j *journal) accept(c command.Command, now time.Time) (fresh bool, err error) {
	if known, ok := j.job(c.ID); ok && known.Command.Attempt >= c.Attempt {
		return false, nil
	}
	return true, j.change(func(r *record) {
		next := &job{Command: c, At: now}
		r.Jobs = slices.DeleteFunc(r.Jobs, func(old *job) bool { return old.Command.ID == c.ID })
		r.forget(now)
		r.Jobs = append(r.Jobs, next)
	})
}

// forget drops what is over and has expired, the oldest first, down to the bound.
func (r *record) forget(now time.Time) {
	excess := len(r.Jobs) + 1 - jobsKept
	r.Jobs = slices.DeleteFunc(r.Jobs, func(old *job) bool {
		if excess <= 0 || !old.over() || now.Before(old.Command.Expires) {
			return false
		}
		excess--
		return true
	})
}

// job gives a copy of what is known of an installation's latest command.
func (j *journal) job(id uuid.UUID) (job, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if found := j.record.find(id); found != nil {
		return *found, true
	}
	return job{}, false
}

// step notes how far the command of an attempt is; current is false where another has taken its place.
func (j *journal) step(id uuid.UUID, attempt int, now time.Time, do func(*job)) (after job, current bool, err error) {
	if now, ok := j.job(id); !ok || now.Command.Attempt != attempt {
		return now, false, nil
	}
	err = j.change(func(r *record) {
		if found := r.find(id); found != nil {
			do(found)
			found.At = now
			after = *found
		}
	})
	return after, err == nil, err
}

// progress is kept in memory alone.
func (j *journal) progress(id uuid.UUID, attempt, percent int) (after job, current bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := j.record.find(id)
	if found == nil || found.Command.Attempt != attempt || found.over() {
		return job{}, false
	}
	found.progress = percent
	return *found, true
}

// waiting are the commands that are not over, in order.
func (j *journal) waiting() (waiting []command.Command) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range j.record.Jobs {
		if !one.over() {
			waiting = append(waiting, one.Command)
		}
	}
	return waiting
}

// latest are reports of the commands accepted or changed last.
func (j *journal) latest() []command.Report {
	j.mu.Lock()
	defer j.mu.Unlock()
	jobs := slices.Clone(j.record.Jobs)
	slices.SortStableFunc(jobs, func(a, b *job) int { return b.At.Compare(a.At) })
	reports := []command.Report{}
	for _, one := range jobs {
		if report := one.report(); report.Status != "" && len(reports) < command.MaxReports {
			reports = append(reports, report)
		}
	}
	return reports
}

// module gives what is installed of a module, nil = nothing.
func (j *journal) module(slug string) *holding {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.record.Modules[slug]
}

// holdings are all that is installed, in the order of their names.
func (j *journal) holdings() (all []*holding) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, h := range j.record.Modules {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *holding) int { return bytes.Compare([]byte(a.Module), []byte(b.Module)) })
	return all
}

// ownerOf is the module whose file that is; "" = nobody's.
func (j *journal) ownerOf(file string) string {
	for _, h := range j.holdings() {
		if h.File == file {
			return h.Module
		}
	}
	return ""
}

// referred are the downloads and kept versions that something needs.
func (j *journal) referred() (parts, kept map[string]bool) {
	parts, kept = map[string]bool{}, map[string]bool{}
	for _, c := range j.waiting() {
		parts[c.ID.String()] = true
	}
	for _, h := range j.holdings() {
		for ; h != nil; h = h.Before {
			kept[h.SHA256] = true
		}
	}
	return parts, kept
}
