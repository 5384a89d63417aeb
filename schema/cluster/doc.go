// Package cluster makes the schema of one ClickHouse that of a cluster of them, from the same source.
//
// Each node has two databases. corrosion_shard holds the node's own rows: the tables and views of the migrations under their
// own names, with the materialized views between them, so that a row's rollups are made where the row is. corrosion holds,
// under the same names, Distributed tables over all shards: what the API, operators and Grafana read is written once and runs
// on either. A server's rows are on one shard, and so is whatever is computed server by server; what is computed of a whole
// license is kept in parts, one a shard, that merge (sums, extremes, states).
package cluster
