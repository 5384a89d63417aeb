package localtest

import (
	"os"
	"strconv"
	"testing"

	"corrosion/deploy/local"
)

// Passwords of the users corrosion and operator on every test server.
const (
	Password         = "test-password"
	OperatorPassword = "operator-password"
)

// EnvClickHouseBinary makes tests use an official clickhouse binary.
const EnvClickHouseBinary = "CORROSION_CLICKHOUSE_BIN"

// ClickHouseServer is a real ClickHouse with the database corrosion, empty.
// Its methods fail the test on error.
type ClickHouseServer struct {
	config local.ClickHouseConfig
	server *local.ClickHouse
}

// EnvShards makes ClickHouse give the first node of a cluster of so many
// shards.
const EnvShards = "CORROSION_TEST_SHARDS"

// Shards is how many shards the shared ClickHouse has; 1: it is a single server.
func Shards() int {
	n, _ := strconv.Atoi(os.Getenv(EnvShards))
	return max(n, 1)
}

// ClickHouseOption changes the configuration of NewClickHouse.
type ClickHouseOption func(*local.ClickHouseConfig)

// WithClickHouseXML adds raw XML to the server's configuration, its profiles
// and its users.
func WithClickHouseXML(extra local.ClickHouseXML) ClickHouseOption {
	return func(c *local.ClickHouseConfig) { c.Extra = extra }
}

// WithClickHouseDir keeps the server's data in dir, which stays when the test ends.
func WithClickHouseDir(dir string) ClickHouseOption {
	return func(c *local.ClickHouseConfig) { c.Dir = dir }
}

// WithReaders adds users that see the rows of one license each.
func WithReaders(readers ...local.Reader) ClickHouseOption {
	return func(c *local.ClickHouseConfig) { c.Readers = readers }
}

// ClickHouse returns the server that this test process shares. Its database
// corrosion is shared too: tests that cannot live together use NewClickHouse.
func ClickHouse(t testing.TB) *ClickHouseServer {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.clickhouse == nil {
		c := newCluster(t, Shards(), shared.sharedDir(t, "clickhouse"))
		shared.clickhouse, shared.shards = c.Nodes[0], c.Nodes[1:]
	}
	return shared.clickhouse
}

// ClickHouseURL is the shared server's native URL.
func ClickHouseURL(t testing.TB) string { t.Helper(); return ClickHouse(t).URL() }

// NewClickHouse starts a server for this test alone; it stops with the test.
func NewClickHouse(t testing.TB, options ...ClickHouseOption) *ClickHouseServer {
	t.Helper()
	shared.requireMain(t)
	s := newClickHouse(t.TempDir())
	for _, option := range options {
		option(&s.config)
	}
	s.Start(t)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newClickHouse(dir string) *ClickHouseServer {
	return &ClickHouseServer{config: local.ClickHouseConfig{
		Dir: dir, Password: Password, OperatorPassword: OperatorPassword,
		Memory: 2 << 30, Binary: os.Getenv(EnvClickHouseBinary), NoRestart: true,
	}}
}

// URL is the native URL of the user corrosion, clickhouse://….
func (s *ClickHouseServer) URL() string {
	if s.config.Cluster == nil {
		return s.server.NativeURL()
	}
	return s.server.NativeURL() + "?cluster=" + s.config.Cluster.Name + "&replicated=false"
}

// HTTPURL is the HTTP URL of the user corrosion, http://…/?database=corrosion.
func (s *ClickHouseServer) HTTPURL() string {
	if s.config.Cluster == nil {
		return s.server.HTTPURL()
	}
	return s.server.HTTPURL() + "&cluster=" + s.config.Cluster.Name + "&replicated=false"
}

// Ports returns the native and the HTTP port, which stay the same over Stop,
// Kill and Start.
func (s *ClickHouseServer) Ports() (native, http int) { return s.server.Ports() }

// PID is the server's process, for tests that stop it with signals.
func (s *ClickHouseServer) PID() int { return s.server.PID() }

// Start starts a stopped or killed server on the same ports and data.
func (s *ClickHouseServer) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := startContext()
	defer cancel()
	server, err := local.StartClickHouse(ctx, s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	native, http := server.Ports()
	samePort(t, &s.config.NativePort, native)
	samePort(t, &s.config.HTTPPort, http)
}

// Stop ends the server cleanly.
func (s *ClickHouseServer) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server with SIGKILL and waits until it is gone.
func (s *ClickHouseServer) Kill(testing.TB) { s.server.Kill() }

func (s *ClickHouseServer) stop() error {
	ctx, cancel := stopContext()
	defer cancel()
	return s.server.Close(ctx)
}
