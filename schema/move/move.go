package move

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
)

// Progress is one partition that was looked at.
type Progress struct {
	Table, Partition string
	// Done counts the partitions, of Total, that are equal on both sides now.
	Done, Total int
	// Rows is what was copied; 0: the cluster had it all.
	Rows uint64
	Took time.Duration
}

// Result is what a run did.
type Result struct {
	Partitions, Copied int
	Rows               uint64
}

// staging begins the tables that partitions are fetched into.
const staging = "move_"

// ErrInService says that the cluster has rows that the server lacks: copying would drop them.
var ErrInService = errors.New("the cluster has rows that the server has not: it is in service already, and copying would drop them")

// mover is one run.
type mover struct {
	source  driver.Conn
	remote  string // the server, as a table function's arguments before the table, and after it
	login   string
	target  driver.Conn
	shards  []driver.Conn
	slots   [][2]uint32 // of each shard, half-open
	weights uint32
	tell    func(Progress)
	result  Result
}

// Move copies from the single server of one URL into the cluster of another, whose nodes must reach that server under the
// name that the URL has. It may be stopped and repeated at any time.
func Move(ctx context.Context, from, to string, tell func(Progress)) (Result, error) {
	m, err := open(ctx, from, to)
	if err != nil {
		return Result{}, err
	}
	defer m.close()
	m.tell = tell
	if err := m.prepare(ctx); err != nil {
		return m.result, err
	}
	work, err := m.partitions(ctx)
	if err != nil {
		return m.result, err
	}
	for i, p := range work {
		if err := m.partition(ctx, p, i+1, len(work)); err != nil {
			return m.result, fmt.Errorf("%s %s: %w", p.table.name, p.name, err)
		}
	}
	return m.result, m.deriveAll(ctx, work)
}

func open(ctx context.Context, from, to string) (*mover, error) {
	_, single, err := cluster.Split(from)
	if err != nil {
		return nil, fmt.Errorf("the server that is copied: %w", err)
	}
	if single.Is() {
		return nil, errors.New("--clickhouse-url must be the single server that is copied, not a cluster")
	}
	_, of, err := cluster.Split(to)
	if err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	if !of.Is() {
		return nil, errors.New("--to must name a cluster: clickhouse://user:password@host:9000/corrosion?cluster=NAME")
	}
	m := &mover{}
	if err = m.connect(ctx, from, to, of.Name); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *mover) connect(ctx context.Context, from, to, name string) (err error) {
	if m.source, err = stores.ClickHouse(from); err != nil {
		return fmt.Errorf("the server that is copied: %w", err)
	}
	if m.target, err = stores.ClickHouse(to); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if m.shards, err = stores.Shards(ctx, m.target); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	topology, err := stores.Topology(ctx, m.target, name)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	for _, s := range topology {
		m.slots = append(m.slots, [2]uint32{m.weights, m.weights + s.Weight})
		m.weights += s.Weight
	}
	return m.checkVersions(ctx, from, to)
}

func (m *mover) close() {
	for _, conn := range []driver.Conn{m.source, m.target} {
		if conn != nil {
			conn.Close()
		}
	}
}

// checkVersions wants the newest schema on both sides, and takes the server's address for the shards.
func (m *mover) checkVersions(ctx context.Context, from, to string) error {
	version, err := schema.ClickHouseVersion(ctx, from)
	if err != nil {
		return fmt.Errorf("the server that is copied: %w", err)
	}
	if !version.Current() || version.Applied > version.Newest {
		return fmt.Errorf("the server that is copied has schema %d, this program wants %d: run `corrosion migrate` there first", version.Applied, version.Newest)
	}
	nodes, err := schema.Nodes(ctx, to)
	if err != nil {
		return err
	}
	options, err := stores.ClickHouseOptions(from)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Addr == options.Addr[0] {
			return fmt.Errorf("%s is a node of the cluster itself: a node cannot hold both kinds of tables", n.Addr)
		}
		v, err := schema.NodeVersion(ctx, to, n)
		if err != nil || v != version {
			return errors.Join(fmt.Errorf("node %s has schema %d, the server %d: run `corrosion migrate` with the cluster's URL first", n.Addr, v.Applied, version.Applied), err)
		}
	}
	function := "remote"
	if options.TLS != nil {
		function = "remoteSecure"
	}
	m.remote = function + "(" + schema.Literal(options.Addr[0]) + ", corrosion, "
	m.login = ", " + schema.Literal(options.Auth.Username) + ", " + schema.Literal(options.Auth.Password) + ")"
	return nil
}

// prepare lets the cluster keep rows for as long as the server does, and makes staging tables.
func (m *mover) prepare(ctx context.Context) error {
	kept, err := schema.ReadRetention(ctx, m.source)
	if err != nil {
		return err
	}
	if err := schema.ApplyRetention(ctx, m.target, kept); err != nil {
		return err
	}
	for _, shard := range m.shards {
		for _, name := range stagedTables() {
			if err := stage(ctx, shard, name); err != nil {
				return fmt.Errorf("make a table beside %s: %w", name, err)
			}
		}
	}
	return nil
}

func stagedTables() (names []string) {
	for _, t := range tables() {
		names = append(names, t.name)
	}
	for _, d := range deriveds() {
		names = append(names, d.name)
	}
	return names
}

// stage makes a table beside that merges nothing, so that rows stay as they came.
func stage(ctx context.Context, shard driver.Conn, name string) error {
	var partition, sorting string
	if err := shard.QueryRow(ctx, "SELECT partition_key, sorting_key FROM system.tables WHERE database = 'corrosion' AND name = ?", name).Scan(&partition, &sorting); err != nil {
		return err
	}
	if partition != "" {
		partition = " PARTITION BY " + partition
	}
	if err := shard.Exec(ctx, "DROP TABLE IF EXISTS corrosion."+staging+name+" SYNC"); err != nil {
		return err
	}
	return shard.Exec(ctx, "CREATE TABLE corrosion."+staging+name+" AS corrosion."+name+" ENGINE = MergeTree"+partition+" ORDER BY ("+sorting+")")
}

// part is one partition of a table.
type part struct {
	table table
	name  string // as system.parts has it
	id    string
	where string
}

// partitions are the server's, table by table, oldest first.
func (m *mover) partitions(ctx context.Context) (all []part, err error) {
	for _, t := range tables() {
		var key string
		if err := m.source.QueryRow(ctx, "SELECT partition_key FROM system.tables WHERE database = 'corrosion' AND name = ?", t.name).Scan(&key); err != nil {
			return nil, fmt.Errorf("look at %s: %w", t.name, err)
		}
		rows, err := m.source.Query(ctx, "SELECT partition, partition_id FROM system.parts WHERE database = 'corrosion' AND table = ? AND active GROUP BY partition, partition_id ORDER BY partition_id", t.name)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", t.name, err)
		}
		for rows.Next() {
			p := part{table: t, where: "1"}
			if err := rows.Scan(&p.name, &p.id); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			if key != "" {
				p.where = key + " = " + schema.Literal(p.name)
			}
			all = append(all, p)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("look at %s: %w", t.name, err)
		}
	}
	return all, nil
}

// figures are those of a partition, as its table lists them; whole numbers.
type figures [5]int64

func ask(ctx context.Context, conn driver.Conn, p part, from string) (f figures, err error) {
	final := ""
	if p.table.final {
		final = " FINAL"
	}
	expressions := p.table.figures
	query := "SELECT arrayMap(x -> toInt64(ifNull(x, 0)), [" + casts(expressions) + "]) FROM " + from + final + " WHERE " + p.where
	var got []int64
	if err := conn.QueryRow(ctx, query).Scan(&got); err != nil {
		return f, fmt.Errorf("count: %w", err)
	}
	copy(f[:], got)
	return f, nil
}

// casts makes expressions of one type; they hold commas only within brackets or between.
func casts(list string) string {
	var out strings.Builder
	depth, start := 0, 0
	add := func(end int) {
		if out.Len() > 0 {
			out.WriteString(", ")
		}
		out.WriteString("toNullable(toInt64(" + strings.TrimSpace(list[start:end]) + "))")
	}
	for i, c := range list {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				add(i)
				start = i + 1
			}
		}
	}
	add(len(list))
	return out.String()
}

// partition makes one equal.
func (m *mover) partition(ctx context.Context, p part, done, total int) error {
	begun := time.Now()
	want, err := ask(ctx, m.source, p, "corrosion."+p.table.name)
	if err != nil {
		return err
	}
	has, err := ask(ctx, m.target, p, "corrosion."+p.table.name)
	if err != nil {
		return err
	}
	m.result.Partitions++
	progress := Progress{Table: p.table.name, Partition: p.name, Done: done, Total: total}
	if has != want {
		if has[0] > want[0] {
			return ErrInService
		}
		if progress.Rows, err = m.copy(ctx, p); err != nil {
			return err
		}
		m.result.Copied++
		m.result.Rows += progress.Rows
		// Rows may have come to the server meanwhile; they are for the next run.
		if has, err = ask(ctx, m.target, p, "corrosion."+p.table.name); err != nil {
			return err
		}
		if has[0] < want[0] {
			return fmt.Errorf("the copy has %v, the server %v", has, want)
		}
	}
	progress.Took = time.Since(begun)
	m.tell(progress)
	return nil
}

// copy lets each shard fetch its rows of a partition, and puts them in place.
func (m *mover) copy(ctx context.Context, p part) (rows uint64, err error) {
	for i, shard := range m.shards {
		beside := "corrosion." + staging + p.table.name
		mine := fmt.Sprintf("%s %% %d >= %d AND %[1]s %% %[2]d < %[4]d", p.table.by, m.weights, m.slots[i][0], m.slots[i][1])
		for _, statement := range []string{
			"TRUNCATE TABLE " + beside,
			"INSERT INTO " + beside + " SELECT * FROM " + m.remote + p.table.name + m.login + " WHERE " + p.where + " AND " + mine,
		} {
			if err := shard.Exec(settings(ctx), statement); err != nil {
				return rows, fmt.Errorf("shard %d: %w", i+1, withoutLogin(err))
			}
		}
		var n uint64
		if err := shard.QueryRow(ctx, "SELECT count() FROM "+beside).Scan(&n); err != nil {
			return rows, err
		}
		rows += n
		if err := replace(ctx, shard, p.table.name, p.id); err != nil {
			return rows, fmt.Errorf("shard %d: %w", i+1, err)
		}
	}
	return rows, nil
}

func replace(ctx context.Context, shard driver.Conn, name, id string) error {
	err := shard.Exec(settings(ctx), "ALTER TABLE corrosion."+name+" REPLACE PARTITION ID "+schema.Literal(id)+" FROM corrosion."+staging+name)
	if err != nil {
		return fmt.Errorf("put the partition in place: %w", err)
	}
	return shard.Exec(ctx, "TRUNCATE TABLE corrosion."+staging+name)
}

// settings let a statement take its time, and an empty partition take the place of another.
func settings(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_execution_time": 0, "insert_deduplicate": 0, "allow_replace_partition_from_empty_source": 1, "max_bytes_before_external_group_by": 256 << 20,
		"format_display_secrets_in_show_and_select": 0,
	}))
}

// withoutLogin never shows a statement, which holds the server's password.
func withoutLogin(err error) error {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return fmt.Errorf("ClickHouse error %d while fetching from the server: can the shard reach it, by the name in --clickhouse-url, and has its user REMOTE?", exception.Code)
	}
	return err
}
