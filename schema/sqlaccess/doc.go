// Package sqlaccess gives a license a read-only ClickHouse user that sees the license's rows and nothing else.
//
// A server that lets users be made by SQL gets a user, a role, row policies, a quota and a settings profile (server.go,
// statements.go). The local engine reads its users from a file at start, so it has a pool of them from the first start
// (local.go); the row filter of each asks corrosion.user_licenses which license is its own. A user of the pool that was
// handed out is never given to another license before its password was renewed and the engine has read that, which is
// tried by signing in. Postgres (sql_access) says who has what; Sync makes ClickHouse agree.
package sqlaccess
