package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// poolSize is how many licenses can have SQL access at once on the local
// engine, whose users are read at its start only.
const poolSize = 32

// ReadableTables are the tables that the users operator and the readers may
// read; each has a license_id. Every other table is closed to them.
func ReadableTables() []string {
	return []string{"samples", "samples_hourly", "metrics_hourly", "network_hours", "event_log"}
}

// ReadableViews are the views over ReadableTables that they may read too; rows
// are filtered in the tables below.
func ReadableViews() []string { return []string{"hourly", "network_hourly", "events"} }

// closedTableFunctions show primary keys of whole tables, row filters or not.
func closedTableFunctions() []string {
	return []string{"mergeTreeIndex", "mergeTreeProjection", "mergeTreeTextIndex", "mergeTreeAnalyzeIndexes", "mergeTreeAnalyzeIndexesUUID", "merge"}
}

// Reader is a user of the pool: it sees the rows of the license that
// corrosion.user_licenses gives it, and none without.
type Reader struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

func readersData(readers []Reader) []readerData {
	var data []readerData
	for _, r := range readers {
		data = append(data, readerData{r.Name, sha256Hex(r.Password)})
	}
	return data
}

func readersFile(dataDir string) string { return filepath.Join(dataDir, "readers.json") }

// Readers reads the pool's passwords, as the next start will have them; it
// wraps fs.ErrNotExist where no local ClickHouse was ever started.
func Readers(dataDir string) ([]Reader, error) {
	raw, err := os.ReadFile(readersFile(dataDir))
	if err != nil {
		return nil, fmt.Errorf("read the pool of SQL users: %w", err)
	}
	var readers []Reader
	if err := json.Unmarshal(raw, &readers); err != nil {
		return nil, fmt.Errorf("parse readers.json: %w", err)
	}
	return readers, nil
}

// RenewReader gives a user of the pool another password, from the next start on:
// until then the old one works, and whoever knows it must see nothing.
func RenewReader(dataDir, name string) error {
	readers, err := Readers(dataDir)
	if err != nil {
		return err
	}
	for i := range readers {
		if readers[i].Name == name {
			readers[i].Password = newSecret()
		}
	}
	return writeReaders(dataDir, readers)
}

// loadReaders reads the pool and makes the users that it lacks.
func loadReaders(dataDir string) ([]Reader, error) {
	readers, err := Readers(dataDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(readers) >= poolSize {
		return readers, os.Chmod(readersFile(dataDir), 0o600)
	}
	for i := len(readers); i < poolSize; i++ {
		readers = append(readers, Reader{Name: fmt.Sprintf("reader_%02d", i+1), Password: newSecret()})
	}
	return readers, writeReaders(dataDir, readers)
}

func writeReaders(dataDir string, readers []Reader) error {
	content, err := json.MarshalIndent(readers, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the pool of SQL users: %w", err)
	}
	return writeAtomically(readersFile(dataDir), append(content, '\n'))
}

// closedFile is a function of ours in place of the engine's own: the packaged
// engine lets file() read every file of its process, for any user, and checks
// names of functions when they are made but not when they are loaded.
const closedFile = "CREATE FUNCTION file AS (path) -> throwIf(1, 'file() is closed')\n"

// closeFunctions takes functions away from every user.
func (c *ClickHouse) closeFunctions() error {
	dir := filepath.Join(c.dataDir(), "user_defined")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writeAtomically(filepath.Join(dir, "function_file.sql"), []byte(closedFile))
}
