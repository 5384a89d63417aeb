// Package exportjob writes exports to files in the background: for what is too big for one request, or has to survive a
// broken connection.
//
// Jobs stand in Postgres, so that several API processes share them; each process works on some. A worker holds a job
// while it renews the job's lease. One that is killed lets the lease run out, and another starts over, in a directory of
// its own: what the first may still write is never served. Files lie below one directory and are served by the processes
// that see it: on one machine, or on a directory that is shared.
package exportjob
