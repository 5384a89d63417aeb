// Package agent is the companion of one game server: it puts modules into the server's plugin directory and says what
// became of them.
//
// The way of a command: it arrives on the agent's own subject from a durable consumer of the platform's, its signature is
// checked (schema/command), it is written into the journal and synced, and only then acknowledged. From there on the agent
// owns it: a kill at any moment is followed by the same work after the next start, and the same command again is known by
// its id and attempt. A file is downloaded beside its place (with resume, bounded in bytes and time), checked against the
// digest, and renamed over what was there, of which a copy is kept.
//
// Whatever is written lies below the plugin directory: all paths go through one os.Root, names of files have no
// separators, and what is a link is never written through. The agent's own things are in .corrosion below it:
//
//	journal      commands and what is installed, replaced as a whole at each step
//	part/<id>    a download under way
//	kept/<sha>   versions that may be put back
//	lock         held while an agent runs on the directory
//	reserve      room to write the journal on a full disk
//
// Statuses are plain publishes and may be lost; each heartbeat repeats the latest, together with what lies on the disk.
package agent
