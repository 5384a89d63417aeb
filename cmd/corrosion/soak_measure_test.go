package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"corrosion/schema/connect/stores"
)

// What is measured, in the order of the file's columns.
const (
	atSeconds = iota
	killsSoFar
	platformMiB
	engineMiB
	openFiles
	goroutines
	activeParts
	storedRows
	bytesPerRow
	streamsMiB
	accountsMiB
	numMeasures
)

var soakColumns = [numMeasures]string{"seconds", "kills", "platform_mib", "clickhouse_mib", "descriptors", "goroutines", "parts", "rows", "bytes_per_row", "nats_disk_mib", "postgres_disk_mib"}

const mib = 1 << 20

type soakRow [numMeasures]float64

type soakTable []soakRow

// measure asks the platform, ClickHouse, the kernel and the disk.
func (s *soak) measure(begun time.Time) (row soakRow, err error) {
	row[atSeconds], row[killsSoFar] = time.Since(begun).Seconds(), float64(s.kills)
	metrics, err := s.metrics()
	if err != nil {
		return row, err
	}
	row[platformMiB] = metrics["process_resident_memory_bytes"] / mib
	row[openFiles], row[goroutines] = metrics["process_open_fds"], metrics["go_goroutines"]
	pid, err := engineOf(s.child.cmd.Process.Pid)
	if err != nil {
		return row, err
	}
	if row[engineMiB], err = residentMiB(pid); err != nil {
		return row, err
	}
	conn, err := stores.ClickHouse(s.at.ClickHouseNative)
	if err != nil {
		return row, err
	}
	defer conn.Close()
	var parts, rows, size uint64
	err = conn.QueryRow(s.t.Context(), `SELECT count(), sumIf(rows, table = 'samples'), sum(bytes_on_disk) FROM system.parts WHERE database = 'corrosion' AND active`).Scan(&parts, &rows, &size)
	row[activeParts], row[storedRows], row[bytesPerRow] = float64(parts), float64(rows), float64(size)/max(1, float64(rows))
	row[streamsMiB], row[accountsMiB] = diskMiB(filepath.Join(s.data, "nats")), diskMiB(filepath.Join(s.data, "postgres"))
	return row, err
}

// metrics are those of the platform that have no labels.
func (s *soak) metrics() (map[string]float64, error) {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(s.at.HTTP + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	values := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if name, value, found := strings.Cut(lines.Text(), " "); found && !strings.HasPrefix(name, "#") {
			values[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return values, lines.Err()
}

// engineOf is the process of the local ClickHouse that a platform runs.
func engineOf(platform int) (int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		_, rest, found := bytes.Cut(stat, []byte(") "))
		words := strings.Fields(string(rest))
		if err != nil || !found || len(words) < 2 || words[1] != strconv.Itoa(platform) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		if err == nil && bytes.Contains(command, []byte("__clickhouse")) {
			return strconv.Atoi(filepath.Base(filepath.Dir(name)))
		}
	}
	return 0, errors.New("no ClickHouse runs")
}

func killHard(pid int) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Kill()
}

func residentMiB(pid int) (float64, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	words := strings.Fields(string(statm))
	if len(words) < 2 {
		return 0, fmt.Errorf("statm of %d is %q", pid, statm)
	}
	pages, err := strconv.ParseFloat(words[1], 64)
	return pages * float64(os.Getpagesize()) / mib, err
}

// diskMiB is what files of a directory take; those that go meanwhile do not count.
func diskMiB(dir string) float64 {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // gone
		}
		if info, err := entry.Info(); err == nil && entry.Type().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return float64(total) / mib
}

func (t soakTable) save(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(file)
	_ = w.Write(soakColumns[:]) // the error stays with the writer
	for _, row := range t {
		words := make([]string, numMeasures)
		for i, v := range row {
			words[i] = strconv.FormatFloat(v, 'f', 2, 64)
		}
		_ = w.Write(words)
	}
	w.Flush()
	return errors.Join(w.Error(), file.Close())
}

// soakBounds say by how much the median of the last third of a run may pass that of the first: a part of it, and so many
// units besides. Both leave out the sixth in which everything warms up.
var soakBounds = []struct {
	measure int
	part    float64
	units   float64
}{
	{platformMiB, 0.15, 48},
	{engineMiB, 0.25, 128},
	{openFiles, 0.10, 20},
	{goroutines, 0.10, 20},
	{activeParts, 0.50, 60},
	{bytesPerRow, 0.10, 0}, // disk grows with what is stored, and no faster
	{streamsMiB, 0.25, 64},
	{accountsMiB, 0.25, 32},
}

// verdict is what became of one measure.
type verdict struct {
	text  string
	level bool
}

// judge compares the thirds.
func (t soakTable) judge() []verdict {
	const fewest = 12
	if len(t) < fewest {
		return []verdict{{fmt.Sprintf("only %d measurements, want %d", len(t), fewest), false}}
	}
	rest := t[len(t)/6:]
	third := len(rest) / 3
	first, last := rest[:third], rest[len(rest)-third:]
	hours := (last.median(atSeconds) - first.median(atSeconds)) / 3600
	var all []verdict
	for _, b := range soakBounds {
		was, middle, is := first.median(b.measure), rest[third:len(rest)-third].median(b.measure), last.median(b.measure)
		bound := was*(1+b.part) + b.units
		all = append(all, verdict{
			fmt.Sprintf("%s: medians of the thirds %.1f, %.1f, %.1f (bound %.1f); %+.1f an hour", soakColumns[b.measure], was, middle, is, bound, (is-was)/hours),
			is <= bound,
		})
	}
	return all
}

func (t soakTable) median(measure int) float64 {
	values := make([]float64, len(t))
	for i := range t {
		values[i] = t[i][measure]
	}
	slices.Sort(values)
	return values[len(values)/2]
}
