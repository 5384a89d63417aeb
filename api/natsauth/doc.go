// Package natsauth decides who may connect to NATS and what they may do there.
//
// A Gate judges logins by the NATS users in Postgres. The local server asks it
// through its own hook; a Callout answers for it on servers of the operator's
// own. A Warden ends live connections that no longer hold: those of suspended
// licenses, of rotated passwords and of revoked users.
package natsauth
