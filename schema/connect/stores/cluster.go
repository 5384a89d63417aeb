package stores

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema/cluster"
)

// ClusterSettings are what a query over Distributed tables needs: tables below IN and JOIN are asked of all shards, and an
// INSERT returns when its rows are on their shards.
func ClusterSettings() map[string]string {
	return map[string]string{"distributed_product_mode": "global", "distributed_foreground_insert": "1"}
}

func overShards(options *clickhouse.Options) {
	if options.Settings == nil {
		options.Settings = clickhouse.Settings{}
	}
	for name, value := range ClusterSettings() {
		options.Settings[name] = value
	}
}

// Shard is one shard of a cluster: its weight, and host:port of its replicas.
type Shard struct {
	Weight uint32
	Addrs  []string
}

const askShards = "SELECT shard_num, shard_weight, host_name, port FROM system.clusters WHERE cluster = ? ORDER BY shard_num, replica_num"

// Topology reads from a server the shards of a cluster, in the order of their numbers. A cluster that it does not know is an error.
func Topology(ctx context.Context, conn driver.Conn, name string) ([]Shard, error) {
	rows, err := conn.Query(ctx, askShards, name)
	if err != nil {
		return nil, fmt.Errorf("read the shards of %s: %w", name, err)
	}
	defer rows.Close()
	var shards []Shard
	last := uint32(0)
	for rows.Next() {
		var number, weight uint32
		var host string
		var port uint16
		if err := rows.Scan(&number, &weight, &host, &port); err != nil {
			return nil, fmt.Errorf("read the shards of %s: %w", name, err)
		}
		if number != last {
			shards, last = append(shards, Shard{Weight: weight}), number
		}
		s := &shards[len(shards)-1]
		s.Addrs = append(s.Addrs, net.JoinHostPort(host, strconv.Itoa(int(port))))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the shards of %s: %w", name, err)
	}
	if len(shards) == 0 {
		return nil, fmt.Errorf("the server knows no cluster %q: see remote_servers in docs/cluster.md", name)
	}
	return shards, nil
}

// clustered is a connection to any node of a cluster, and to each shard.
type clustered struct {
	driver.Conn
	name    string
	options *clickhouse.Options

	mu   sync.Mutex // covers open
	open map[string]driver.Conn
}

// Shards gives, for a cluster, a connection to each shard, on which the names of corrosion are the shard's own tables; for one
// server, the connection itself. They close with conn.
func Shards(ctx context.Context, conn driver.Conn) ([]driver.Conn, error) {
	c, ok := conn.(*clustered)
	if !ok {
		return []driver.Conn{conn}, nil
	}
	shards, err := Topology(ctx, c.Conn, c.name)
	if err != nil {
		return nil, err
	}
	conns := make([]driver.Conn, len(shards))
	for i, s := range shards {
		if conns[i], err = c.shard(s); err != nil {
			return nil, err
		}
	}
	return conns, nil
}

func (c *clustered) shard(s Shard) (driver.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.Join(s.Addrs, ",")
	if conn := c.open[key]; conn != nil {
		return conn, nil
	}
	conn, err := c.dial(s.Addrs)
	if err != nil {
		return nil, err
	}
	own := ownTables{Conn: conn}
	for _, addr := range s.Addrs {
		alone := conn
		if len(s.Addrs) > 1 {
			if alone, err = c.dial([]string{addr}); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
		}
		own.replicas = append(own.replicas, ownTables{Conn: alone})
	}
	c.open[key] = own
	return own, nil
}

func (c *clustered) dial(addrs []string) (driver.Conn, error) {
	options := *c.options
	options.Addr, options.ConnOpenStrategy = addrs, clickhouse.ConnOpenInOrder
	conn, err := clickhouse.Open(&options)
	if err != nil {
		return nil, fmt.Errorf("open shard %s: %w", strings.Join(addrs, ","), err)
	}
	return conn, nil
}

// Replicas gives a connection to each replica of a shard, for what concerns every one of them; for one server, the connection
// itself. They close with the shard's.
func Replicas(conn driver.Conn) []driver.Conn {
	if own, ok := conn.(ownTables); ok {
		return own.replicas
	}
	return []driver.Conn{conn}
}

// Close closes the connections to the shards, too.
func (c *clustered) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.Conn.Close()
	for _, conn := range c.open {
		err = errors.Join(err, conn.Close())
	}
	clear(c.open)
	return err
}

// ownTables reads the names of corrosion as those of one node's own tables.
type ownTables struct {
	driver.Conn
	replicas []driver.Conn // one: the connection itself
}

// Close closes the connections to replicas, too.
func (o ownTables) Close() error {
	err := o.Conn.Close()
	if len(o.replicas) > 1 {
		for _, replica := range o.replicas {
			err = errors.Join(err, replica.Close())
		}
	}
	return err
}

func (o ownTables) Select(ctx context.Context, dest any, query string, args ...any) error {
	return o.Conn.Select(ctx, dest, cluster.OwnSQL(query), args...)
}

func (o ownTables) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	return o.Conn.Query(ctx, cluster.OwnSQL(query), args...)
}

func (o ownTables) QueryRow(ctx context.Context, query string, args ...any) driver.Row {
	return o.Conn.QueryRow(ctx, cluster.OwnSQL(query), args...)
}

func (o ownTables) PrepareBatch(ctx context.Context, query string, options ...driver.PrepareBatchOption) (driver.Batch, error) {
	return o.Conn.PrepareBatch(ctx, cluster.OwnSQL(query), options...)
}

func (o ownTables) Exec(ctx context.Context, query string, args ...any) error {
	return o.Conn.Exec(ctx, cluster.OwnSQL(query), args...)
}

func (o ownTables) AsyncInsert(ctx context.Context, query string, wait bool, args ...any) error {
	return o.Conn.AsyncInsert(ctx, cluster.OwnSQL(query), wait, args...) //nolint:staticcheck // the interface has it, so it must not pass by
}
