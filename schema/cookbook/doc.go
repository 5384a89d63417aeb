// Package cookbook holds the queries that operators of game-server networks ask, ready to run against ClickHouse.
//
// Each is a file of schema/clickhouse/cookbook: a front comment that names what it asks, its parameters with defaults,
// the tables it reads and the shape of its answer, and then one SELECT with ClickHouse query parameters. A test runs every
// one as the user operator and holds its answer against the documented shape; docs/cookbook.md is made from the same.
package cookbook
