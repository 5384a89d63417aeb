package natsauth_test

import (
	"flag"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"corrosion/schema/schematest"
)

var (
	stormServers  = flag.Int("storm.servers", 500, "game servers that come back at once")
	stormLicenses = flag.Int("storm.licenses", 20, "licenses that they belong to")
	stormStock    = flag.Bool("storm.stock", true, "use a stock nats-server; false = the embedded one")
)

// BenchmarkStorm has every game server reconnect at once after their NATS has dropped them all, as after a restart,
// with a gate that knows nobody.
func BenchmarkStorm(b *testing.B) {
	w := stormWorld(b)
	var users [][2]string
	for range *stormLicenses {
		made := w.license()
		users = append(users, [2]string{made.NATSUser, made.NATSPassword})
	}
	for b.Loop() {
		w.gate.Expire()
		took := make([]time.Duration, *stormServers)
		var all sync.WaitGroup
		begun := time.Now()
		for i := range *stormServers {
			all.Go(func() {
				took[i] = w.comeBack(users[i%len(users)], begun)
			})
		}
		all.Wait()
		slices.Sort(took)
		b.ReportMetric(took[len(took)-1].Seconds(), "s/storm")
		b.ReportMetric(took[len(took)/2].Seconds(), "s/median")
		b.ReportMetric(float64(len(took))/took[len(took)-1].Seconds(), "logins/s")
	}
}

// comeBack tries as a game server does until it is in, with the client's own defaults: a connection that is not ready
// after two seconds is given up, and tried again two seconds later.
func (w *world) comeBack(user [2]string, begun time.Time) time.Duration {
	in := make(chan time.Duration, 1)
	conn, err := nats.Connect(w.url, nats.UserInfo(user[0], user[1]), nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(),
		nats.ConnectHandler(func(*nats.Conn) { in <- time.Since(begun) }))
	if err != nil {
		w.t.Error(err)
		return 0
	}
	defer conn.Close()
	return <-in
}

func stormWorld(b *testing.B) *world {
	b.Helper()
	if *stormStock {
		return newStockWorld(b, schematest.Postgres(b))
	}
	return newLocalWorld(b, schematest.Postgres(b))
}
