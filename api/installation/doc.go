// Package installation brings modules onto servers through their companion agents, and knows the truth about each.
//
// machine.go has the moves of an installation, pure: what is asked, what was sent, what an agent said, what time did. All
// else reads a row, lets the machine decide and writes the row in one transaction, so that any number of processes may
// work on the same installations:
//
//	install.go, change.go   what people ask for
//	dispatch.go             commands into the stream: claimed under a lease, named by id and attempt, sent again under the
//	                        same name where a process died
//	hear.go, reconcile.go   what agents say: statuses may be late, doubled or lost; each heartbeat repeats the latest and
//	                        tells what lies on the disk
//	expire.go               silence ends in failed, with the reason
//	rollout.go, plan.go     many servers, batch by batch, watched by a guard
package installation
