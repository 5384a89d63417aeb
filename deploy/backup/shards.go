package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
)

// shard is one shard of a cluster, on whose connections the names of corrosion are its own tables; or the one server.
type shard struct {
	number int // from 1; 0: there is no cluster
	// conn is the first of the replicas, where tables are cloned.
	conn     driver.Conn
	replicas []driver.Conn
}

// fault says where something failed.
func (s shard) fault(err error) error {
	if err == nil || s.number == 0 {
		return err
	}
	return fmt.Errorf("shard %d of ClickHouse: %w", s.number, err)
}

// openShards asks which shards the cluster of a URL has; where it names none there is one, the server.
func (w *warehouse) openShards(ctx context.Context, clickhouseURL string) error {
	_, of, err := cluster.Split(clickhouseURL)
	if err != nil {
		return fmt.Errorf("ClickHouse: %w", err)
	}
	conns, err := stores.Shards(ctx, w.conn)
	if err != nil {
		return err
	}
	w.cluster = of.Name
	for i, conn := range conns {
		one := shard{replicas: stores.Replicas(conn)}
		one.conn = one.replicas[0]
		if of.Is() {
			one.number = i + 1
		}
		w.shards = append(w.shards, one)
	}
	return nil
}

// each does the same on all shards at once, and says of which ones it failed.
func (w *warehouse) each(do func(s shard) error) error {
	faults := make([]error, len(w.shards))
	var all sync.WaitGroup
	for i, s := range w.shards {
		all.Go(func() { faults[i] = s.fault(do(s)) })
	}
	all.Wait()
	return errors.Join(faults...)
}

// replicas are those of all shards.
func (w *warehouse) replicas() (all []driver.Conn) {
	for _, s := range w.shards {
		all = append(all, s.replicas...)
	}
	return all
}

// source is a table that is backed up. Engine is what its clone needs beside the columns; empty: nothing.
type source struct{ name, engine string }

// derivedByShard are computed by each shard from its own rows, again and again: put together they would be of no shard. A
// restored server computes them anew, and until then readers do without.
func derivedByShard() []string {
	return []string{"license_hourly_totals", "license_minutely_totals", "server_daily"}
}

// sources lists the tables, which must be the same on every shard.
func (w *warehouse) sources(ctx context.Context) ([]source, error) {
	var all []source
	for i, s := range w.shards {
		mine, err := s.sources(ctx)
		if err != nil {
			return nil, s.fault(fmt.Errorf("list tables of ClickHouse: %w", err))
		}
		if i > 0 && !slices.Equal(mine, all) {
			return nil, s.fault(errors.New("its tables are not those of the first shard: run `corrosion migrate` first"))
		}
		all = mine
	}
	if len(w.shards) > 1 {
		all = slices.DeleteFunc(all, func(s source) bool { return slices.Contains(derivedByShard(), s.name) })
	}
	return all, nil
}

func (s shard) sources(ctx context.Context) (all []source, err error) {
	rows, err := s.conn.Query(ctx, askTables)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one source
		if err := rows.Scan(&one.name, &one.engine); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// catchUp lets the replicas that are cloned fetch what others of their shard have confirmed.
func (w *warehouse) catchUp(ctx context.Context, tables []source) error {
	return w.each(func(s shard) error {
		for _, statement := range s.catchUp(tables) {
			if err := s.conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("wait for the first replica to have all (%s): %w", statement, err)
			}
		}
		return nil
	})
}

// catchUp waits for parts alone: merges do not change rows.
func (s shard) catchUp(tables []source) (statements []string) {
	if len(s.replicas) < 2 {
		return nil
	}
	for _, t := range tables {
		if t.engine != "" {
			statements = append(statements, "SYSTEM SYNC REPLICA corrosion."+t.name+" LIGHTWEIGHT")
		}
	}
	return statements
}

// file is where a partition of a table lies within the backup.
func (w *warehouse) file(s shard, table, partition string) string {
	folder := "clickhouse/"
	if len(w.shards) > 1 {
		folder += "shard-" + strconv.Itoa(s.number) + "/"
	}
	return folder + table + "/" + partition + ".native.zst"
}

// rows is the query for the rows of a partition of a clone, as any server of the cluster answers it.
func (w *warehouse) rows(s shard, t *Table, partition string) string {
	from, where := "corrosion."+clonePrefix+t.Name, "_partition_id = "+schema.Literal(partition)
	if s.number > 0 {
		from = "cluster(" + schema.Literal(w.cluster) + ", " + schema.Literal(cluster.Own) + ", " + schema.Literal(clonePrefix+t.Name) + ")"
		where += " AND _shard_num = " + strconv.Itoa(s.number)
	}
	return "SELECT " + quotedNames(t.Columns) + " FROM " + from + " WHERE " + where
}
