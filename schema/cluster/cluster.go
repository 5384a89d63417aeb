package cluster

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Database is what everybody reads, Own each node's own rows.
const (
	Database = "corrosion"
	Own      = "corrosion_shard"
)

// PlainEngine is SQL over system.tables for what CREATE TABLE … AS needs behind it, so that the new table is one server's
// alone: the plain engine of a replicated one, without TTL and arguments; empty where the engine can be taken over, too.
const PlainEngine = `if(startsWith(engine, 'Replicated'), concat(' ENGINE = ', substring(engine, 11), extract(engine_full, '^.*?( (?:PARTITION BY|PRIMARY KEY|ORDER BY) .*?)(?: SAMPLE BY | TTL | SETTINGS |$)')), '')`

// Options say how a cluster is laid out. The zero value is no cluster: one server.
type Options struct {
	// Name is the cluster's in remote_servers.
	Name string
	// Replicated tables are kept by every replica of a shard, through Keeper.
	Replicated bool
	// OnCluster lets ClickHouse bring changes of the schema to all nodes, through Keeper; without it they are made node by node.
	OnCluster bool
}

// Is tells whether there is a cluster.
func (o Options) Is() bool { return o.Name != "" }

// The parameters of a ClickHouse URL that speak of a cluster.
const (
	nameParameter       = "cluster"
	replicatedParameter = "replicated"
	onClusterParameter  = "on_cluster"
)

// clusterName is also what may stand in SQL without quotes.
var clusterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Split takes what speaks of a cluster out of a ClickHouse URL: cluster=NAME, and replicated=false and on_cluster=false for one
// without Keeper. on_cluster is what replicated is where it is not said.
func Split(raw string) (base string, o Options, err error) {
	base, query, found := strings.Cut(raw, "?")
	if !found {
		return raw, o, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", o, errors.New("what follows the ? of the URL cannot be read")
	}
	if o, err = fromValues(values); err != nil {
		return "", o, err
	}
	for _, name := range []string{nameParameter, replicatedParameter, onClusterParameter} {
		values.Del(name)
	}
	if len(values) > 0 {
		base += "?" + values.Encode()
	}
	return base, o, nil
}

func fromValues(values url.Values) (o Options, err error) {
	if !values.Has(nameParameter) {
		if values.Has(replicatedParameter) || values.Has(onClusterParameter) {
			return o, errors.New("replicated and on_cluster are said of a cluster: give cluster=NAME")
		}
		return o, nil
	}
	o = Options{Name: values.Get(nameParameter), Replicated: true}
	if !clusterName.MatchString(o.Name) {
		return o, fmt.Errorf("cluster=%q: want a name of letters, digits and _", o.Name)
	}
	read := func(name string, into *bool) {
		if !values.Has(name) || err != nil {
			return
		}
		if *into, err = strconv.ParseBool(values.Get(name)); err != nil {
			err = fmt.Errorf("%s=%q: want true or false", name, values.Get(name))
		}
	}
	read(replicatedParameter, &o.Replicated)
	o.OnCluster = o.Replicated
	read(onClusterParameter, &o.OnCluster)
	return o, err
}

// Join puts options into a URL that says nothing of a cluster.
func (o Options) Join(raw string) string {
	if !o.Is() {
		return raw
	}
	mark := "?"
	if strings.Contains(raw, "?") {
		mark = "&"
	}
	raw += mark + nameParameter + "=" + o.Name
	if !o.Replicated {
		raw += "&" + replicatedParameter + "=false"
	}
	if o.OnCluster != o.Replicated {
		raw += "&" + onClusterParameter + "=" + strconv.FormatBool(o.OnCluster)
	}
	return raw
}

var (
	ofDatabase = regexp.MustCompile(`\bcorrosion\.([a-z_{%"` + "`" + `])`)
	asText     = regexp.MustCompile(`(database\s*=\s*)'corrosion'`)
)

// OwnSQL makes a statement about the database corrosion one about a node's own rows.
func OwnSQL(statement string) string {
	return asText.ReplaceAllString(ofDatabase.ReplaceAllString(statement, Own+".$1"), "$1'"+Own+"'")
}
