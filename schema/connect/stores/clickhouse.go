// Package stores opens ClickHouse and Postgres from URLs as package connect reads them.
package stores

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema/cluster"
	"corrosion/schema/connect"
)

var errClickHouseURL = errors.New("the ClickHouse URL cannot be read: want clickhouse://user:password@host:9000/corrosion, and ?secure=true for TLS")

// ClickHouseOptions reads a native URL, clickhouse:// or tcp://, whose hosts may be several, separated by commas. Every
// connection that is opened with the options reads the URL's files anew. A file that asks for TLS turns it on.
func ClickHouseOptions(raw string) (*clickhouse.Options, error) {
	base, files, err := connect.Split(raw)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	}
	base, spread, err := cluster.Split(base)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	}
	if scheme, _, _ := strings.Cut(base, "://"); scheme != "clickhouse" && scheme != "tcp" {
		return nil, errClickHouseURL
	}
	options, err := clickhouse.ParseDSN(base)
	if err != nil {
		return nil, errClickHouseURL // the error would show the password
	}
	if spread.Is() {
		overShards(options)
	}
	if files == (connect.Files{}) {
		return options, nil
	}
	if err := refresh(options, files); err != nil {
		return nil, err
	}
	options.DialStrategy = func(ctx context.Context, id int, o *clickhouse.Options, dial clickhouse.Dial) (clickhouse.DialResult, error) {
		fresh := *o
		if err := refresh(&fresh, files); err != nil {
			return clickhouse.DialResult{}, err
		}
		return clickhouse.DefaultDialStrategy(ctx, id, &fresh, dial)
	}
	return options, nil
}

// refresh reads the files into options.
func refresh(options *clickhouse.Options, files connect.Files) error {
	password, ok, err := files.Secret()
	if err != nil {
		return fmt.Errorf("ClickHouse: %w", err)
	}
	if ok {
		options.Auth.Password = password
	}
	if options.TLS == nil && !files.Secure() {
		return nil
	}
	if options.TLS, err = files.TLS(options.TLS); err != nil {
		return fmt.Errorf("ClickHouse: %w", err)
	}
	return nil
}

// ClickHouse prepares a pool; connections open when they are needed.
func ClickHouse(raw string) (driver.Conn, error) {
	options, err := ClickHouseOptions(raw)
	if err != nil {
		return nil, err
	}
	_, spread, err := cluster.Split(raw)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	}
	options.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse: %w", err)
	}
	if spread.Is() {
		return &clustered{Conn: conn, name: spread.Name, options: options, open: map[string]driver.Conn{}}, nil
	}
	return conn, nil
}

// Texts reads a query's one column of text.
func Texts(ctx context.Context, conn driver.Conn, query string, args ...any) ([]string, error) {
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
