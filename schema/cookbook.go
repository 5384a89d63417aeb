package schema

import (
	"embed"
	"io/fs"
)

//go:embed clickhouse/cookbook/*.sql
var cookbookFiles embed.FS

// CookbookFiles are the queries of clickhouse/cookbook, one file each; package cookbook reads them.
func CookbookFiles() fs.FS {
	sub, err := fs.Sub(cookbookFiles, "clickhouse/cookbook")
	if err != nil {
		panic("BUG: " + err.Error()) // the path is a constant and valid
	}
	return sub
}
