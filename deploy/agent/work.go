package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"corrosion/schema/command"
)

// work does one command from wherever the last try of it ended. What it fails with is a *failure, or the cause that ended
// ctx.
func (a *Agent) work(ctx context.Context, c command.Command) error {
	if c.Action == command.Uninstall {
		return a.uninstall(c)
	}
	return a.install(ctx, c)
}

func (a *Agent) install(ctx context.Context, c command.Command) error {
	if err := a.mayReplace(c); err != nil {
		return err
	}
	if !a.disk.holds(c.File, c.SHA256) {
		if err := a.fetch(ctx, c); err != nil {
			return err
		}
		a.config.Reached("fetched")
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := a.step(c, command.Installing); err != nil {
			return err
		}
		if err := a.place(c); err != nil {
			return onDisk("put the file in place", err)
		}
		a.config.Reached("placed")
	}
	return a.commit(c)
}

// mayReplace refuses a place that is another module's, or that a link or a directory takes.
func (a *Agent) mayReplace(c command.Command) error {
	if owner := a.journal.ownerOf(c.File); owner != "" && owner != c.Module {
		return failed(command.CodeTarget, "%s belongs to the module %s", c.File, owner)
	}
	if _, err := a.disk.look(c.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(command.CodeTarget, "%v", err)
	}
	return nil
}

// fetch sees that the part is the file that was asked for: kept, downloaded before, or downloaded now. A download that was
// resumed may be of two states of the file; one whole one then decides.
func (a *Agent) fetch(ctx context.Context, c command.Command) error {
	part := partName(c.ID)
	if a.disk.holds(keptName(c.SHA256), c.SHA256) {
		return onDisk("copy the kept version", a.disk.copy(keptName(c.SHA256), part))
	}
	if a.disk.holds(part, c.SHA256) {
		return nil
	}
	d := &download{
		client: a.client, config: a.config.Download, disk: a.disk, command: c, part: part,
		progress: func(percent int) { a.progress(c, percent) },
	}
	if err := a.step(c, command.Downloading); err != nil {
		return err
	}
	for resumed := d.size() > 0; ; resumed = false {
		if err := d.run(ctx); err != nil {
			if code := codeOf(err); code == command.CodeDiskFull || code == command.CodeTooBig {
				err = errors.Join(err, d.forget())
			}
			return err
		}
		digest, err := a.disk.digest(part)
		if err != nil {
			return onDisk("read the download", err)
		}
		if digest == c.SHA256 {
			return nil
		}
		if err := d.forget(); err != nil {
			return onDisk("remove what was downloaded", err)
		}
		if !resumed {
			return failed(command.CodeDigest, "the file has the digest %.12s…, not %.12s…: it was not put in place", digest, c.SHA256)
		}
	}
}

// place keeps what is there and puts the part over it.
func (a *Agent) place(c command.Command) error {
	if _, err := a.disk.keep(c.File); err != nil {
		return fmt.Errorf("keep the file that is there: %w", err)
	}
	a.config.Reached("kept")
	part := partName(c.ID)
	if err := a.disk.root.Chmod(part, 0o644); err != nil { // the game server may run as another user
		return err
	}
	if err := a.disk.rename(part, c.File); err != nil {
		return err
	}
	return a.disk.remove(part + ".tag")
}

// commit makes what lies in place the installed version. It may have been put there by a try that was killed.
func (a *Agent) commit(c command.Command) error {
	before := a.journal.module(c.Module)
	next := &holding{ID: c.ID, Module: c.Module, Version: c.Version, File: c.File, SHA256: c.SHA256}
	switch {
	case before == nil:
	case before.SHA256 == c.SHA256 && before.File == c.File:
		next.Before = before.Before
	default:
		kept := *before
		kept.Before = nil
		next.Before = &kept
		if before.File != c.File { // this version's file has another name
			if err := a.retire(before.File); err != nil {
				return onDisk("remove the file of the version before", err)
			}
		}
	}
	return a.settle(c, command.Installed, func(r *record) { r.Modules[c.Module] = next })
}

// retire takes a file out of the plugin directory; a copy is kept.
func (a *Agent) retire(file string) error {
	digest, err := a.disk.keep(file)
	if err != nil || digest == "" {
		return err
	}
	if err := a.disk.remove(file); err != nil {
		return err
	}
	a.disk.sync(".")
	return nil
}

// uninstall makes the disk what it would be without the installation: nothing of it, or the version before.
func (a *Agent) uninstall(c command.Command) error {
	if err := errors.Join(a.disk.remove(partName(c.ID)), a.disk.remove(partName(c.ID)+".tag")); err != nil {
		return onDisk("remove what was downloaded", err)
	}
	now := a.journal.module(c.Module)
	file, ours, want := c.File, false, now
	if now != nil && now.ID == c.ID {
		file, ours, want = now.File, true, nil
		if c.Restore {
			want = now.Before
		}
	}
	if err := a.without(c, file, ours, want); err != nil {
		return onDisk("remove the file", err)
	}
	a.config.Reached("removed")
	return a.settle(c, command.Uninstalled, func(r *record) {
		if want == nil {
			delete(r.Modules, c.Module)
		} else {
			r.Modules[c.Module] = want
		}
	})
}

// without takes the installation's file away and puts want in place. A file that another put there stays.
func (a *Agent) without(c command.Command, file string, ours bool, want *holding) error {
	placed := file != "" && c.SHA256 != "" && a.disk.holds(file, c.SHA256) // by a try that was killed before it could say so
	if want != nil && !a.disk.holds(want.File, want.SHA256) && (ours || placed) {
		if !a.disk.holds(keptName(want.SHA256), want.SHA256) {
			return fmt.Errorf("version %s is not kept any more", want.Version)
		}
		if _, err := a.disk.keep(want.File); err != nil {
			return err
		}
		part := partName(c.ID)
		if err := a.disk.copy(keptName(want.SHA256), part); err != nil {
			return err
		}
		if err := a.disk.root.Chmod(part, 0o644); err != nil {
			return err
		}
		if err := a.disk.rename(part, want.File); err != nil {
			return err
		}
	}
	if file == "" || !ours && !placed || want != nil && want.File == file {
		return nil
	}
	if owner := a.journal.ownerOf(file); owner != "" && owner != c.Module {
		return nil
	}
	return a.retire(file)
}

func codeOf(err error) command.Code {
	var why *failure
	if errors.As(err, &why) {
		return why.code
	}
	return ""
}
