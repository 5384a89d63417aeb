package local

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"text/template"
)

//go:embed templates/*.xml
var templateFiles embed.FS

// configData fills templates/*.xml; paths of directories end in a slash.
type configData struct {
	Official                  bool
	Log, Users, Data, Backups string
	NativePort, HTTPPort      int
	Memory, CacheBytes        int64
	OperatorMemory            int64
	ReaderMemory              int64
	Cluster                   *ClusterNode
	Databases                 []string
	Tables, Filtered          []string // what operators and readers read; those of it that hold rows
	ClosedTableFunctions      []string
	Readers                   []readerData
	PoolSize                  int
	PasswordSHA256            string
	OperatorSHA256            string
	ExtraConfig               string
	ExtraProfiles, ExtraUsers string
}

// Owner is the database whose tables hold rows.
func (d configData) Owner() string { return d.Databases[len(d.Databases)-1] }

type readerData struct{ Name, PasswordSHA256 string }

// writeClickHouseConfig renders both files into dir, readable by this user only.
func writeClickHouseConfig(dir string, data configData) error {
	set, err := template.New("").Funcs(template.FuncMap{"xml": escapeXML}).ParseFS(templateFiles, "templates/*.xml")
	if err != nil {
		return fmt.Errorf("parse templates: %w", err)
	}
	for name, path := range map[string]string{"clickhouse.xml": filepath.Join(dir, "config.xml"), "users.xml": data.Users} {
		var out bytes.Buffer
		if err := set.ExecuteTemplate(&out, name, data); err != nil {
			return fmt.Errorf("render %s: %w", name, err)
		}
		if err := writeAtomically(path, out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func escapeXML(s string) (string, error) {
	var out bytes.Buffer
	err := xml.EscapeText(&out, []byte(s))
	return out.String(), err
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// mergeThreads leaves most of a small machine to inserts and queries.
func mergeThreads() int { return max(2, min(8, runtime.NumCPU()/2)) }

// writeAtomically replaces path with content, mode 0600, in one step.
func writeAtomically(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
