package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Schema is the version of commands and statuses.
const Schema = 1

// Action is what a command asks for.
type Action string

// The actions. A rollback is the install of an older version, which the agent may still hold.
const (
	Install   Action = "install"
	Uninstall Action = "uninstall"
)

// Bounds of a command.
const (
	MaxBytes   = 16 << 10 // of the JSON
	MaxURL     = 2048
	MaxVersion = 64
	MaxSize    = 10 << 30 // of a module's file
)

// Command is what the platform asks of an agent.
type Command struct {
	Schema  int       `json:"schema"`
	ID      uuid.UUID `json:"id"` // of the installation
	Action  Action    `json:"action"`
	Module  string    `json:"module"`
	Version string    `json:"version"`
	URL     string    `json:"url,omitempty"`
	SHA256  string    `json:"sha256,omitempty"` // of the file, in hex
	File    string    `json:"file,omitempty"`   // its name in the plugin directory
	Size    int64     `json:"size,omitempty"`   // of the file, bytes; 0 = not known
	// Restore asks an uninstall to put the version before back in place.
	Restore bool      `json:"restore,omitempty"`
	License uuid.UUID `json:"license"`
	Server  string    `json:"server"`
	// Attempt counts the commands of one installation from 1; an agent does each once.
	Attempt int       `json:"attempt"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
}

var (
	modulePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	filePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ValidModule tells a module's slug.
func ValidModule(slug string) bool { return modulePattern.MatchString(slug) }

// ValidDigest tells a SHA-256 in lower-case hex.
func ValidDigest(digest string) bool { return digestPattern.MatchString(digest) }

// ValidFile tells a name that is one file in one directory on every system: no separators, nothing hidden, none of the
// names that Windows keeps for devices.
func ValidFile(name string) bool {
	if !filePattern.MatchString(name) || strings.HasSuffix(name, ".") {
		return false
	}
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	return !slices.Contains(devices(), stem)
}

func devices() []string {
	names := []string{"CON", "PRN", "AUX", "NUL"}
	for n := '1'; n <= '9'; n++ {
		names = append(names, "COM"+string(n), "LPT"+string(n))
	}
	return names
}

// Check names every fault of a command, whoever made it.
func (c *Command) Check() error {
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New(what))
		}
	}
	need(c.Schema == Schema, fmt.Sprintf("schema must be %d", Schema))
	need(c.ID != uuid.Nil, "id is missing")
	need(c.License != uuid.Nil && c.Server != "", "license or server is missing")
	need(c.Attempt >= 1, "attempt must be at least 1")
	need(ValidModule(c.Module), "module is not a slug")
	need(len(c.Version) <= MaxVersion, "version is too long")
	need(!c.Expires.IsZero() && c.Expires.After(c.Issued), "expires must be after issued")
	need(c.File == "" || ValidFile(c.File), "file is not the name of a file")
	switch c.Action {
	case Install:
		need(ValidDigest(c.SHA256), "sha256 must be 64 hex digits")
		need(c.File != "", "file is missing")
		need(c.Version != "", "version is missing")
		need(c.Size >= 0 && c.Size <= MaxSize, "size is out of bounds")
		need(validURL(c.URL), "url must be http or https")
	case Uninstall:
	default:
		need(false, "action is not known")
	}
	return errors.Join(faults...)
}

func validURL(text string) bool {
	if len(text) > MaxURL {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// encode is the one form of a command.
func (c *Command) encode() ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("encode command: %d bytes are more than %d", len(text), MaxBytes)
	}
	return text, nil
}
