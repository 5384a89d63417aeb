// Package connect opens connections to the platform's services from their URLs, in one way for every role.
//
// A URL may name files beside what its driver knows, as parameters of its query:
//
//	password_file   the password of the URL's user
//	creds_file      NATS only: a user's JWT and seed, as nsc writes them
//	ca_file         the authorities that may vouch for the server, PEM; it turns TLS on
//	cert_file       the client's certificate, PEM; with key_file
//	key_file        its key, PEM
//
// They are read again for each new connection, so what was rotated counts without a restart. Errors never repeat a URL:
// it may hold a password.
package connect
