package local

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
)

// oldestPostgres is the first major version that the schema may rely on.
const oldestPostgres = 15

// postgresBinaries are the programs of one PostgreSQL.
type postgresBinaries struct {
	initdb, postgres string
	major            int
}

// findPostgres returns the packaged PostgreSQL, or else the newest one of the
// system that is new enough and that user can run.
func findPostgres(ctx context.Context, user ordinaryUser) (postgresBinaries, error) {
	dir, missing := postgresPackage()
	if missing == nil {
		bin, err := checkPostgres(ctx, filepath.Join(dir, "bin"), user)
		if err == nil {
			return bin, nil
		}
		missing = err
	}
	if !errors.Is(missing, ErrNoEngines) {
		missing = fmt.Errorf("use packaged postgres: %w", missing)
	}
	var best postgresBinaries
	for _, dir := range systemPostgresDirs() {
		if bin, err := checkPostgres(ctx, dir, user); err == nil && bin.major > best.major {
			best = bin
		}
	}
	if best.major < oldestPostgres {
		return best, fmt.Errorf("%w (and this system has no PostgreSQL %d or newer)", missing, oldestPostgres)
	}
	return best, nil
}

// systemPostgresDirs lists directories that may hold a system's server.
func systemPostgresDirs() []string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs
}

// checkPostgres asks the server in dir for its version.
func checkPostgres(ctx context.Context, dir string, user ordinaryUser) (postgresBinaries, error) {
	bin := postgresBinaries{initdb: filepath.Join(dir, "initdb"), postgres: filepath.Join(dir, "postgres")}
	if _, err := exec.LookPath(bin.initdb); err != nil {
		return bin, err
	}
	if !user.reaches(dir) {
		return bin, fmt.Errorf("user %d cannot enter %s", user.uid, dir)
	}
	out, err := exec.CommandContext(ctx, bin.postgres, "--version").Output()
	if err != nil {
		return bin, fmt.Errorf("ask %s for its version: %w", bin.postgres, err)
	}
	bin.major = leadingNumber(string(out))
	return bin, nil
}

// leadingNumber returns the first number in s, 0 without one.
func leadingNumber(s string) int {
	first := 0
	for first < len(s) && (s[first] < '0' || s[first] > '9') {
		first++
	}
	end := first
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(s[first:end])
	return n
}

// localeArgs asks for code point order and Unicode letters, which do not
// change with the system's libraries.
func (b postgresBinaries) localeArgs() []string {
	switch {
	case b.major >= 17:
		return []string{"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"}
	case runtime.GOOS == "linux":
		return []string{"--locale=C.UTF-8"}
	default:
		return []string{"--locale=C"}
	}
}
