package schema

import "strings"

// literalEscapes are what ends a string literal in ClickHouse's SQL.
var literalEscapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// Literal is text as a string literal of ClickHouse's SQL, for what can be no parameter: names of partitions and query ids, and
// arguments of table functions.
func Literal(text string) string { return "'" + literalEscapes.Replace(text) + "'" }
