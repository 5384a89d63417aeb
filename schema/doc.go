// Package schema holds the words that everything else is written in: what a sample is, which fields it may carry, in
// which order its columns stand, and the tables of both stores.
//
// The path of one sample: a game server publishes it as JSON (schema/wire reads it), JetStream stores it, ingest turns
// it into a row of columns and inserts it into ClickHouse table samples; materialized views add it to samples_hourly
// and metrics_hourly at the same moment; api/query reads raw or hours, whichever answers, and a dashboard draws it.
//
// Imports go one way: ingest, aggregator and api import schema and never each other; schema imports nothing of ours.
package schema
