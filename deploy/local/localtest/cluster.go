package localtest

import (
	"fmt"
	"net"
	"os"
	"testing"

	"corrosion/deploy/local"
)

// ClusterName is the name of every test cluster.
const ClusterName = "shards"

// ClickHouseCluster is single servers that are the shards of one cluster, with
// the database corrosion, empty. Each may be stopped, killed and started by
// itself.
type ClickHouseCluster struct{ Nodes []*ClickHouseServer }

// NewClickHouseCluster starts so many servers for this test alone; they stop
// with the test.
func NewClickHouseCluster(t testing.TB, shards int, options ...ClickHouseOption) *ClickHouseCluster {
	t.Helper()
	shared.requireMain(t)
	c := newCluster(t, shards, t.TempDir(), options...)
	t.Cleanup(func() {
		for _, s := range c.Nodes {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// URL is the native URL of the cluster by way of its first node.
func (c *ClickHouseCluster) URL() string { return c.Nodes[0].URL() }

// HTTPURL is the HTTP URL of the first node.
func (c *ClickHouseCluster) HTTPURL() string { return c.Nodes[0].HTTPURL() }

// newCluster starts servers that know each other; one alone knows nobody.
func newCluster(t testing.TB, shards int, dir string, options ...ClickHouseOption) *ClickHouseCluster {
	t.Helper()
	var ports []int
	if shards > 1 {
		ports = freePorts(t, shards)
	}
	c := &ClickHouseCluster{}
	for i := range shards {
		s := newClickHouse(fmt.Sprintf("%s-%d", dir, i+1))
		if shards > 1 {
			s.config.NativePort = ports[i]
			s.config.Cluster = &local.ClusterNode{Name: ClusterName, Secret: "test-secret", Ports: ports, Shard: i + 1}
		}
		for _, option := range options {
			option(&s.config)
		}
		if err := os.MkdirAll(s.config.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s.Start(t)
		c.Nodes = append(c.Nodes, s)
	}
	return c
}

// freePorts gives ports that nobody listens on; all are held until all are known.
func freePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // test
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
