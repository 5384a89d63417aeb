// Package live knows the newest sample of every server of the licenses that somebody watches, and hands out what changes.
//
// The API process listens to NATS itself, beside the streams, and only to licenses that have a listener: hub.go makes a
// network for the first one and lets it go a while after the last. A network keeps the newest sample of each server
// (state.go), seeded once from ClickHouse (seed.go), and makes at most four frames a second (network.go). Frames are not
// queued: each server remembers the frame in which it changed last, so what a listener lacks is every server that changed
// behind the frame it has (view.go). A slow listener simply lacks more, latest state first; so does one that comes back
// with Last-Event-ID. What is equal for many listeners is encoded and compressed once (frame.go).
//
// What quotas refuse, and what a publisher sends twice, shows here too: only the stores know of it. Several API processes
// each listen for themselves.
package live
