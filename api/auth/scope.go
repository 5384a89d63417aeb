package auth

import (
	"slices"

	"github.com/google/uuid"
)

// Scope is one thing that an API key may be allowed.
type Scope string

// The scopes of API keys.
const (
	ReadAnalytics Scope = "read:analytics"
	ReadLicense   Scope = "read:license"
	ReadModules   Scope = "read:modules"
	Export        Scope = "export"
	Install       Scope = "install"
	WriteServers  Scope = "write:servers"
	WriteEvents   Scope = "write:events"
)

// Scopes are all that there are, with what they allow.
func Scopes() map[Scope]string {
	return map[Scope]string{
		ReadAnalytics: "read what servers measured, live too, and which servers and marks there are",
		ReadLicense:   "read the license's name, standing and quotas",
		ReadModules:   "read the catalogue, what was bought and what is installed",
		Export:        "download samples and hours, and make export jobs",
		Install:       "install, retry and uninstall modules that the license owns",
		WriteServers:  "write down, change and archive servers",
		WriteEvents:   "add and delete marks",
	}
}

// Valid tells whether there is such a scope.
func (s Scope) Valid() bool { _, ok := Scopes()[s]; return ok }

// Key is an API key that counts.
type Key struct {
	ID     uuid.UUID
	Name   string
	Scopes []Scope
}

// Allows tells whether the key may do what needs a scope; what has none is for no key.
func (k *Key) Allows(needed Scope) bool { return needed != "" && slices.Contains(k.Scopes, needed) }
