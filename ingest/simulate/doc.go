// Package simulate makes lifelike game servers: day and night, weekends, wipes, restarts and crashes, lag spikes, joins
// and queues, map and version changes, leaks.
//
// Every sample is a pure function of the seed, the server and the time, so that any stretch of history can be made at
// any moment and in any order, and what is made live continues it without a seam. The only thing kept is a memo of the
// current boot.
package simulate
