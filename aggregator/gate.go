package aggregator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
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
	killInsert = `KILL QUERY WHERE query_id = '%s' ASYNC`
	askServer  = `SELECT anyIf(uuid, name = 'INFORMATION_SCHEMA'), now64(6) - toIntervalSecond(uptime()) FROM system.databases`
)

// errGateBusy says that inserts did not end in time, or that another healer's lock is alive.
var errGateBusy = errors.New("the gate of inserts is busy")

// insertPatience is the part of a lease after which an INSERT that does not end is killed: its client waits, and sends
// its rows again when it has made sure that they are not stored.
const insertPatience = 0.3

// gate holds ingesters' INSERTs off for moments.
type gate struct {
	// conns are the server, or every replica of a shard: an INSERT may go to any.
	conns []driver.Conn
	lease time.Duration
	// healer names the holder; every lock has a name of its own.
	healer string
	// until is the end of the lease by this process's clock, never later than by ClickHouse's.
	until time.Time
}

// shut takes the lock and returns when no INSERT of before runs any more. The context that it gives ends with the lease.
func (g *gate) shut(ctx context.Context) (bound context.Context, open func(), err error) {
	g.healer = uuid.NewString()
	g.until = time.Now().Add(g.lease)
	bound, cancel := context.WithDeadline(ctx, g.until)
	open = func() {
		cancel()
		late, stop := context.WithTimeout(context.WithoutCancel(ctx), g.lease)
		defer stop()
		for _, conn := range g.conns {
			_ = conn.Exec(late, unlockGate, g.healer, g.healer) // else it lapses
		}
	}
	for _, conn := range g.conns {
		if err = conn.Exec(bound, lockGate, g.healer, g.lease.Microseconds()); err == nil {
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
func (g *gate) settle(ctx context.Context, conn driver.Conn) error {
	var healer string
	var locked int64
	if err := conn.QueryRow(ctx, askGate).Scan(&healer, &locked); err != nil {
		return err
	}
	if healer != g.healer {
		return errGateBusy
	}
	patience := time.Now().Add(time.Duration(float64(g.lease) * insertPatience))
	killed := false
	for {
		ids, err := texts(ctx, conn, askInserts, schema.IngestQueryPrefix, locked)
		if err != nil || len(ids) == 0 {
			return err
		}
		if !killed && time.Now().After(patience) {
			killed = true
			for _, id := range ids {
				if err := conn.Exec(ctx, fmt.Sprintf(killInsert, quoted(id))); err != nil {
					return err
				}
			}
		}
		if !pause(ctx, 3*time.Millisecond) {
			return errors.Join(errGateBusy, ctx.Err())
		}
	}
}

// tidy forgets locks of long ago.
func (g *gate) tidy(ctx context.Context) error {
	var faults []error
	for _, conn := range g.conns {
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

// serverRun tells one run of a ClickHouse server from the next.
type serverRun struct {
	mark  uuid.UUID
	since time.Time
}

func askServerRun(ctx context.Context, conn driver.Conn) (serverRun, error) {
	var s serverRun
	if err := conn.QueryRow(ctx, askServer).Scan(&s.mark, &s.since); err != nil {
		return s, fmt.Errorf("ask when clickhouse started: %w", err)
	}
	return s, nil
}

// texts reads one column of text.
func texts(ctx context.Context, conn driver.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// pause waits; false where ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// heavy lets a statement name many parts and hours, spill what does not fit, and be stored although its like was.
func heavy(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_query_size": 16 << 20, "max_ast_elements": 4_000_000, "max_expanded_ast_elements": 8_000_000, "insert_deduplicate": 0,
		"max_bytes_before_external_group_by": 256 << 20, "max_insert_threads": 1, "mutations_sync": 1, "max_execution_time": 600,
		"allow_replace_partition_from_empty_source": 1, "allow_nondeterministic_mutations": 1,
	}))
}
