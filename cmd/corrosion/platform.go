package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"corrosion/api/deadletter"
	administration "corrosion/api/platform"
	"corrosion/api/store"
	"corrosion/schema"
	"corrosion/schema/connect"
)

// openPlatform is what platform administrators work with; without a NATS URL there are no dead letters.
func (r *roles) openPlatform(quotas schema.Quotas) (*administration.Service, *deadletter.Office, error) {
	service, err := administration.New(administration.Deps{Store: store.New(r.pool), ClickHouse: r.clickhouse, Quotas: quotas})
	if err != nil || r.NATSURL == "" {
		return service, nil, err
	}
	conn, err := connect.NATS(r.NATSURL, nats.Name("corrosion-platform"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), nats.ReconnectWait(500*time.Millisecond), nats.ErrorHandler(reportNATS(r.log)))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to NATS: %w", err)
	}
	r.onClose("NATS of administrators", func(context.Context) error { conn.Close(); return nil })
	office, err := deadletter.NewOffice(conn)
	return service, office, err
}
