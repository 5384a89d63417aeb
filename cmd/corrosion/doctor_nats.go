package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
	"corrosion/schema/connect"
)

// leastNATS is the oldest release with what the streams use.
const leastNATS = "2.11"

// probeStream is made and removed to see whether a stream of the wanted size and copies can be.
const probeStream = "CORROSION_DOCTOR"

// checkNATS checks every host of the URL by itself, then JetStream.
func (c *doctorCommand) checkNATS(ctx context.Context) []finding {
	hosts, files, err := connect.NATSHosts(c.NATSURL)
	if err != nil {
		return []finding{{"nats", err.Error(), "correct --nats-url and its files"}}
	}
	var found []finding
	for _, host := range hosts {
		url, err := connect.Join(host.String(), files)
		if err != nil {
			return []finding{{"nats", err.Error(), "correct --nats-url and its files"}}
		}
		found = append(found, natsHost(url, host.Host)...)
	}
	conn, err := connect.NATS(c.NATSURL, nats.Timeout(doctorLimit/4))
	if err != nil {
		return append(found, finding{"nats", err.Error(), "at least one host must answer"})
	}
	defer conn.Close()
	if c.Role == "api" {
		return found
	}
	return append(found, c.jetStream(ctx, conn)...)
}

func natsHost(url, host string) []finding {
	f := finding{what: "nats", todo: "check host, port, TLS, user and password, and that the server runs with JetStream"}
	conn, err := connect.NATS(url, nats.Timeout(doctorLimit/4), nats.MaxReconnects(0))
	if err != nil {
		f.saw = host + ": " + err.Error()
		return []finding{f}
	}
	defer conn.Close()
	version := conn.ConnectedServerVersion()
	f.saw, f.todo = fmt.Sprintf("%s: %s, messages up to %d KiB", host, version, conn.MaxPayload()>>10), ""
	if !atLeast(version, leastNATS) {
		f.todo = "install nats-server " + leastNATS + " or newer"
	}
	var secured *tls.ConnectionState
	if state, err := conn.TLSConnectionState(); err == nil {
		secured = &state
	}
	return []finding{f, certificate("nats", host, secured)}
}

// jetStream compares the streams with the settings, and makes one for a moment where there are none yet.
func (c *doctorCommand) jetStream(ctx context.Context, conn *nats.Conn) []finding {
	js, err := jetstream.New(conn)
	if err != nil {
		return []finding{{"nats", err.Error(), "start nats-server with JetStream"}}
	}
	stream, err := js.Stream(ctx, schema.StreamStats)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return []finding{c.tryStream(ctx, js)}
	}
	if err != nil {
		return []finding{{"nats", "stream " + schema.StreamStats + ": " + err.Error(), "start nats-server with JetStream, and let the user manage streams ($JS.API.>)"}}
	}
	info := stream.CachedInfo()
	f := finding{what: "nats", saw: fmt.Sprintf("%d messages wait in %s, of %d MiB at most, %d copies", info.State.Msgs, schema.StreamStats, info.Config.MaxBytes>>20, info.Config.Replicas)}
	if info.Config.Replicas != c.StreamReplicas || info.Config.MaxBytes != c.StreamMaxBytes/2 {
		f.todo = "the settings say otherwise: restart the ingesters with the same --stream-max-bytes and --stream-replicas, or give them to doctor"
	}
	if cluster := info.Cluster; cluster != nil && info.Config.Replicas > 1 {
		for _, peer := range cluster.Replicas {
			if peer.Offline || !peer.Current {
				f.todo = "copy on " + peer.Name + " is behind or offline: look after that node"
			}
		}
	}
	return []finding{f}
}

// tryStream proves rights, room and copies by making what the ingester will make.
func (c *doctorCommand) tryStream(ctx context.Context, js jetstream.JetStream) finding {
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: probeStream, Subjects: []string{"corrosion_doctor"}, Storage: jetstream.FileStorage,
		MaxBytes: c.StreamMaxBytes / 2, Replicas: c.StreamReplicas, MaxAge: time.Minute,
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return finding{"nats", "a stream like " + schema.StreamStats + " cannot be made: " + err.Error(),
			"give JetStream room (max_file_store) for --stream-max-bytes, enough nodes for --stream-replicas, and its user the right to manage streams"}
	}
	if err := js.DeleteStream(ctx, probeStream); err != nil {
		return finding{"nats", "stream " + probeStream + " cannot be removed: " + err.Error(), "let the user manage streams ($JS.API.>)"}
	}
	return finding{what: "nats", saw: fmt.Sprintf("no stream yet; one of %d MiB with %d copies can be made", c.StreamMaxBytes>>21, c.StreamReplicas)}
}
