// Package erasure removes licenses with everything that belongs to them: rows in Postgres and ClickHouse, messages and
// consumers in JetStream, logins to ClickHouse.
//
// An erasure stands in Postgres and survives the process: a worker claims it, removes what there is, and comes back after
// a while to look again, because samples may have been on their way. It is over when a pass has found nothing left
// anywhere. Every step may be done twice.
package erasure
