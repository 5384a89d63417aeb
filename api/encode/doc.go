// Package encode writes stored samples and hours as files: CSV, newline-delimited JSON and Parquet.
//
// An export is one query over ClickHouse's HTTP interface, whose answer is passed on while it is counted: the engine
// formats faster than we could, and nothing is held but a few buffers. The last half megabyte stays back until the
// engine has ended the answer properly, so that a fault of the engine is an error of Read and never text in a file.
package encode
