package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/klauspost/compress/zstd"

	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
)

// What is asked of ClickHouse about its tables.
const (
	// askTables lists what holds rows of our own, and what a clone needs beside the columns: neither views, nor the lock of
	// inserts, nor what a healing, a backup or a move works in. A database that is missing has none.
	askTables = `SELECT name, ` + cluster.PlainEngine + ` FROM system.tables WHERE database = 'corrosion' AND engine LIKE '%MergeTree'
		AND name NOT IN ('schema_migrations', 'restoring') AND NOT startsWith(name, 'heal_') AND NOT startsWith(name, 'backup_')
		AND NOT startsWith(name, 'restore_') AND NOT startsWith(name, 'move_') ORDER BY name`
	askColumns    = `SELECT name, type FROM system.columns WHERE database = 'corrosion' AND table = ? AND default_kind NOT IN ('ALIAS', 'MATERIALIZED', 'EPHEMERAL') ORDER BY position`
	askPartitions = `SELECT _partition_id, count(), toString(sum(%s)) FROM corrosion.%s GROUP BY _partition_id ORDER BY _partition_id`
	askVersion    = `SELECT version()`
)

// warehouse is ClickHouse: statements over the native protocol, rows in bulk over HTTP.
type warehouse struct {
	conn   driver.Conn
	shards []shard // of a backup, once openShards has asked for them
	// cluster is the name of the cluster; empty: it is one server.
	cluster string
	http    *stores.HTTP
	client  *http.Client
}

func openWarehouse(conn driver.Conn, httpURL string) (*warehouse, error) {
	at, err := stores.ClickHouseHTTP(httpURL)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &warehouse{conn: conn, http: at, client: &http.Client{Transport: at.Secure(&http.Transport{DialContext: dialer.DialContext, DisableCompression: true})}}, nil
}

func (w *warehouse) close() { w.client.CloseIdleConnections() }

// columns are a table's columns, and the hash of a row. States of aggregates are hashed by what they come to: their bytes
// depend on the order in which they were merged.
func columns(ctx context.Context, conn driver.Conn, table string) (names []string, hash string, err error) {
	rows, err := conn.Query(ctx, askColumns, table)
	if err != nil {
		return nil, "", fmt.Errorf("read columns of %s: %w", table, err)
	}
	defer rows.Close()
	var hashed []string
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, "", fmt.Errorf("read columns of %s: %w", table, err)
		}
		names = append(names, name)
		if strings.HasPrefix(kind, "AggregateFunction") {
			name = "toString(finalizeAggregation(`" + name + "`))"
		} else {
			name = "`" + name + "`"
		}
		hashed = append(hashed, name)
	}
	return names, "cityHash64(tuple(" + strings.Join(hashed, ", ") + "))", rows.Err()
}

// partition is what one partition of a table holds.
type partition struct {
	id   string
	rows uint64
	sum  string
}

func partitions(ctx context.Context, conn driver.Conn, table, hash string) ([]partition, error) {
	rows, err := conn.Query(ctx, fmt.Sprintf(askPartitions, hash, table))
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", table, err)
	}
	defer rows.Close()
	var all []partition
	for rows.Next() {
		var p partition
		if err := rows.Scan(&p.id, &p.rows, &p.sum); err != nil {
			return nil, fmt.Errorf("count %s: %w", table, err)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// readSettings let rows come whole or not at all: a shard that is away is an error, and of its replicas the first is asked,
// which has the clones.
func readSettings() url.Values {
	return url.Values{
		"http_write_exception_in_output_format": {"0"}, "max_threads": {"2"},
		"skip_unavailable_shards": {"0"}, "load_balancing": {"in_order"}, "prefer_localhost_replica": {"0"},
	}
}

// read writes the rows that a query gives, in ClickHouse's own format under zstd.
func (w *warehouse) read(ctx context.Context, query string, to io.Writer) error {
	response, err := w.post(ctx, readSettings(), strings.NewReader(query+" FORMAT Native"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	encoder, err := zstd.NewWriter(to, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
	if err != nil {
		return err
	}
	if _, err := io.Copy(encoder, stores.NewAnswer(response)); err != nil {
		return errors.Join(fmt.Errorf("read rows: %w", err), encoder.Close())
	}
	return encoder.Close()
}

// insert stores rows that read gave. Rows of a view's table stay as they are, and equal blocks are not taken for repeats.
func (w *warehouse) insert(ctx context.Context, table string, columns []string, from io.Reader) error {
	decoder, err := zstd.NewReader(from)
	if err != nil {
		return err
	}
	defer decoder.Close()
	response, err := w.post(ctx, url.Values{
		"query":              {"INSERT INTO corrosion." + table + " (`" + strings.Join(columns, "`, `") + "`) FORMAT Native"},
		"optimize_on_insert": {"0"}, "insert_deduplicate": {"0"}, "max_partitions_per_insert_block": {"0"}, "async_insert": {"0"},
	}, decoder)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", table, err)
	}
	return response.Body.Close()
}

func (w *warehouse) post(ctx context.Context, settings url.Values, body io.Reader) (*http.Response, error) {
	at := w.http.Address()
	values := at.Query()
	for name := range settings {
		values.Set(name, settings.Get(name))
	}
	at.RawQuery = values.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), body)
	if err != nil {
		return nil, err
	}
	if err := w.http.SignIn(request); err != nil {
		return nil, err
	}
	response, err := w.client.Do(request)
	var refused *url.Error
	if errors.As(err, &refused) {
		return nil, fmt.Errorf("ask ClickHouse over HTTP: %w", refused.Err) // without the URL
	}
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, stores.Refusal(response)
	}
	return response, nil
}
