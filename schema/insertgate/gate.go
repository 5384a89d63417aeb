// Package insertgate holds ingesters' INSERTs off for moments, so that the samples and their rollups can be looked at, or
// replaced, as of one instant. Samples wait in JetStream meanwhile. At most one holder has the gate.
package insertgate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/connect/stores"
	"corrosion/schema/pause"
)

// The gate's statements. A lock is alive while its end is ahead of ClickHouse's own clock; ingest's INSERTs ask for it.
const (
	lockGate = `INSERT INTO corrosion.healing SELECT 1, ?, now64(6) + toIntervalMicrosecond(?)
		WHERE joinGet('corrosion.healing', 'until', toUInt8(1)) <= now64(6)`
	askGate    = `SELECT joinGet('corrosion.healing', 'healer', toUInt8(1)), toUnixTimestamp64Micro(now64(6))`
	unlockGate = `INSERT INTO corrosion.healing SELECT 1, ?, now64(6) WHERE joinGet('corrosion.healing', 'healer', toUInt8(1)) = ?`
	// emptyGate forgets ended locks that nothing can depend on any more; each leaves a small file.
	emptyGate = `TRUNCATE TABLE corrosion.healing`
	ageOfGate = `SELECT count(), toInt64(dateDiff('second', joinGet('corrosion.healing', 'until', toUInt8(1)), now64(6))) FROM corrosion.healing`
	// askInserts lists the INSERTs that began before a moment (us since the epoch); these may not have seen the lock.
	askInserts = `SELECT query_id FROM system.processes WHERE startsWith(query_id, ?) AND NOT endsWith(query_id, '-ids')
		AND toUnixTimestamp64Micro(now64(6)) - toInt64(elapsed * 1000000) <= ?`
	killInsert = `KILL QUERY WHERE query_id = %s ASYNC`
)

// ErrBusy says that inserts did not end in time, or that another holder's lock is alive: try again.
var ErrBusy = errors.New("the gate of inserts is busy")

// Gate holds ingesters' INSERTs off for moments. It is not safe for concurrent use.
type Gate struct {
	// Conns are the server, or every replica of a shard: an INSERT may go to any.
	Conns []driver.Conn
	// Lease is how long INSERTs are held off at most, whatever becomes of the holder.
	Lease time.Duration
	// KillAfter is when an INSERT of before that has not ended is killed: its client sends its rows again when it has made sure
	// that they are not stored, and rollups may lack what the views had not done. 0: never.
	KillAfter time.Duration
	// healer names the holder; every lock has a name of its own.
	healer string
}

// Shut takes the lock and returns when no INSERT of before runs any more. The context that it gives ends with the lease.
func (g *Gate) Shut(ctx context.Context) (bound context.Context, open func(), err error) {
	g.healer = uuid.NewString()
	bound, cancel := context.WithTimeout(ctx, g.Lease) // by our clock it ends no later than by ClickHouse's
	open = func() {
		cancel()
		late, stop := context.WithTimeout(context.WithoutCancel(ctx), g.Lease)
		defer stop()
		for _, conn := range g.Conns {
			_ = conn.Exec(late, unlockGate, g.healer, g.healer) // else it lapses
		}
	}
	for _, conn := range g.Conns {
		if err = conn.Exec(bound, lockGate, g.healer, g.Lease.Microseconds()); err == nil {
			err = g.settle(bound, conn)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		open()
		return nil, nil, fmt.Errorf("hold inserts off: %w", err)
	}
	return bound, open, nil
}

// settle waits for the INSERTs that may have begun before the lock was there.
func (g *Gate) settle(ctx context.Context, conn driver.Conn) error {
	var healer string
	var locked int64
	if err := conn.QueryRow(ctx, askGate).Scan(&healer, &locked); err != nil {
		return err
	}
	if healer != g.healer {
		return ErrBusy
	}
	patience := time.Now().Add(g.KillAfter)
	killed := g.KillAfter == 0
	for {
		ids, err := stores.Texts(ctx, conn, askInserts, schema.IngestQueryPrefix, locked)
		if err != nil || len(ids) == 0 {
			return err
		}
		if !killed && time.Now().After(patience) {
			killed = true
			for _, id := range ids {
				if err := conn.Exec(ctx, fmt.Sprintf(killInsert, schema.Literal(id))); err != nil {
					return err
				}
			}
		}
		if !pause.For(ctx, 3*time.Millisecond) {
			return errors.Join(ErrBusy, ctx.Err())
		}
	}
}

// Tidy forgets locks of long ago.
func (g *Gate) Tidy(ctx context.Context) error {
	var faults []error
	for _, conn := range g.Conns {
		faults = append(faults, tidy(ctx, conn))
	}
	return errors.Join(faults...)
}

func tidy(ctx context.Context, conn driver.Conn) error {
	var locks uint64
	var age int64
	if err := conn.QueryRow(ctx, ageOfGate).Scan(&locks, &age); err != nil {
		return fmt.Errorf("look at the gate: %w", err)
	}
	if locks == 0 || age < 3600 {
		return nil
	}
	return conn.Exec(ctx, emptyGate)
}
