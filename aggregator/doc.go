// Package aggregator keeps what is derived from samples equal to samples, and runs the platform's jobs.
//
// A pass (verify.go) finds the hours whose rows changed since the last one (changes.go), removes rows that are stored
// twice (doubles.go), compares every rollup with GROUP BY over its rows (compare.go), rebuilds the hours that differ
// without a reader seeing a hole or a double (heal.go, schema/insertgate), and writes network_hourly (network.go). Hours whose rows
// may have expired stay as they are.
//
// Jobs (jobs.go, runner.go) run on gocron schedules, at start, on events and by hand. Several aggregators may run: an
// advisory lock of Postgres (locker.go) lets one work at a time, and a unique row (job, scheduled time) lets each
// occurrence be worked on once (history.go).
package aggregator
