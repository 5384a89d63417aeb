package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Names that every local ClickHouse and PostgreSQL has.
const (
	// Database is the database of the program, and the user that owns it.
	Database = "corrosion"
	// ShardDatabase holds a cluster node's own rows; Database is over all nodes.
	ShardDatabase = "corrosion_shard"
	// OperatorUser is the read-only ClickHouse user.
	OperatorUser = "operator"
)

// leftoverLimit is more than a child takes to end after its parent.
const leftoverLimit = childGrace + 5*time.Second

// ClickHouseConfig says how one local ClickHouse runs.
type ClickHouseConfig struct {
	// Dir holds configuration and data; it is made when absent.
	Dir string
	// LogDir holds the logs; empty = Dir.
	LogDir string
	// NativePort and HTTPPort are taken when free, else others are chosen; 0 = any.
	NativePort, HTTPPort int
	// Password is the user corrosion's, OperatorPassword the user operator's.
	Password, OperatorPassword string
	// Readers are users that each see the rows of the license in
	// corrosion.user_licenses alone.
	Readers []Reader
	// Memory bounds the whole server, in bytes; 0 = 40 % of RAM, at most 4 GiB.
	Memory int64
	// Binary is an official clickhouse binary (25.8 or newer) to run instead of
	// the packaged engine; empty = the package.
	Binary string
	// Extra is put into the configuration files as it stands.
	Extra ClickHouseXML
	// Cluster makes the server a node of one.
	Cluster *ClusterNode
	// NoRestart leaves a crashed server down.
	NoRestart bool
	// Logger hears of crashes and restarts; nil = silence.
	Logger *slog.Logger
}

// ClickHouseXML is raw XML inside <clickhouse>, <profiles> and <users>.
type ClickHouseXML struct{ Config, Profiles, Users string }

// ClusterNode says which cluster a server belongs to: single servers on this
// machine, a shard each, without Keeper and replicas.
type ClusterNode struct {
	// Name is the cluster's, Secret what its nodes know each other by.
	Name, Secret string
	// Ports are the native ports of all shards, in order.
	Ports []int
	// Shard is this server's own, from 1.
	Shard int
}

// ClickHouse is a running server.
type ClickHouse struct {
	config  ClickHouseConfig
	library string // of the packaged engine
	daemon  *daemon
	client  *http.Client
}

// StartClickHouse returns once the server answers the user corrosion and the
// database exists.
func StartClickHouse(ctx context.Context, config ClickHouseConfig) (*ClickHouse, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.LogDir == "" {
		config.LogDir = config.Dir
	}
	if config.Memory == 0 {
		config.Memory = defaultMemory()
	}
	c := &ClickHouse{config: config, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if err := c.locate(ctx); err != nil {
		return nil, fmt.Errorf("find clickhouse: %w", err)
	}
	if err := c.awaitLeftover(ctx); err != nil {
		return nil, err
	}
	err := onFreePorts(ctx, func(ports []int) (err error) {
		c.config.NativePort, c.config.HTTPPort = ports[0], ports[1]
		if err := c.prepare(); err != nil {
			return fmt.Errorf("prepare clickhouse: %w", err)
		}
		c.daemon, err = startDaemon(ctx, "clickhouse", c, config.Logger, !config.NoRestart)
		return err
	}, config.NativePort, config.HTTPPort)
	if err != nil {
		return nil, err
	}
	if err := c.query(ctx, "CREATE DATABASE IF NOT EXISTS "+Database+" ENGINE = Atomic"); err != nil {
		return nil, errors.Join(fmt.Errorf("create database: %w", err), c.Close(ctx))
	}
	return c, nil
}

// locate finds the engine: the binary that the user named, else the package.
func (c *ClickHouse) locate(ctx context.Context) error {
	if c.config.Binary != "" {
		return checkClickHouseVersion(ctx, c.config.Binary)
	}
	if !childReady.Load() {
		return errors.New("local.ChildMain was not called at the start of main")
	}
	library, err := clickHouseLibrary()
	if err == nil {
		c.library = library
		return nil
	}
	if binary, lookErr := exec.LookPath("clickhouse"); lookErr == nil && checkClickHouseVersion(ctx, binary) == nil {
		c.config.Binary = binary
		return nil
	}
	return err
}

// awaitLeftover waits for a server on the same data whose parent was killed: it
// is on its way out, and still holds its status file and its ports.
func (c *ClickHouse) awaitLeftover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leftoverLimit)
	defer cancel()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		status, err := os.Open(filepath.Join(c.config.Dir, "store", "status"))
		if err != nil {
			return nil // never started here
		}
		err = flock(status, syscall.LOCK_SH)
		_ = status.Close()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the ClickHouse that still runs on %s: %w", c.config.Dir, ctx.Err())
		}
	}
}

// prepare makes the directories and writes the configuration.
func (c *ClickHouse) prepare() error {
	dir, err := filepath.Abs(c.config.Dir)
	if err != nil {
		return err
	}
	c.config.Dir = dir
	for _, name := range []string{dir, c.dataDir(), c.config.LogDir, filepath.Join(dir, "backups")} {
		if err := os.MkdirAll(name, 0o700); err != nil {
			return err
		}
	}
	logDir, err := filepath.Abs(c.config.LogDir)
	if err != nil {
		return err
	}
	if err := c.closeFunctions(); err != nil {
		return err
	}
	return writeClickHouseConfig(dir, configData{
		Official: c.config.Binary != "",
		Log:      filepath.Join(logDir, "clickhouse.log"),
		Users:    filepath.Join(dir, "users.xml"),
		Data:     c.dataDir() + "/", Backups: filepath.Join(dir, "backups") + "/",
		NativePort: c.config.NativePort, HTTPPort: c.config.HTTPPort,
		Memory: c.config.Memory, CacheBytes: min(c.config.Memory/8, 256*mebibyte),
		OperatorMemory: min(c.config.Memory/2, 2*gibibyte), ReaderMemory: min(c.config.Memory/4, 512*mebibyte), PoolSize: mergeThreads(),
		Cluster: c.config.Cluster, Databases: c.databases(),
		Tables: slices.Concat(ReadableTables(), ReadableViews()), Filtered: ReadableTables(), ClosedTableFunctions: closedTableFunctions(), Readers: readersData(c.config.Readers),
		PasswordSHA256: sha256Hex(c.config.Password), OperatorSHA256: sha256Hex(c.config.OperatorPassword),
		ExtraConfig: c.config.Extra.Config, ExtraProfiles: c.config.Extra.Profiles, ExtraUsers: c.config.Extra.Users,
	})
}

// databases are those that hold what operators and readers read.
func (c *ClickHouse) databases() []string {
	if c.config.Cluster != nil {
		return []string{Database, ShardDatabase}
	}
	return []string{Database}
}

func (c *ClickHouse) dataDir() string { return filepath.Join(c.config.Dir, "store") }

func (c *ClickHouse) consoleLog() string {
	return filepath.Join(c.config.LogDir, "clickhouse.console.log")
}

// command starts the engine in a session of its own: SYSTEM SHUTDOWN signals
// its whole process group. The pipe on standard input ends it with us.
func (c *ClickHouse) command(ctx context.Context) (*exec.Cmd, error) {
	if err := requireFree(ctx, c.config.NativePort, c.config.HTTPPort); err != nil {
		return nil, err
	}
	config := filepath.Join(c.config.Dir, "config.xml")
	cmd := lasting(c.config.Binary, "server", "--config-file="+config)
	if c.config.Binary == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find own program: %w", err)
		}
		cmd = lasting(self, ChildClickHouse, c.library, config)
		if _, err := cmd.StdinPipe(); err != nil { // closed by Wait, or by our own end
			return nil, fmt.Errorf("open stop pipe: %w", err)
		}
	}
	console, err := openLog(c.consoleLog())
	if err != nil {
		return nil, err
	}
	cmd.Dir, cmd.Env = c.config.Dir, append(os.Environ(), "CLICKHOUSE_HISTORY_FILE=/dev/null")
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.config.Binary != "" {
		dieWithParent(cmd.SysProcAttr, syscall.SIGTERM)
	}
	return cmd, nil
}

// stop works for both kinds: the child and the official server end on SIGTERM.
func (c *ClickHouse) stop(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGTERM) }

func (c *ClickHouse) ping(ctx context.Context) error { return c.query(ctx, "SELECT 1") }

func (c *ClickHouse) complaint() string { return lastLine(c.consoleLog()) }

// query runs one statement over HTTP as the user corrosion.
func (c *ClickHouse) query(ctx context.Context, statement string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+hostPort(c.config.HTTPPort)+"/",
		strings.NewReader(statement))
	if err != nil {
		return err
	}
	request.Header.Set("X-ClickHouse-User", Database)
	request.Header.Set("X-ClickHouse-Key", c.config.Password)
	answer, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", answer.StatusCode, strings.TrimSpace(string(body)))
	}
	return err
}

// NativeURL is a clickhouse:// URL with the user corrosion's password.
func (c *ClickHouse) NativeURL() string {
	u := url.URL{Scheme: "clickhouse", User: url.UserPassword(Database, c.config.Password),
		Host: hostPort(c.config.NativePort), Path: "/" + Database}
	return u.String()
}

// HTTPURL is an http:// URL with the user corrosion's password.
func (c *ClickHouse) HTTPURL() string {
	u := url.URL{Scheme: "http", User: url.UserPassword(Database, c.config.Password),
		Host: hostPort(c.config.HTTPPort), Path: "/", RawQuery: "database=" + Database}
	return u.String()
}

// Ports returns the native and the HTTP port.
func (c *ClickHouse) Ports() (native, http int) { return c.config.NativePort, c.config.HTTPPort }

// PID is the server process's id.
func (c *ClickHouse) PID() int { return c.daemon.pid() }

// Kill ends the server process with SIGKILL and waits until it is gone; unless
// NoRestart is set it is started again.
func (c *ClickHouse) Kill() { c.daemon.kill() }

// Close stops the server; a second call does nothing more.
func (c *ClickHouse) Close(ctx context.Context) error { return c.daemon.close(ctx) }

// checkClickHouseVersion refuses a binary that is too old to trust.
func checkClickHouseVersion(ctx context.Context, binary string) error {
	out, err := exec.CommandContext(ctx, binary, "local", "--version").Output()
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w", binary, err)
	}
	major, minor, ok := parseVersion(string(out))
	if !ok {
		return fmt.Errorf("%s did not say its version: %.80q", binary, out)
	}
	if major < 25 || major == 25 && minor < 8 {
		return fmt.Errorf("%s is ClickHouse %d.%d; 25.8 or newer is needed", binary, major, minor)
	}
	return nil
}

// parseVersion finds the first "A.B" number pair in s.
func parseVersion(s string) (major, minor int, ok bool) {
	for _, word := range strings.Fields(s) {
		parts := strings.SplitN(word, ".", 3)
		if len(parts) < 2 {
			continue
		}
		a, errA := strconv.Atoi(parts[0])
		b, errB := strconv.Atoi(parts[1])
		if errA == nil && errB == nil {
			return a, b, true
		}
	}
	return 0, 0, false
}
