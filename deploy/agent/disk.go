package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"
)

// Where the agent's own things are, below the plugin directory.
const (
	stateDir    = ".corrosion"
	partDir     = stateDir + "/part"
	keptDir     = stateDir + "/kept"
	journalFile = stateDir + "/journal"
	reserveFile = stateDir + "/reserve"
	lockFile    = "lock"
)

// reserveBytes is room for the journal on a disk that is full.
const reserveBytes = 256 << 10

// disk is the plugin directory. Nothing of it reaches outside: names resolve below root, whatever links lie there.
type disk struct {
	root *os.Root
	lock *flock.Flock
}

// openDisk takes the directory for this process.
func openDisk(dir string) (*disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the plugin directory: %w", err)
	}
	d := &disk{root: root}
	if err := d.prepare(dir); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

func (d *disk) prepare(dir string) error {
	for _, name := range []string{stateDir, partDir, keptDir} {
		if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("prepare the plugin directory: %w", err)
		}
		if info, err := d.root.Lstat(name); err != nil || !info.IsDir() {
			return fmt.Errorf("prepare the plugin directory: %s is not a directory", filepath.Join(dir, name))
		}
	}
	d.lock = flock.New(filepath.Join(dir, stateDir, lockFile))
	held, err := d.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock the plugin directory: %w", err)
	}
	if !held {
		return fmt.Errorf("another agent runs on %s", dir)
	}
	return nil
}

func (d *disk) close() error { return errors.Join(d.lock.Unlock(), d.root.Close()) }

func partName(id uuid.UUID) string { return path.Join(partDir, id.String()) }

func keptName(digest string) string { return path.Join(keptDir, digest) }

// look gives a regular file's state; a link, a directory or a device is an error, nothing is fs.ErrNotExist.
func (d *disk) look(name string) (fs.FileInfo, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return info, nil
}

// open opens what look has seen and nothing else.
func (d *disk) open(name string) (*os.File, error) {
	seen, err := d.look(name)
	if err != nil {
		return nil, err
	}
	file, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	if now, err := file.Stat(); err != nil || !os.SameFile(seen, now) {
		return nil, errors.Join(fmt.Errorf("%s changed while it was opened", name), err, file.Close())
	}
	return file, nil
}

// digest is the SHA-256 of a regular file, in hex.
func (d *disk) digest(name string) (string, error) {
	file, err := d.open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// holds tells whether name is a regular file with this digest.
func (d *disk) holds(name, digest string) bool {
	got, err := d.digest(name)
	return err == nil && got == digest
}

// copy makes to a synced copy of from, in one step.
func (d *disk) copy(from, to string) error {
	source, err := d.open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	temp := to + ".tmp"
	if err := d.write(temp, source); err != nil {
		return errors.Join(err, d.remove(temp))
	}
	return d.rename(temp, to)
}

// write makes a synced file of what r has; what was there before is gone first, so that a link is not written through.
func (d *disk) write(name string, r io.Reader) error {
	if err := d.remove(name); err != nil {
		return err
	}
	file, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// rename puts a file in place of another, for good.
func (d *disk) rename(from, to string) error {
	if err := d.root.Rename(from, to); err != nil {
		return err
	}
	d.sync(path.Dir(to))
	if path.Dir(from) != path.Dir(to) {
		d.sync(path.Dir(from))
	}
	return nil
}

// remove is content where there is nothing.
func (d *disk) remove(name string) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync makes names durable, where the system can sync directories.
func (d *disk) sync(dir string) {
	if file, err := d.root.Open(dir); err == nil {
		_ = file.Sync() // Windows and some network file systems refuse
		_ = file.Close()
	}
}

// keep copies a file that is about to go to where it can be put back from, and gives its digest; "" = there is none.
func (d *disk) keep(name string) (string, error) {
	digest, err := d.digest(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if d.holds(keptName(digest), digest) {
		return digest, nil
	}
	if err := d.copy(name, keptName(digest)); err != nil {
		return "", err
	}
	if !d.holds(keptName(digest), digest) {
		return "", fmt.Errorf("%s changes while it is copied", name)
	}
	return digest, nil
}

// names lists a directory of the agent's own.
func (d *disk) names(dir string) ([]string, error) {
	file, err := d.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Readdirnames(-1)
}

// tidy removes downloads that no command is at, and kept versions that nothing refers to and that are older than age.
func (d *disk) tidy(parts, kept map[string]bool, now time.Time, age time.Duration) error {
	names, err := d.names(partDir)
	if err != nil {
		return err
	}
	var faults []error
	for _, name := range names {
		stem := name[:len(name)-len(path.Ext(name))]
		if !parts[stem] {
			faults = append(faults, d.remove(path.Join(partDir, name)))
		}
	}
	if names, err = d.names(keptDir); err != nil {
		return err
	}
	for _, name := range names {
		info, err := d.root.Lstat(keptName(name))
		if err == nil && !kept[name] && now.Sub(info.ModTime()) > age {
			faults = append(faults, d.remove(keptName(name)))
		}
	}
	return errors.Join(faults...)
}

// reserve keeps room for the journal; release gives it up.
func (d *disk) reserve() {
	if info, err := d.root.Lstat(reserveFile); err == nil && info.Size() >= reserveBytes {
		return
	}
	if err := d.root.WriteFile(reserveFile, make([]byte, reserveBytes), 0o600); err != nil {
		_ = d.remove(reserveFile) // no room, as good as none
	}
}

func (d *disk) release() error { return d.remove(reserveFile) }
