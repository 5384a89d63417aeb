package dashboards_test

import (
	"io/fs"
	"strings"
	"testing"

	"corrosion/dashboards"
)

// TestWeb checks that a built page refers only to files that are embedded with it.
func TestWeb(t *testing.T) {
	pages, ok := dashboards.Web()
	if !ok {
		t.Skip("web/dist is not built: run npm ci && npm run build in dashboards/web")
	}
	index, err := fs.ReadFile(pages, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	assets, err := fs.ReadDir(pages, "assets")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, asset := range assets {
		names[asset.Name()] = true
	}
	for _, part := range strings.Split(string(index), `"/assets/`)[1:] {
		if name, _, _ := strings.Cut(part, `"`); !names[name] {
			t.Errorf("index.html refers to assets/%s, which is not embedded", name)
		}
	}
}
