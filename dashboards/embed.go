// Package dashboards holds the pages for the browser, built by web/ and embedded in the binary.
package dashboards

import (
	"embed"
	"io/fs"
)

// dist has at least a .gitkeep, so that Go builds without Node.
//
//go:embed all:web/dist
var dist embed.FS

// Web returns the built pages: index.html at the root, and under assets/ files whose names change with
// their content and may be cached for ever. It reports false when the binary was built without them.
func Web() (fs.FS, bool) {
	pages, err := fs.Sub(dist, "web/dist")
	if err != nil {
		return nil, false
	}
	if _, err := fs.Stat(pages, "index.html"); err != nil {
		return nil, false
	}
	return pages, true
}
