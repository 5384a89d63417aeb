package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// nobody is the ordinary user's id where the system names none.
const nobody = 65534

// outsideRoot is where a cluster goes that an ordinary user could not reach.
const outsideRoot = "/var/lib/corrosion-local"

// ordinaryUser is whom PostgreSQL runs as: it refuses to run as root.
type ordinaryUser struct {
	uid, gid int
	// switched: we are root and must become this user.
	switched bool
	// passage is the capability that opens directories only root may enter.
	passage []uintptr
}

// chooseUser returns ourselves, or for root the owner of existing data, or nobody.
func chooseUser(data string) (ordinaryUser, error) {
	if os.Geteuid() != 0 {
		return ordinaryUser{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	u := ordinaryUser{uid: nobody, gid: nobody, switched: true, passage: passageCapability()}
	if known, err := user.Lookup("nobody"); err == nil {
		u.uid, _ = strconv.Atoi(known.Uid)
		u.gid, _ = strconv.Atoi(known.Gid)
	}
	info, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err != nil {
		return u, err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
		u.uid, u.gid = int(owner.Uid), int(owner.Gid)
	}
	return u, nil
}

// apply makes a process run as the user.
func (u ordinaryUser) apply(attr *syscall.SysProcAttr) {
	if !u.switched {
		return
	}
	attr.Credential = &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid)}
	setAmbient(attr, u.passage)
}

// own gives path and all below it to the user, where it is not so already.
func (u ordinaryUser) own(path string) error {
	if !u.switched {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) == u.uid {
		return nil
	}
	var names []string
	err = filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	// From the leaves up: a root without CAP_DAC_OVERRIDE shuts itself out.
	for _, name := range slices.Backward(names) {
		err = errors.Join(err, os.Lchown(name, u.uid, u.gid))
	}
	if err != nil {
		return fmt.Errorf("give files to user %d: %w", u.uid, err)
	}
	return nil
}

// reaches reports whether the user can enter dir and every directory above it.
func (u ordinaryUser) reaches(dir string) bool {
	if !u.switched || len(u.passage) > 0 {
		return true
	}
	for {
		info, err := os.Stat(dir)
		if err != nil || !u.enters(info) {
			return false
		}
		up := filepath.Dir(dir)
		if up == dir {
			return true
		}
		dir = up
	}
}

func (u ordinaryUser) enters(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && int(owner.Uid) == u.uid:
		return info.Mode()&0o100 != 0
	case ok && int(owner.Gid) == u.gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}

// outsideDir names a directory of its own for each data directory.
func outsideDir(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(outsideRoot, hex.EncodeToString(sum[:6]))
}
