package stores

import (
	"context"
	"crypto/tls"
	"net"
)

// shakeHands speaks TLS over an open connection, which it closes where that fails.
func shakeHands(ctx context.Context, conn net.Conn, config *tls.Config, address string) (net.Conn, error) {
	secured := tls.Client(conn, ExpectName(config, address))
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// ExpectName fills in whose certificate is expected, from host and port, where config does not say.
func ExpectName(config *tls.Config, address string) *tls.Config {
	if config.ServerName != "" || config.InsecureSkipVerify {
		return config
	}
	config = config.Clone()
	config.ServerName, _, _ = net.SplitHostPort(address)
	return config
}
