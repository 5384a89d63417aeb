package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
)

const (
	// askMacros names those that paths of replicated tables are made of.
	askMacros = "SELECT macro FROM system.macros WHERE macro IN ('shard', 'replica')"
	askKeeper = "SELECT count() FROM system.zookeeper WHERE path = '/'"
	// askReached counts the nodes that a node reaches; it fails where one is away, or its user may not.
	askReached = "SELECT count() FROM clusterAllReplicas('%s', system.one)"
)

// checkCluster checks every node of the cluster, then what is the same on all.
func (c *doctorCommand) checkCluster(ctx context.Context, options *clickhouse.Options, of cluster.Options) []finding {
	nodes, err := schema.Nodes(ctx, c.ClickHouseURL)
	if err != nil {
		return []finding{{"clickhouse", err.Error(), "declare the cluster in remote_servers of every node, as docs/production.md shows"}}
	}
	found := []finding{{what: "clickhouse", saw: fmt.Sprintf("cluster %s: %d shards, %d nodes", of.Name, nodes[len(nodes)-1].Shard, len(nodes))}}
	for _, n := range nodes {
		one := clickHouseNode(ctx, n.At(options), n.Addr, clusterRights(of))
		found = append(found, one...)
		if one[0].todo != "" {
			continue // it does not answer
		}
		found = append(found, c.checkNode(ctx, n.At(options), of, n, nodes)...)
	}
	conn, err := stores.ClickHouse(c.ClickHouseURL)
	if err != nil {
		return append(found, finding{"clickhouse", err.Error(), "correct --clickhouse-url"})
	}
	defer conn.Close()
	return append(found, retentionOf(ctx, conn))
}

// checkNode checks what makes a server a node of the cluster.
func (c *doctorCommand) checkNode(ctx context.Context, options *clickhouse.Options, of cluster.Options, n schema.Node, nodes []schema.Node) []finding {
	conn, err := clickhouse.Open(options)
	if err != nil {
		return []finding{{"clickhouse", n.Addr + ": " + err.Error(), "check --clickhouse-url"}}
	}
	defer conn.Close()
	found := []finding{sameCluster(ctx, conn, of, n, nodes), reaches(ctx, conn, of, n, len(nodes))}
	if of.Replicated {
		found = append(found, keeper(ctx, conn, n))
	}
	return append(found, schemaVersion(ctx, "clickhouse", c.ClickHouseURL, func(ctx context.Context, url string) (schema.Migrated, error) {
		version, err := schema.NodeVersion(ctx, url, n)
		if err != nil {
			err = fmt.Errorf("%s: %w", n.Addr, err)
		}
		return version, err
	}))
}

// sameCluster compares what a node says of the cluster with what the first one does.
func sameCluster(ctx context.Context, conn driver.Conn, of cluster.Options, n schema.Node, nodes []schema.Node) finding {
	const todo = "give every node the same remote_servers"
	shards, err := stores.Topology(ctx, conn, of.Name)
	if err != nil {
		return finding{"clickhouse", n.Addr + ": " + err.Error(), todo}
	}
	if !slices.Equal(schema.NodesOf(shards), nodes) {
		return finding{"clickhouse", fmt.Sprintf("%s: its cluster %s has other nodes than that of %s", n.Addr, of.Name, nodes[0].Addr), todo}
	}
	return finding{what: "clickhouse", saw: n.Addr + ": its cluster has the same nodes"}
}

func reaches(ctx context.Context, conn driver.Conn, of cluster.Options, n schema.Node, want int) finding {
	var got uint64
	if err := conn.QueryRow(ctx, fmt.Sprintf(askReached, of.Name)).Scan(&got); err != nil {
		return finding{"clickhouse", n.Addr + ": " + err.Error(), "open the native port between the nodes, give remote_servers a secret, and GRANT REMOTE ON *.* to the user"}
	}
	if got != uint64(want) {
		return finding{"clickhouse", fmt.Sprintf("%s: it reaches %d of %d nodes", n.Addr, got, want), "open the native port between the nodes"}
	}
	return finding{what: "clickhouse", saw: n.Addr + ": it reaches every node"}
}

// keeper checks what replicated tables need.
func keeper(ctx context.Context, conn driver.Conn, n schema.Node) finding {
	rows, err := conn.Query(ctx, askMacros)
	missing := []string{"shard", "replica"}
	if err == nil {
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err == nil {
				missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
			}
		}
	}
	if len(missing) > 0 {
		return finding{"clickhouse", n.Addr + ": it has no macro " + strings.Join(missing, " and "), "set <macros> of each node, as docs/production.md shows"}
	}
	var count uint64
	if err := conn.QueryRow(ctx, askKeeper).Scan(&count); err != nil {
		return finding{"clickhouse", n.Addr + ": " + err.Error(), "give the node a Keeper; a cluster without one is named with &replicated=false"}
	}
	return finding{what: "clickhouse", saw: n.Addr + ": its macros are set and Keeper answers"}
}
