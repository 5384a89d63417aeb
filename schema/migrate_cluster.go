package schema

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/pressly/goose/v3"

	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
)

// Node is one server of a cluster.
type Node struct {
	// Shard counts from 1, as ClickHouse does; Replica from 1 within it.
	Shard, Replica int
	Addr           string // host:port
}

// NodesOf lists the servers of a cluster, shard by shard.
func NodesOf(shards []stores.Shard) (nodes []Node) {
	for i, s := range shards {
		for j, addr := range s.Addrs {
			nodes = append(nodes, Node{i + 1, j + 1, addr})
		}
	}
	return nodes
}

// Nodes asks the first server of a URL for the nodes of its cluster.
func Nodes(ctx context.Context, url string) ([]Node, error) {
	options, err := stores.ClickHouseOptions(url)
	if err != nil {
		return nil, err
	}
	_, spread, err := cluster.Split(url)
	if err != nil {
		return nil, err
	}
	if !spread.Is() {
		return nil, errors.New("the ClickHouse URL names no cluster")
	}
	var shards []stores.Shard
	err = withConn(anyDatabase(options), func(conn driver.Conn) error {
		shards, err = stores.Topology(ctx, conn, spread.Name)
		return err
	})
	return NodesOf(shards), err
}

// At is the options of a connection to that node alone.
func (n Node) At(options *clickhouse.Options) *clickhouse.Options {
	alone := *options
	alone.Addr = []string{n.Addr}
	return &alone
}

// anyDatabase asks a server whose databases may not be there yet.
func anyDatabase(options *clickhouse.Options) *clickhouse.Options {
	o := *options
	o.Auth.Database = "default"
	return &o
}

// migrateCluster brings every node of a cluster to the newest schema, one after the other; each keeps its own record, so that
// one that was away, or is new, gets what it lacks by the next run.
func migrateCluster(ctx context.Context, options *clickhouse.Options, spread cluster.Options, to int64) (applied int, err error) {
	var shards []stores.Shard
	err = withConn(anyDatabase(options), func(conn driver.Conn) error {
		shards, err = stores.Topology(ctx, conn, spread.Name)
		return err
	})
	if err != nil {
		return 0, err
	}
	nodes := NodesOf(shards)
	for _, n := range nodes {
		if err := prepareNode(ctx, n.At(options)); err != nil {
			return 0, fmt.Errorf("node %s: %w", n.Addr, err)
		}
	}
	for i, n := range nodes {
		migrations, err := clusterMigrations(spread, i == 0, n.Replica == 1)
		if err != nil {
			return applied, err
		}
		of, err := migrateNode(ctx, n.At(options), migrations, to)
		applied += of
		if err != nil {
			return applied, fmt.Errorf("node %s: %w", n.Addr, err)
		}
	}
	return applied, nil
}

func prepareNode(ctx context.Context, options *clickhouse.Options) error {
	for _, name := range []string{Database, cluster.Own} {
		if err := ensureDatabase(ctx, options, name); err != nil {
			return err
		}
	}
	return withConn(options, func(conn driver.Conn) error { return expectKind(ctx, conn, true) })
}

// expectKind refuses a server that holds the schema in its other variant: its rows would be hidden, not moved.
func expectKind(ctx context.Context, conn driver.Conn, clustered bool) error {
	const askEngine = "SELECT engine FROM system.tables WHERE database = 'corrosion' AND name = 'samples'"
	var engine string
	err := conn.QueryRow(ctx, askEngine).Scan(&engine)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case clustered && engine != "Distributed":
		return errors.New("it holds the tables of a single server: a cluster starts empty, and `corrosion migrate --to` moves rows into it")
	case !clustered && engine == "Distributed":
		return errors.New("it is a node of a cluster: add ?cluster=NAME to its URL")
	}
	return nil
}

func migrateNode(ctx context.Context, options *clickhouse.Options, migrations []*goose.Migration, to int64) (int, error) {
	db := clickhouse.OpenDB(options)
	defer db.Close()
	return runProvider(ctx, goose.DialectClickHouse, db, nil, to, goose.WithGoMigrations(migrations...), goose.WithDisableGlobalRegistry(true))
}

// clusterMigrations are the migrations as a node runs them. With ON CLUSTER the first node's reach all; rows are moved once a
// shard, by its first replica.
func clusterMigrations(spread cluster.Options, firstOfAll, firstOfShard bool) ([]*goose.Migration, error) {
	var migrations []*goose.Migration
	err := eachMigration(clickhouseFiles, "clickhouse", func(version int64, name, text string) error {
		rendered, err := spread.Render(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		statements := slices.DeleteFunc(rendered, func(s cluster.Statement) bool {
			return s.Rows && !firstOfShard || !s.Rows && spread.OnCluster && !firstOfAll
		})
		migrations = append(migrations, goose.NewGoMigration(version, &goose.GoFunc{RunDB: func(ctx context.Context, db *sql.DB) error {
			for _, s := range statements {
				if _, err := db.ExecContext(ctx, s.Text); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		}}, nil))
		return nil
	})
	return migrations, err
}

// eachMigration goes through a folder's migrations in order.
func eachMigration(files embed.FS, dir string, do func(version int64, name, text string) error) error {
	names, err := fs.Glob(files, path.Join(dir, "*.sql"))
	if err != nil {
		return err
	}
	for _, name := range names {
		version, err := goose.NumericComponent(path.Base(name))
		if err != nil {
			return err
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if err := do(version, path.Base(name), string(text)); err != nil {
			return err
		}
	}
	return nil
}

// NodeVersion reads how far one node of a cluster is; it changes nothing.
func NodeVersion(ctx context.Context, url string, n Node) (Migrated, error) {
	options, err := stores.ClickHouseOptions(url)
	if err != nil {
		return Migrated{}, err
	}
	db := clickhouse.OpenDB(n.At(options))
	defer db.Close()
	return readVersion(ctx, goose.DialectClickHouse, db, clickhouseFiles, "clickhouse")
}
