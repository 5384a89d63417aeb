// Package archive writes everything of a license into one ZIP file, as it goes: rows of Postgres and of ClickHouse as
// newline-delimited JSON, and at the end a manifest that counts them. Memory stays flat for any size.
package archive

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/encode"
	"corrosion/schema/pg"
)

// Archivist writes archives. It is safe for concurrent use.
type Archivist struct {
	pool     *pgxpool.Pool
	exporter *encode.Exporter
}

// New works on a pool and an exporter, which stay the caller's.
func New(pool *pgxpool.Pool, exporter *encode.Exporter) *Archivist { return &Archivist{pool, exporter} }

// File is one file of an archive.
type File struct {
	Name   string `json:"name"`
	Rows   uint64 `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Manifest is the last file: an archive without it is not whole.
type Manifest struct {
	License uuid.UUID `json:"license_id"`
	At      time.Time `json:"at"`
	Files   []File    `json:"files"`
}

// Name is what an archive's file is called.
func Name(license uuid.UUID, at time.Time) string {
	return "license-" + license.String() + "-" + at.UTC().Format("20060102T150405Z") + ".zip"
}

// Write writes the archive of a license. What was written when it fails is no archive: the directory at its end, which
// every reader needs, is missing. The tables of Postgres are of one moment; ClickHouse's are each of the moment that they are
// read.
func (a *Archivist) Write(ctx context.Context, license uuid.UUID, to io.Writer) error {
	w := &writer{zip: zip.NewWriter(to), manifest: Manifest{License: license, At: time.Now().UTC(), Files: []File{}}}
	if err := a.postgres(ctx, license, w); err != nil {
		return fmt.Errorf("archive Postgres: %w", err)
	}
	for _, table := range encode.Archived() {
		if err := a.clickhouse(ctx, license, table, w); err != nil {
			return fmt.Errorf("archive %s: %w", table, err)
		}
	}
	return w.close()
}

func (a *Archivist) postgres(ctx context.Context, license uuid.UUID, w *writer) error {
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, a.pool, snapshot, func(tx pgx.Tx) error {
		q := pg.New(tx)
		tables, err := q.ListLicenseTables(ctx)
		if err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		people, err := q.LicensePeople(ctx, license)
		if err != nil {
			return fmt.Errorf("list people: %w", err)
		}
		if err := w.file("postgres/people.ndjson", func(f *file) error {
			for _, line := range people {
				if err := f.line(line); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		for _, table := range tables {
			if err := w.file("postgres/"+table+".ndjson", func(f *file) error { return rows(ctx, tx, table, license, f) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// licenseRows is asked row by row: sqlc would gather them all.
const licenseRows = `SELECT license_rows($1, $2)`

func rows(ctx context.Context, tx pgx.Tx, table string, license uuid.UUID, f *file) error {
	found, err := tx.Query(ctx, licenseRows, table, license)
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	defer found.Close()
	for found.Next() {
		var line string
		if err := found.Scan(&line); err != nil {
			return fmt.Errorf("read %s: %w", table, err)
		}
		if err := f.line(line); err != nil {
			return err
		}
	}
	return found.Err()
}

func (a *Archivist) clickhouse(ctx context.Context, license uuid.UUID, table string, w *writer) error {
	return w.file("clickhouse/"+table+".ndjson", func(f *file) (err error) {
		stream, err := a.exporter.Archive(ctx, table, license)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stream.Close()) }()
		if _, err := io.Copy(f, stream); err != nil {
			return err
		}
		f.entry.Rows = stream.Rows()
		return nil
	})
}

// writer is an archive under way.
type writer struct {
	zip      *zip.Writer
	manifest Manifest
}

// file is one file under way.
type file struct {
	to    io.Writer
	hash  hash.Hash
	entry File
}

func (w *writer) file(name string, fill func(*file) error) error {
	to, err := w.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: w.manifest.At})
	if err != nil {
		return fmt.Errorf("begin %s: %w", name, err)
	}
	f := &file{to: to, hash: sha256.New(), entry: File{Name: name}}
	if err := fill(f); err != nil {
		return err
	}
	f.entry.SHA256 = hex.EncodeToString(f.hash.Sum(nil))
	w.manifest.Files = append(w.manifest.Files, f.entry)
	return nil
}

func (f *file) Write(p []byte) (int, error) {
	n, err := f.to.Write(p)
	f.hash.Write(p[:n])
	f.entry.Bytes += int64(n)
	return n, err
}

// line writes a row of JSON.
func (f *file) line(text string) error {
	f.entry.Rows++
	_, err := io.WriteString(f, text+"\n")
	return err
}

func (w *writer) close() error {
	manifest, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	to, err := w.zip.Create("manifest.json")
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	if _, err := to.Write(manifest); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	return w.zip.Close()
}
