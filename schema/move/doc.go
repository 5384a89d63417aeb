// Package move copies what a single ClickHouse has stored into a cluster.
//
// It goes table by table and partition by partition (mostly days). A partition is compared first, by counts and sums, and
// copied only where the cluster has less: so a run that was stopped goes on where it was, one that is repeated copies what has
// come since, and the last one, when nothing is published any more, finds nothing left. Each shard fetches its own rows from
// the server into a table beside, which is compared, too, and takes the partition's place in one step; views do not run
// meanwhile. Rollups of whole licenses are made anew by each shard, from its servers' hours and samples.
package move
