package cluster

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// keys say on which shard a row of a table is: one that is inserted through the Distributed table goes there. What a
// materialized view writes stays where its source is, whatever stands here. Healing is asked of each shard by itself.
func keys() map[string]string {
	const server, license = "cityHash64(license_id, server_id)", "cityHash64(license_id)"
	return map[string]string{
		"samples": server, "samples_hourly": server, "metrics_hourly": server, "server_seen": server, "server_daily": server,
		"license_minutely": license, "license_hourly": license, "license_minutely_totals": license, "license_hourly_totals": license,
		"network_hours": license, "event_log": license, "ingest_log": license, "message_ids": license, "user_licenses": license,
		"healing": "",
		// Views, which nobody inserts into.
		"hourly": server, "network_hourly": license, "events": license, "license_hourly_of_samples": license,
	}
}

var (
	upSection = regexp.MustCompile(`(?s)^-- \+goose Up\n(.*?)\n-- \+goose Down`)
	comment   = regexp.MustCompile(`(?m)^\s*--.*\n`)
	between   = regexp.MustCompile(`;[ \t]*(?:--[^\n]*)?\n`)

	definition = regexp.MustCompile(`^(CREATE TABLE|CREATE VIEW|CREATE MATERIALIZED VIEW|DROP VIEW|DROP TABLE|ALTER TABLE)( IF NOT EXISTS| IF EXISTS)? ` +
		`corrosion\.(\w+)`)
	insertion = regexp.MustCompile(`^INSERT INTO corrosion\.(\w+)`)
	engine    = regexp.MustCompile(`(?m)^ENGINE = (\w*MergeTree)(?:\(([^\n]*)\))?$`)
	// changesColumns are the ALTERs that the Distributed table has to follow.
	changesColumns = regexp.MustCompile(`\b(?:ADD|DROP|MODIFY|RENAME) COLUMN\b`)
)

// Statement is one statement of a migration, as a node of a cluster runs it.
type Statement struct {
	Text string
	// Rows says that it moves rows: it runs once a shard, on any of its replicas. Others run on every node, or, with ON
	// CLUSTER, once.
	Rows bool
}

// Render makes a migration's statements those of a cluster. It fails on a table that it does not know: where its rows belong
// has to be said once, in keys.
func (o Options) Render(migration string) ([]Statement, error) {
	up := upSection.FindStringSubmatch(migration)
	if up == nil {
		return nil, errors.New("the migration has no Up section followed by a Down section")
	}
	var out []Statement
	var spread []string // objects whose Distributed table is made anew, in order
	for _, text := range between.Split(comment.ReplaceAllString(up[1]+"\n", ""), -1) {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		statement, name, err := o.own(text)
		if err != nil {
			return nil, err
		}
		out = append(out, statement)
		if name != "" && !slices.Contains(spread, name) {
			spread = append(spread, name)
		}
	}
	for _, name := range spread {
		out = append(out, Statement{Text: o.distributed(name)})
	}
	return out, nil
}

// own is a statement on the node's own tables, and the name of what everybody must see anew.
func (o Options) own(text string) (s Statement, spread string, err error) {
	if insertion.MatchString(text) {
		return Statement{Text: OwnSQL(text), Rows: true}, "", nil
	}
	match := definition.FindStringSubmatch(text)
	if match == nil {
		return s, "", fmt.Errorf("no rule for a cluster: %.60q", text)
	}
	kind, name := match[1], match[3]
	if kind == "DROP TABLE" {
		return s, "", fmt.Errorf("no rule for a cluster: %.60q: its Distributed table would stay", text)
	}
	key, known := keys()[name]
	materialized := kind == "CREATE MATERIALIZED VIEW" || kind == "DROP VIEW"
	if !known && !materialized {
		return s, "", fmt.Errorf("it is not said on which shard rows of %s belong", name)
	}
	s = Statement{Text: OwnSQL(match[0]) + o.onCluster() + OwnSQL(o.engine(name, text[len(match[0]):]))}
	if key != "" && (kind == "CREATE TABLE" || kind == "CREATE VIEW" || changesColumns.MatchString(text)) {
		spread = name
	}
	return s, spread, nil
}

func (o Options) onCluster() string {
	if o.OnCluster {
		return " ON CLUSTER " + o.Name
	}
	return ""
}

// engine makes a table's engine the replicated one of its kind.
func (o Options) engine(name, text string) string {
	if !o.Replicated {
		return text
	}
	match := engine.FindStringSubmatch(text)
	if match == nil {
		return text
	}
	arguments := fmt.Sprintf("'/clickhouse/tables/{shard}/%s/%s', '{replica}'", Own, name)
	if match[2] != "" {
		arguments += ", " + match[2]
	}
	text = strings.Replace(text, match[0], "ENGINE = Replicated"+match[1]+"("+arguments+")", 1)
	return strings.Replace(text, "non_replicated_deduplication_window", "replicated_deduplication_window", 1)
}

// distributed is the table of all shards' rows. Its columns are taken from the node's own table; replacing it is one step.
func (o Options) distributed(name string) string {
	return fmt.Sprintf("CREATE OR REPLACE TABLE %s.%s%s AS %s.%s ENGINE = Distributed(%s, %s, %s, %s)",
		Database, name, o.onCluster(), Own, name, o.Name, Own, name, keys()[name])
}
