// Package module is the catalogue: what modules there are, in which versions, and the files of those versions.
//
// A module is a draft until it is published, and deprecated when it is not sold any more; so is each of its versions. The
// latest version is the highest published one. Files lie in a store of their own under their SHA-256, or elsewhere under a
// URL of which the digest is known. A version's file never changes.
package module

import (
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"corrosion/api/payment"
)

// What can be wrong with a request.
var (
	// ErrUnknown says that there is no such module, version or file, or none that the asker may see.
	ErrUnknown = errors.New("no such module")
	// ErrExists says that the slug or the version's number is taken.
	ErrExists = errors.New("the module or version is there already")
	// ErrChanged says that somebody else changed the module since it was read.
	ErrChanged = errors.New("the module was changed since it was read")
	// ErrNoVersion says that a module cannot be published without a published version.
	ErrNoVersion = errors.New("the module has no published version")
	// ErrCycle says that modules would need each other.
	ErrCycle = errors.New("the modules would need each other")
	// ErrFull says that there are as many modules or versions as there may be.
	ErrFull = errors.New("there are as many modules or versions as there may be")
	// ErrCursor says that a cursor is not one of the list that is asked for.
	ErrCursor = errors.New("not a cursor of this list")
	// ErrLink says that a link to a file has expired or was not made here.
	ErrLink = errors.New("the link is not valid any more")
	// ErrTooLarge says that a file has more than MaxFile bytes.
	ErrTooLarge = errors.New("the file is too large")
	// ErrEmpty says that a file has no bytes.
	ErrEmpty = errors.New("the file is empty")
	// ErrElsewhere says that the store of this process does not have a file that it should have.
	ErrElsewhere = errors.New("the file lies with another process")
)

// The bounds, in characters where not said otherwise. They are the columns' own.
const (
	MaxName        = 100
	MaxDescription = 20000
	MaxChangelog   = 20000
	MaxFeatures    = 50
	MaxFeature     = 200
	MaxURL         = 2000
	MaxGames       = 20
	MaxGameVersion = 128
	MaxNeeds       = 20
	MaxModules     = 2000
	MaxVersions    = 500
	// MaxFile bounds an uploaded file, MaxFarFile one that lies elsewhere; bytes.
	MaxFile    = 32 << 20
	MaxFarFile = 1 << 30
)

// MaxPrice is the highest price.
func MaxPrice() decimal.Decimal { return decimal.New(9_999_999_999_99, -2) }

// Status says what can be done with a module or a version.
type Status string

// The states.
const (
	Draft      Status = "draft"
	Published  Status = "published"
	Deprecated Status = "deprecated"
)

// Settings are what administrators say about a module.
type Settings struct {
	Name        string         `json:"name"`
	Description string         `json:"description" doc:"Markdown as it was written: sanitise what is rendered from it"`
	Features    []string       `json:"features"`
	Price       payment.Amount `json:"price" doc:"Decimal string; 0 is free" example:"9.99"`
	Currency    string         `json:"currency" doc:"ISO 4217" example:"USD"`
	PluginURL   *string        `json:"plugin_url" doc:"The plugin's page of its publisher"`
	Publisher   string         `json:"publisher"`
	Category    string         `json:"category" example:"economy"`
	Icon        string         `json:"icon" doc:"Name of an icon; may be empty"`
	Compatible  []Game         `json:"compatible" doc:"The games it works with; empty = not said"`
}

// Game is a game that a module works with, and with which builds of it, written as servers report them.
type Game struct {
	Game       string  `json:"game" example:"rust"`
	MinVersion *string `json:"min_version" doc:"null = any from the first on"`
	MaxVersion *string `json:"max_version" doc:"null = any up to the newest"`
}

// Module is a module as a license sees it.
type Module struct {
	Slug string `json:"slug"`
	Settings
	Version      *string      `json:"version" doc:"The latest; null = none is published"`
	Dependencies []Dependency `json:"dependencies" doc:"What must be on a server before the latest version is"`
	Status       Status       `json:"status" enum:"draft,published,deprecated"`
	Owned        bool         `json:"owned" doc:"Whether the asker's license owns it"`
	InstalledOn  []string     `json:"installed_on" doc:"Ids of the license's servers that have it"`
	CreatedAt    time.Time    `json:"created_at"`
	UpdatedAt    time.Time    `json:"updated_at"`
	PublishedAt  *time.Time   `json:"published_at"`
	DeprecatedAt *time.Time   `json:"deprecated_at"`
	// Versions are given with one module alone, the highest first.
	Versions []Version `json:"versions,omitempty"`

	revision int64
}

// Version is one of a module's versions.
type Version struct {
	Module       string       `json:"module"`
	Version      string       `json:"version" example:"1.0.0"`
	File         string       `json:"file" doc:"Name of the plugin file" example:"LootManager.cs"`
	SHA256       string       `json:"sha256" doc:"Of the file, hexadecimal"`
	Size         int64        `json:"size" doc:"Of the file, bytes"`
	SourceURL    *string      `json:"source_url" doc:"Where the file lies; null = the platform has it"`
	Changelog    string       `json:"changelog" doc:"Markdown as it was written"`
	Status       Status       `json:"status" enum:"draft,published,deprecated"`
	Dependencies []Dependency `json:"dependencies"`
	CreatedAt    time.Time    `json:"created_at"`
	PublishedAt  *time.Time   `json:"published_at"`
	DeprecatedAt *time.Time   `json:"deprecated_at"`
}

// Dependency is a module that must be on a server first.
type Dependency struct {
	Module     string `json:"module"`
	MinVersion string `json:"min_version" example:"1.0.0"`
}

var (
	slugForm    = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$`)
	wordForm    = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$`)
	iconForm    = regexp.MustCompile(`^[a-z0-9-]{0,64}$`)
	versionForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$`)
	fileForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	digestForm  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Reserved tells whether a slug is the name of something else below /api/modules.
func Reserved(slug string) bool {
	return slices.Contains([]string{"purchases", "installations", "rollouts", "agents", "files", "categories"}, slug)
}

// ValidSlug tells whether text can be a module's slug.
func ValidSlug(text string) bool { return slugForm.MatchString(text) && !Reserved(text) }

// ValidWord tells whether text can be a category or a game.
func ValidWord(text string) bool { return wordForm.MatchString(text) }

// ValidIcon tells whether text can name an icon, or none.
func ValidIcon(text string) bool { return iconForm.MatchString(text) }

// ValidVersion tells whether text is a version: three numbers of at most six digits.
func ValidVersion(text string) bool { return versionForm.MatchString(text) }

// ValidFile tells whether text can name a plugin file. It never leads out of a directory.
func ValidFile(text string) bool { return fileForm.MatchString(text) }

// ValidDigest tells whether text is a SHA-256 in small hexadecimal digits.
func ValidDigest(text string) bool { return digestForm.MatchString(text) }
