package agent

import (
	"errors"
	"io/fs"
	"log/slog"
	"runtime"
	"time"

	"corrosion/schema/command"
)

// beat says what lies on the disk and what became of the latest commands.
func (a *Agent) beat() {
	a.telling.Lock()
	defer a.telling.Unlock()
	installed := a.inventory()
	a.mu.Lock()
	fault := a.fault
	a.mu.Unlock()
	a.publish(command.Heartbeat{
		Schema: command.Schema, Kind: command.KindHeartbeat, Agent: a.config.Version, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Started: a.started, At: a.config.Now(), Fault: fault, Installed: installed, Reports: a.journal.latest(),
	})
}

// hashed is a digest and when it was taken of what.
type hashed struct {
	size     int64
	modified time.Time
	at       time.Time
	digest   string
}

// inventory compares the disk with the journal.
func (a *Agent) inventory() []command.Module {
	list := []command.Module{}
	for _, h := range a.journal.holdings() {
		if len(list) == command.MaxInventory || h.Version == "" {
			continue
		}
		m := command.Module{ID: h.ID, Module: h.Module, Version: h.Version, File: h.File, Condition: command.Intact}
		digest, err := a.digest(h.File)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			m.Condition = command.Missing
		case err != nil || digest != h.SHA256:
			m.Condition = command.Altered
		}
		m.SHA256 = digest
		list = append(list, m)
	}
	return list
}

// digest reads a file only where it may have changed since it was read last, or after Rehash.
func (a *Agent) digest(file string) (string, error) {
	info, err := a.disk.look(file)
	if err != nil {
		return "", err
	}
	now := a.config.Now()
	a.mu.Lock()
	known := a.hashes[file]
	a.mu.Unlock()
	// What changed within the last seconds may change again without another time of change.
	settled := known.at.Sub(known.modified) > 2*time.Second
	if settled && known.size == info.Size() && known.modified.Equal(info.ModTime()) && now.Sub(known.at) < a.config.Rehash {
		return known.digest, nil
	}
	digest, err := a.disk.digest(file)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hashes[file] = hashed{info.Size(), info.ModTime(), now, digest}
	return digest, nil
}

// incident logs a repeated fault at most once a minute, with how often it was.
type incident struct {
	log  *slog.Logger
	what string
	now  func() time.Time

	last  time.Time
	count int
}

const incidentEvery = time.Minute

func (i *incident) report(err error) {
	i.count++
	if now := i.now(); now.Sub(i.last) >= incidentEvery {
		i.log.Warn(i.what, "error", err, "times", i.count)
		i.last, i.count = now, 0
	}
}
