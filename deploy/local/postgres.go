package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// superuser owns the cluster; the program itself uses Database as its role.
const superuser = "postgres"

// PostgresConfig says how one local PostgreSQL runs.
type PostgresConfig struct {
	// Dir holds the cluster; it is made when absent. LogDir: empty = Dir.
	Dir, LogDir string
	// Port is taken when free, else another is chosen; 0 = any.
	Port int
	// Password is the role corrosion's, SuperPassword the superuser's. The
	// superuser's is set once, when the cluster is made.
	Password, SuperPassword string
	// Settings are further server settings, name to value.
	Settings map[string]string
	// NoRestart leaves a crashed server down.
	NoRestart bool
	// Logger hears of crashes, restarts and a moved data directory; nil = silence.
	Logger *slog.Logger
}

// Postgres is a running server.
type Postgres struct {
	config PostgresConfig
	bin    postgresBinaries
	user   ordinaryUser
	data   string // the cluster's directory
	daemon *daemon
}

// StartPostgres returns once the server answers and the role and database
// corrosion exist.
func StartPostgres(ctx context.Context, config PostgresConfig) (*Postgres, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.LogDir == "" {
		config.LogDir = config.Dir
	}
	p := &Postgres{config: config}
	if err := p.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare postgres: %w", err)
	}
	err := onFreePorts(ctx, func(ports []int) (err error) {
		p.config.Port = ports[0]
		p.daemon, err = startDaemon(ctx, "postgres", p, config.Logger, !config.NoRestart)
		return err
	}, config.Port)
	if err != nil {
		return nil, err
	}
	if err := p.ensureDatabase(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("create database: %w", err), p.Close(ctx))
	}
	return p, nil
}

// prepare finds the program, the user to run it as and the place for its data,
// and makes the cluster when there is none.
func (p *Postgres) prepare(ctx context.Context) error {
	dir, err := filepath.Abs(p.config.Dir)
	if err != nil {
		return err
	}
	for _, name := range []string{dir, p.config.LogDir} {
		if err := os.MkdirAll(name, 0o711); err != nil { // the server may run as another user
			return err
		}
	}
	if p.user, err = chooseUser(filepath.Join(dir, "data")); err != nil {
		return err
	}
	if p.bin, err = findPostgres(ctx, p.user); err != nil {
		return err
	}
	if p.data, err = p.place(dir); err != nil {
		return err
	}
	if !exists(p.data) {
		return p.initialise(ctx)
	}
	return errors.Join(p.user.own(p.data), clearLeftovers(ctx, p.data)) // those hold the port
}

// place returns where the cluster is or, without one, where it can be: in dir
// when the server's user can enter it, else outside.
func (p *Postgres) place(dir string) (string, error) {
	inside, outside := filepath.Join(dir, "data"), filepath.Join(outsideDir(dir), "data")
	switch {
	case exists(inside) && p.user.reaches(dir):
		return inside, nil
	case exists(inside):
		return "", fmt.Errorf("user %d, whom postgres runs as, cannot enter %s: open the directories above it (chmod o+x)", p.user.uid, dir)
	case !exists(outside) && p.user.reaches(dir):
		return inside, nil
	}
	p.config.Logger.Warn("postgres may not run as root, and an ordinary user could not enter the data directory: its files are elsewhere",
		"wanted", inside, "used", outside)
	if err := os.MkdirAll(filepath.Dir(outside), 0o711); err != nil {
		return "", fmt.Errorf("make directory outside: %w", err)
	}
	return outside, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// initialise makes a cluster beside its place and moves it there when whole.
func (p *Postgres) initialise(ctx context.Context) error {
	making, secret := p.data+".new", p.data+".password"
	for _, name := range []string{making, secret} {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	defer os.Remove(secret) //nolint:errcheck // it may be gone
	if err := os.Mkdir(making, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(secret, []byte(p.config.SuperPassword+"\n"), 0o600); err != nil {
		return err
	}
	for _, name := range []string{making, secret} {
		if err := p.user.own(name); err != nil {
			return err
		}
	}
	args := append([]string{"-D", making, "-U", superuser, "-A", "scram-sha-256", "--pwfile", secret,
		"--no-sync", "--no-instructions", "-E", "UTF8"}, p.bin.localeArgs()...)
	cmd := exec.CommandContext(ctx, p.bin.initdb, args...)
	p.adapt(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return os.Rename(making, p.data)
}

// adapt makes cmd run as the ordinary user, in a session of its own so that a
// terminal's Ctrl-C reaches us alone, with none of our environment.
func (p *Postgres) adapt(cmd *exec.Cmd) {
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.user.apply(cmd.SysProcAttr)
}

// command clears away what a killed server left and returns the next one.
func (p *Postgres) command(ctx context.Context) (*exec.Cmd, error) {
	if err := clearLeftovers(ctx, p.data); err != nil {
		return nil, err
	}
	if err := requireFree(ctx, p.config.Port); err != nil {
		return nil, err
	}
	settings := map[string]string{
		"listen_addresses": loopback, "port": fmt.Sprint(p.config.Port), "unix_socket_directories": "",
		"logging_collector": "off", "log_destination": "stderr", "log_line_prefix": "%m [%p] ",
		"log_timezone": "UTC", "timezone": "UTC", "max_connections": "200", "shared_buffers": "128MB",
	}
	for name, value := range p.config.Settings {
		settings[name] = value
	}
	cmd := lasting(p.bin.postgres, "-D", p.data)
	for _, name := range sortedKeys(settings) {
		cmd.Args = append(cmd.Args, "-c", name+"="+settings[name])
	}
	p.adapt(cmd)
	dieWithParent(cmd.SysProcAttr, syscall.SIGINT)
	console, err := openLog(p.logFile())
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = console, console
	return cmd, nil
}

func (p *Postgres) logFile() string { return filepath.Join(p.config.LogDir, "postgres.log") }

// stop asks for a fast shutdown: connections are ended, data is checkpointed.
func (p *Postgres) stop(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGINT) }

func (p *Postgres) complaint() string { return lastLine(p.logFile()) }

func (p *Postgres) ping(ctx context.Context) error {
	err := p.asSuperuser(ctx, "SELECT 1")
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) && answer.Code == "28P01" { // invalid_password
		return &hopelessError{"the cluster in " + p.data + " was made with other passwords than secrets.json holds: " +
			"restore that file, or move the directory away"}
	}
	return err
}

// asSuperuser runs statements one after the other, each on its own.
func (p *Postgres) asSuperuser(ctx context.Context, statements ...string) (err error) {
	u := p.url(superuser, p.config.SuperPassword, superuser)
	conn, err := pgconn.Connect(ctx, u)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

// ensureDatabase makes the role and the database where they are missing and
// gives the role its password.
func (p *Postgres) ensureDatabase(ctx context.Context) error {
	if err := p.asSuperuser(ctx, "SET log_min_error_statement = panic", // the statements hold a password
		"DO $$ BEGIN CREATE ROLE "+Database+"; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
		"ALTER ROLE "+Database+" LOGIN CREATEDB PASSWORD "+quoteLiteral(p.config.Password)); err != nil {
		return err
	}
	err := p.asSuperuser(ctx, "CREATE DATABASE "+Database+" OWNER "+Database)
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) && answer.Code == "42P04" {
		return nil // it exists
	}
	return err
}

func (p *Postgres) url(user, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: hostPort(p.config.Port),
		Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// URL is a postgres:// URL of the role corrosion, with its password.
func (p *Postgres) URL() string { return p.url(Database, p.config.Password, Database) }

// Port is the port that the server listens on.
func (p *Postgres) Port() int { return p.config.Port }

// DataDir is the directory of the cluster.
func (p *Postgres) DataDir() string { return p.data }

// PID is the server's first process.
func (p *Postgres) PID() int { return p.daemon.pid() }

// Kill ends the server with SIGKILL and waits until its first process is gone;
// unless NoRestart is set it is started again.
func (p *Postgres) Kill() { p.daemon.kill() }

// Close stops the server; a second call does nothing more.
func (p *Postgres) Close(ctx context.Context) error { return p.daemon.close(ctx) }

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
