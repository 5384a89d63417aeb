// Package replay publishes recorded samples over NATS: wide CSV (a column a metric), long CSV (a row a value) and NDJSON
// in the contract's shape, plain or compressed, of any size in flat memory. It is how users bring their history along,
// so everything that it leaves out is counted by reason with the first lines as examples.
//
// What costs what: a broken line, a bad time or a bad server costs its row; a bad value costs its cell, and the row only
// when nothing is left of it.
package replay
