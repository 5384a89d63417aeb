package module

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

const (
	// LinkPath is where linked files are served.
	LinkPath = "/api/public/modules/files"
	// MaxLinkLife bounds how long a link can be used.
	MaxLinkLife = 30 * 24 * time.Hour
	linkPurpose = "module file"
)

// Link is a URL under which whoever has it can read the file of one version, and nothing else, until the given time; at
// most MaxLinkLife from now. It names no license. A file that lies elsewhere has its own URL.
func (c *Catalogue) Link(v Version, until time.Time) (string, error) {
	if v.SourceURL != nil {
		return *v.SourceURL, nil
	}
	if latest := c.deps.Now().Add(MaxLinkLife); until.After(latest) {
		until = latest
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	text, err := c.deps.Keys.Seal(linkPurpose, append(value, v.Module+"@"+v.Version...))
	if err != nil {
		return "", fmt.Errorf("link to module file: %w", err)
	}
	return strings.TrimSuffix(c.deps.PublicURL, "/") + LinkPath + "/" + text, nil
}

// OpenLink reads the end of a link: the version whose file it stands for. It fails with ErrLink.
func (c *Catalogue) OpenLink(text string) (module, version string, err error) {
	value, err := c.deps.Keys.Unseal(linkPurpose, text)
	if err != nil || len(value) < 8 {
		return "", "", ErrLink
	}
	if until := time.Unix(int64(binary.BigEndian.Uint64(value)), 0); !c.deps.Now().Before(until) {
		return "", "", ErrLink
	}
	module, version, found := strings.Cut(string(value[8:]), "@")
	if !found {
		return "", "", ErrLink
	}
	return module, version, nil
}
