// Package chaos proves that a sample which JetStream confirmed reaches ClickHouse once, whatever dies on the way.
//
// A generator (generator.go) publishes samples whose content follows from the seed and their number (sample.go,
// message.go), and notes in the ledger (ledger.go) what was confirmed. Meanwhile the driver (driver.go, faults.go) kills,
// freezes, cuts and slows real servers and real ingester processes (world.go). At the end everything runs again and
// drains, and the verifier (verify.go, letters.go, rollups.go) compares every stored row, dead letter and rolled-up hour
// with the ledger. journal.go keeps who did what when, for the post-mortem.
//
// The package serves tests alone: `corrosion ingest` is run by cmd/corrosion's test binary.
package chaos
