package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
)

// leastClickHouse is the oldest release that the tables and views were tried with.
const leastClickHouse = "25.8"

// clickHouseRights are what the roles do there, each asked of the server by itself.
func clickHouseRights() []string {
	return []string{
		"SELECT, INSERT, ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, OPTIMIZE, TRUNCATE ON corrosion.*",
		"SYSTEM MERGES ON corrosion.*", "KILL QUERY ON *.*",
		"SELECT ON system.processes", "SELECT ON system.parts", "SELECT ON system.merges", "SELECT ON system.mutations",
	}
}

// checkClickHouse checks every host of the URL by itself, then what is the same on all.
func (c *doctorCommand) checkClickHouse(ctx context.Context) []finding {
	options, err := stores.ClickHouseOptions(c.ClickHouseURL)
	if err != nil {
		return []finding{{"clickhouse", err.Error(), "correct --clickhouse-url and its files"}}
	}
	_, of, err := cluster.Split(c.ClickHouseURL)
	if err != nil {
		return []finding{{"clickhouse", err.Error(), "correct --clickhouse-url"}}
	}
	if of.Is() {
		return c.checkCluster(ctx, options, of)
	}
	var found []finding
	for _, address := range options.Addr {
		alone := *options
		alone.Addr = []string{address}
		found = append(found, clickHouseHost(ctx, &alone, address)...)
	}
	if len(found) > 0 && found[0].todo == "" {
		found = append(found, schemaVersion(ctx, "clickhouse", c.ClickHouseURL, schema.ClickHouseVersion))
	}
	return found
}

// clusterRights are those of a node, whose own tables are in a database of their own.
func clusterRights(of cluster.Options) []string {
	var rights []string
	for _, right := range clickHouseRights() {
		rights = append(rights, right)
		if own := strings.Replace(right, " ON "+cluster.Database+".*", " ON "+cluster.Own+".*", 1); own != right {
			rights = append(rights, own)
		}
	}
	if of.Replicated {
		rights = append(rights, "SYSTEM SYNC REPLICA ON "+cluster.Own+".*") // for backups
	}
	return rights
}

// clickHouseHost checks a server, and what its own tables keep.
func clickHouseHost(ctx context.Context, options *clickhouse.Options, address string) []finding {
	found := clickHouseNode(ctx, options, address, clickHouseRights())
	if len(found) == 1 { // it does not answer
		return found
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return append(found, finding{"clickhouse", address + ": " + err.Error(), "check --clickhouse-url"})
	}
	defer conn.Close()
	return append(found, retentionOf(ctx, conn))
}

// clickHouseNode checks a server by itself: one finding where it does not answer.
func clickHouseNode(ctx context.Context, options *clickhouse.Options, address string, rights []string) []finding {
	f := finding{what: "clickhouse", todo: "check host, port, TLS, user and password, and that the server listens"}
	conn, err := clickhouse.Open(options)
	if err != nil {
		f.saw = address + ": " + err.Error()
		return []finding{f}
	}
	defer conn.Close()
	var version string
	var now time.Time
	before := time.Now()
	if err := conn.QueryRow(ctx, "SELECT version(), now64(3, 'UTC')").Scan(&version, &now); err != nil {
		f.saw = address + ": " + err.Error()
		return []finding{f}
	}
	f.saw, f.todo = fmt.Sprintf("%s: %s, TLS %s", address, version, onOff(options.TLS != nil)), ""
	if !atLeast(version, leastClickHouse) {
		f.todo = "install ClickHouse " + leastClickHouse + " or newer"
	}
	return []finding{f, clockOf("clickhouse", address, now, before), missingRights(ctx, conn, address, rights)}
}

func retentionOf(ctx context.Context, conn driver.Conn) finding {
	kept, err := schema.ReadRetention(ctx, conn)
	if err != nil {
		return finding{"clickhouse", err.Error(), "run `corrosion migrate`"}
	}
	const day = 24 * time.Hour
	return finding{what: "clickhouse", saw: fmt.Sprintf("raw kept %d days, hours %d", kept.Raw/day, kept.Hourly/day)}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// clockLimit is how far clocks may differ: what comes 5 minutes ahead is refused, and jobs close hours by the clock.
const clockLimit = 2 * time.Second

func clockOf(what, address string, there, before time.Time) finding {
	off := max(time.Until(there), before.Sub(there), 0)
	f := finding{what: what, saw: address + ": its clock agrees with ours"}
	if off > clockLimit {
		f.saw, f.todo = fmt.Sprintf("%s: its clock is off by %s", address, off.Round(time.Millisecond)), "let NTP keep the clocks of all machines"
	}
	return f
}

// missingRights asks for each right by itself, so that all that lack are named.
func missingRights(ctx context.Context, conn driver.Conn, address string, rights []string) finding {
	var missing []string
	for _, right := range rights {
		var granted uint8
		if err := conn.QueryRow(ctx, "CHECK GRANT "+right).Scan(&granted); err != nil || granted == 0 {
			missing = append(missing, right)
		}
	}
	if len(missing) == 0 {
		return finding{what: "clickhouse", saw: address + ": its user has every right that is needed"}
	}
	return finding{"clickhouse", address + ": its user lacks " + strings.Join(missing, "; "), "GRANT each of them, as docs/production.md shows"}
}

// schemaVersion compares a store with what this program knows.
func schemaVersion(ctx context.Context, what, url string, read func(context.Context, string) (schema.Migrated, error)) finding {
	version, err := read(ctx, url)
	switch {
	case err != nil:
		return finding{what, err.Error(), "run `corrosion migrate`"}
	case !version.Current():
		return finding{what, fmt.Sprintf("schema %d, this program wants %d", version.Applied, version.Newest), "run `corrosion migrate`"}
	case version.Applied > version.Newest:
		return finding{what: what, saw: fmt.Sprintf("schema %d, newer than this program's %d", version.Applied, version.Newest)}
	}
	return finding{what: what, saw: fmt.Sprintf("schema %d is current", version.Applied)}
}

// checkHTTP asks for one row the way exports do.
func (c *doctorCommand) checkHTTP(ctx context.Context) []finding {
	if _, err := runSQL(ctx, c.ClickHouseHTTPURL, "TSV", "SELECT 1", nil, io.Discard); err != nil {
		return []finding{{"exports", err.Error(), "check --clickhouse-http-url; exports and archives need it"}}
	}
	return []finding{{what: "exports", saw: "ClickHouse answers over HTTP"}}
}
