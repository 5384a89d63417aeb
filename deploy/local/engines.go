package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// EnvEngines names the directory that holds the engines' node_modules.
const EnvEngines = "CORROSION_ENGINES"

// ErrNoEngines says that an engine's package is not installed.
var ErrNoEngines = errors.New("local engines are not installed: run `make engines`")

// enginePath returns the installed npm package called name, as an absolute
// path, or ErrNoEngines.
func enginePath(name string) (string, error) {
	for _, root := range engineRoots() {
		path := filepath.Join(root, "node_modules", filepath.FromSlash(name))
		if _, err := os.Stat(filepath.Join(path, "package.json")); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("%s for %s/%s: %w", name, runtime.GOOS, runtime.GOARCH, ErrNoEngines)
}

// engineRoots lists where node_modules may be: the directory that the user
// named, and nothing else then; or deploy/local/engines beside or above the
// program and the working directory.
func engineRoots() []string {
	if dir := os.Getenv(EnvEngines); dir != "" {
		return []string{dir}
	}
	var roots []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		roots = appendUpwards(roots, filepath.Dir(exe))
	}
	if wd, err := os.Getwd(); err == nil {
		roots = appendUpwards(roots, wd)
	}
	return roots
}

// appendUpwards adds the engines' folder of dir and of each directory above.
func appendUpwards(roots []string, dir string) []string {
	for {
		roots = append(roots, filepath.Join(dir, "deploy", "local", "engines"), filepath.Join(dir, "engines"))
		up := filepath.Dir(dir)
		if up == dir {
			return roots
		}
		dir = up
	}
}

// clickHouseLibrary returns the engine's shared library for this machine.
func clickHouseLibrary() (string, error) {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	name := "@chdb/lib-" + runtime.GOOS + "-" + arch
	if runtime.GOOS == "linux" {
		name += "-gnu"
	}
	dir, err := enginePath(name)
	if err != nil && (runtime.GOOS != "linux" || runtime.GOARCH != "amd64") {
		return "", fmt.Errorf("%w; where that brings none, set %s to a clickhouse binary (25.8 or newer)", err, EnvClickHouseBinary)
	}
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "libchdb.so"), nil
}

// postgresPackage returns the directory of the npm package's PostgreSQL, with
// its library links in place.
func postgresPackage() (string, error) {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	dir, err := enginePath("@embedded-postgres/" + runtime.GOOS + "-" + arch)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "native"), linkLibraries(dir)
}

// linkLibraries makes the links that the package's install script would make;
// npm may have been told not to run scripts.
func linkLibraries(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "native", "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read library links: %w", err)
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(raw, &links); err != nil {
		return fmt.Errorf("parse library links: %w", err)
	}
	for _, link := range links {
		target := filepath.Join(dir, filepath.FromSlash(link.Target))
		source, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err != nil {
			return fmt.Errorf("place library link: %w", err)
		}
		if err := os.Symlink(source, target); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make library link: %w", err)
		}
	}
	return nil
}

// CheckEngines says what Start would miss on this machine to run on dataDir;
// nil when it has a ClickHouse and a PostgreSQL to run.
func CheckEngines(ctx context.Context, dataDir string) error {
	engine := ClickHouse{config: ClickHouseConfig{Binary: os.Getenv(EnvClickHouseBinary)}}
	faults := []error{engine.locate(ctx)}
	user, err := chooseUser(filepath.Join(dataDir, "postgres"))
	if err == nil {
		_, err = findPostgres(ctx, user)
	}
	return errors.Join(append(faults, err)...)
}
