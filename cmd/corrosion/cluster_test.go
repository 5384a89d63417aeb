package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/command"
	"corrosion/schema/connect"
)

// natsCluster is three NATS servers, each a process of this program, with the configuration of docs/production.md.
type natsCluster struct {
	t     *testing.T
	nodes []*natsNode
	// flags are those of the platform's commands.
	flags []string
	url   string
}

type natsNode struct {
	*child
	name, config, address string
}

func newNATSCluster(t *testing.T) *natsCluster {
	t.Helper()
	authority, dir := localtest.NewAuthority(t), t.TempDir()
	c := &natsCluster{t: t}
	p := &platform{t: t, data: dir}
	auth := filepath.Join(dir, "nats-auth.conf")
	c.write(auth, p.corrosion("nats", "config"))
	_, rest, _ := strings.Cut(p.corrosion("nats", "config", "--env"), "nats://corrosion:")
	password, _, found := strings.Cut(rest, "@")
	if !found {
		t.Fatalf("the platform's user is not the one that docs/production.md has: %s", rest)
	}
	c.write(filepath.Join(dir, "password"), password)
	c.flags = []string{"--nats-password-file", filepath.Join(dir, "password"), "--nats-ca-file", authority.CAFile}
	t.Setenv("CORROSION_STREAM_REPLICAS", "3")
	routes := []string{freeAddress(t), freeAddress(t), freeAddress(t)}
	var urls []string
	for i, route := range routes {
		node := &natsNode{name: fmt.Sprintf("stats-%d", i+1), address: freeAddress(t)}
		node.config = filepath.Join(dir, node.name+".conf")
		cert, key := authority.Issue(t, node.name)
		text := strings.NewReplacer("server_name: stats-1", "server_name: "+node.name, "0.0.0.0:4222", node.address, "http: 127.0.0.1:8222\n", "",
			"/var/lib/nats", filepath.Join(dir, node.name), "/etc/nats/tls/host.pem", cert, "/etc/nats/tls/host.key", key, "/etc/nats/tls/ca.pem", authority.CAFile,
			"0.0.0.0:6222", route, "stats-1:6222", routes[0], "stats-2:6222", routes[1], "stats-3:6222", routes[2]).Replace(fenced(t, "production.md", "server_name: stats-1"))
		c.write(node.config, text)
		urls = append(urls, "tls://corrosion@"+node.address)
		c.nodes = append(c.nodes, node)
	}
	c.url = strings.Join(urls, ",")
	for _, node := range c.nodes {
		node.start(t)
	}
	localtest.CheckFor(t, 30*time.Second, 100*time.Millisecond, func() error {
		conn, err := c.connect()
		if err != nil {
			return err
		}
		defer conn.Close()
		js, err := jetstream.New(conn)
		if err == nil {
			_, err = js.AccountInfo(t.Context())
		}
		return err
	})
	return c
}

func (c *natsCluster) write(path, text string) {
	c.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *natsCluster) joined() string {
	c.t.Helper()
	url, err := connect.Join(c.url, connect.Files{Password: c.flags[1], CA: c.flags[3]})
	if err != nil {
		c.t.Fatal(err)
	}
	return url
}

func (c *natsCluster) connect() (*nats.Conn, error) { return connect.NATS(c.joined()) }

// start runs the server, also one that was killed.
func (n *natsNode) start(t *testing.T) {
	t.Helper()
	n.child = startShipped(t, nil, "nats", "serve", "--config", n.config)
}

// leader is the node that leads a stream.
func (c *natsCluster) leader(js jetstream.JetStream, stream string) (found *natsNode) {
	c.t.Helper()
	localtest.CheckFor(c.t, 20*time.Second, 100*time.Millisecond, func() error {
		s, err := js.Stream(c.t.Context(), stream)
		if err != nil {
			return err
		}
		info := s.CachedInfo()
		for _, node := range c.nodes {
			if info.Cluster != nil && node.name == info.Cluster.Leader {
				found = node
				return nil
			}
		}
		return errors.New("the stream has no leader")
	})
	return found
}

// whole waits until every stream has three copies that are up to date.
func (c *natsCluster) whole(js jetstream.JetStream, streams ...string) {
	c.t.Helper()
	localtest.CheckFor(c.t, 40*time.Second, 100*time.Millisecond, func() error {
		for _, name := range streams {
			s, err := js.Stream(c.t.Context(), name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			info := s.CachedInfo()
			if info.Config.Replicas != 3 || info.Cluster == nil || len(info.Cluster.Replicas) != 2 {
				return fmt.Errorf("%s has %d copies", name, info.Config.Replicas)
			}
			for _, peer := range info.Cluster.Replicas {
				if peer.Offline || !peer.Current {
					return fmt.Errorf("%s: the copy on %s is behind", name, peer.Name)
				}
			}
		}
		return nil
	})
}

// owners tells how many partitions each ingester has.
func (f *fleet) owners() (map[string]int, error) {
	kv, err := f.js.KeyValue(f.t.Context(), "corrosion_ingest")
	if err != nil {
		return nil, err
	}
	names, err := kv.Keys(f.t.Context())
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for _, name := range names {
		entry, err := kv.Get(f.t.Context(), name)
		if err != nil {
			return nil, err
		}
		found[string(entry.Value())]++
	}
	return found, nil
}

// shared waits until so many ingesters have the partitions, as many each to one, and returns them.
func (f *fleet) shared(ingesters int) map[string]int {
	f.t.Helper()
	var found map[string]int
	begun := time.Now()
	localtest.CheckFor(f.t, 30*time.Second, 50*time.Millisecond, func() (err error) {
		if found, err = f.owners(); err != nil {
			return err
		}
		counts := slices.Sorted(maps.Values(found))
		if len(counts) != ingesters || found[""] != 0 || counts[len(counts)-1]-counts[0] > 1 {
			return fmt.Errorf("partitions are owned by %v, want %d ingesters", found, ingesters)
		}
		return nil
	})
	f.t.Logf("%d ingesters shared the partitions after %s", ingesters, time.Since(begun).Round(10*time.Millisecond))
	return found
}

// A NATS server of three is killed in mid-stream and comes back, an ingester joins, and one is killed: every sample that
// was confirmed is stored once.
func TestNATSCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	cluster := newNATSCluster(t)
	f := newFleet(t, cluster.joined(), cluster.flags...)
	pace := []string{"--takeover", "2s", "--ack-wait", "2s"}
	f.launch("ingest", pace...)
	f.launch("ingest", pace...)
	streams := []string{schema.StreamStats, schema.StreamStatsByServer, schema.StreamEvents, schema.StreamDead, "KV_corrosion_ingest"}
	cluster.whole(f.js, streams...)
	load := f.startFlood(10 * time.Millisecond)
	f.shared(2)

	node := cluster.leader(f.js, schema.StreamStats)
	node.kill()
	before := load.total()
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error {
		if sent := load.total() - before; sent < 500 {
			return fmt.Errorf("only %d samples were confirmed without %s", sent, node.name)
		}
		return nil
	})
	third := f.launch("ingest", pace...) // while one server is away
	f.shared(3)
	node.start(t)
	third.kill()
	f.shared(2)
	cluster.whole(f.js, streams...)
	load.end()
	if out := f.must("doctor", "--role", "ingest"); strings.Count(out, "certificate good until") != 3 || !strings.Contains(out, "3 copies") {
		t.Errorf("doctor does not see three servers: %s", out)
	}
	f.commandsOnAll(t, cluster)
}

// commandsOnAll has a command sent to an agent, and looks that its stream is on every server.
func (f *fleet) commandsOnAll(t *testing.T, cluster *natsCluster) {
	t.Helper()
	api := f.launch("api")
	f.HTTP = "http://" + api.address
	token := strings.TrimSpace(f.must("token", "--license", f.id, "--role", "owner"))
	f.ask("POST", "/api/modules/loot-manager/purchase", token, nil, nil, 201)
	f.ask("POST", "/api/modules/loot-manager/install", token, fields{"server_id": "s-0"}, nil, 202)
	cluster.whole(f.js, command.Stream)
}
