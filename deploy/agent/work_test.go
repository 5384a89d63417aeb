package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema/command"
)

func TestInstallUpdateRollbackUninstall(t *testing.T) {
	dir := t.TempDir()
	a := offline(t, dir)
	first, second := file{"Loot.cs", "version one"}, file{"Loot.cs", "version two"}
	one := first.install("loot", "1.0.0", serving(t, first))
	a.mustRun(t, one, command.Installed)
	wantPlugins(t, dir, first)
	two := second.install("loot", "2.0.0", serving(t, second))
	a.mustRun(t, two, command.Installed)
	wantPlugins(t, dir, second)

	// Back to the version before, whose server is gone: it is kept.
	again := first.install("loot", "1.0.0", "http://127.0.0.1:1/gone")
	a.mustRun(t, again, command.Installed)
	wantPlugins(t, dir, first)
	// Taking the first installation back does nothing: it was replaced.
	a.mustRun(t, removal(two, false), command.Uninstalled)
	wantPlugins(t, dir, first)
	a.mustRun(t, removal(again, false), command.Uninstalled)
	wantPlugins(t, dir)
	if left := a.inventory(); len(left) != 0 {
		t.Errorf("inventory %+v", left)
	}
}

func TestCancelRestoresTheVersionBefore(t *testing.T) {
	dir := t.TempDir()
	a := offline(t, dir)
	first, second := file{"Loot.cs", "version one"}, file{"Loot2.cs", "version two"}
	one := first.install("loot", "1.0.0", serving(t, first))
	a.mustRun(t, one, command.Installed)
	two := second.install("loot", "2.0.0", serving(t, second))
	a.mustRun(t, two, command.Installed)
	wantPlugins(t, dir, second) // under its own name, and the old one is gone
	a.mustRun(t, removal(two, true), command.Uninstalled)
	wantPlugins(t, dir, first)
	if m := a.journal.module("loot"); m == nil || m.ID != one.ID {
		t.Errorf("installed is %+v", m)
	}
}

// A process that ends at any point goes on after the next start, and the file is there once.
func TestKilledAtEachPoint(t *testing.T) {
	old, fresh := file{"Loot.cs", "version one"}, file{"Loot.cs", strings.Repeat("version two ", 1000)}
	for _, point := range []string{"fetched", "kept", "placed", "settled"} {
		for _, then := range []string{"install", "cancel"} {
			t.Run(point+" then "+then, func(t *testing.T) {
				dir := t.TempDir()
				a := offline(t, dir)
				before := old.install("loot", "1.0.0", serving(t, old))
				a.mustRun(t, before, command.Installed)
				c := fresh.install("loot", "2.0.0", serving(t, fresh))
				a.endAt(t, point, c)
				b := offline(t, dir)
				if then == "install" {
					b.resume(t)
					wantPlugins(t, dir, fresh)
					return
				}
				b.mustRun(t, removal(c, true), command.Uninstalled)
				wantPlugins(t, dir, old)
				if m := b.journal.module("loot"); m == nil || m.ID != before.ID {
					t.Errorf("installed is %+v", m)
				}
			})
		}
	}
	t.Run("removed", func(t *testing.T) {
		dir := t.TempDir()
		a := offline(t, dir)
		c := old.install("loot", "1.0.0", serving(t, old))
		a.mustRun(t, c, command.Installed)
		a.endAt(t, "removed", removal(c, false))
		b := offline(t, dir)
		b.resume(t)
		wantPlugins(t, dir)
	})
}

// endAt does a command up to a point, where the process ends.
func (a *Agent) endAt(t *testing.T, point string, c command.Command) {
	t.Helper()
	if _, err := a.journal.accept(c, time.Now()); err != nil {
		t.Fatal(err)
	}
	a.config.Reached = func(at string) {
		if at == point {
			panic(point)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Fatalf("%s was not reached", point)
			}
		}()
		a.do(t.Context(), c)
	}()
	a.stop(t)
}

// resume does what waits after a start.
func (a *Agent) resume(t *testing.T) {
	t.Helper()
	for _, c := range a.journal.waiting() {
		a.do(t.Context(), c)
	}
	for _, r := range a.journal.latest() {
		if r.Status == command.Failed || !r.Status.Over() {
			t.Errorf("after the start: %+v", r)
		}
	}
}

func TestNeverOutsideThePluginDirectory(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret.cs")
	if err := os.WriteFile(secret, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(string) error{
		"a link out":     func(at string) error { return os.Symlink(secret, at) },
		"a link to none": func(at string) error { return os.Symlink(filepath.Join(outside, "new.cs"), at) },
		"a directory":    func(at string) error { return os.Mkdir(at, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := plant(filepath.Join(dir, "Loot.cs")); err != nil {
				t.Skip(err)
			}
			f := file{"Loot.cs", "x"}
			a := offline(t, dir)
			if after := a.run(t, f.install("loot", "1.0.0", serving(t, f))); after.State != command.Failed || after.Code != command.CodeTarget {
				t.Errorf("%s %s", after.State, after.Code)
			}
		})
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "precious" {
		t.Errorf("the file outside: %q %v", text, err)
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 1 {
		t.Errorf("files outside: %v", entries)
	}
	t.Run("its own directory is a link", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink(outside, filepath.Join(dir, stateDir)); err != nil {
			t.Skip(err)
		}
		if _, err := New(quick(dir)); err == nil {
			t.Error("an agent runs on a linked directory")
		}
	})
}

func TestAnotherModulesFileStays(t *testing.T) {
	dir := t.TempDir()
	a := offline(t, dir)
	mine, theirs := file{"Loot.cs", "mine"}, file{"Loot.cs", "theirs"}
	a.mustRun(t, mine.install("loot", "1.0.0", serving(t, mine)), command.Installed)
	if after := a.run(t, theirs.install("other", "1.0.0", serving(t, theirs))); after.Code != command.CodeTarget {
		t.Errorf("%s %s", after.State, after.Code)
	}
	wantPlugins(t, dir, mine)
}

func TestRepeatsAreKnown(t *testing.T) {
	a := offline(t, t.TempDir())
	f := file{"Loot.cs", "x"}
	c := f.install("loot", "1.0.0", serving(t, f))
	a.mustRun(t, c, command.Installed)
	if fresh, err := a.journal.accept(c, time.Now()); fresh || err != nil {
		t.Errorf("again: fresh %v, %v", fresh, err)
	}
	a.mustRun(t, removal(c, false), command.Uninstalled)
	if fresh, err := a.journal.accept(c, time.Now()); fresh || err != nil {
		t.Errorf("the install after its removal: fresh %v, %v", fresh, err)
	}
}

func TestInventoryTellsDrift(t *testing.T) {
	dir := t.TempDir()
	a := offline(t, dir)
	f, g := file{"Loot.cs", "loot"}, file{"Kits.cs", "kits"}
	a.mustRun(t, f.install("loot", "1.0.0", serving(t, f)), command.Installed)
	a.mustRun(t, g.install("kits", "1.0.0", serving(t, g)), command.Installed)
	want := func(loot, kits command.Condition) {
		t.Helper()
		found := map[string]command.Condition{}
		for _, m := range a.inventory() {
			found[m.Module] = m.Condition
		}
		if found["loot"] != loot || found["kits"] != kits {
			t.Errorf("inventory: %v", found)
		}
	}
	want(command.Intact, command.Intact)
	if err := os.WriteFile(filepath.Join(dir, "Loot.cs"), []byte("LOOT"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "Kits.cs")); err != nil {
		t.Fatal(err)
	}
	want(command.Altered, command.Missing)
}

func TestOneAgentADirectory(t *testing.T) {
	dir := t.TempDir()
	a := offline(t, dir)
	if _, err := New(quick(dir)); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent: %v", err)
	}
	a.stop(t)
	other := quick(dir)
	other.License = uuid.New()
	if _, err := New(other); err == nil || !strings.Contains(err.Error(), "belongs to") {
		t.Errorf("another license's agent: %v", err)
	}
}
