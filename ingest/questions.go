package ingest

import (
	"strconv"
	"strings"

	"corrosion/schema"
	"corrosion/schema/cluster"
)

// What is asked of ClickHouse beside inserting. Their texts are in testdata/questions.golden.
const (
	// identifyServer gives what changes when the server is started anew, and its clock.
	identifyServer = "SELECT anyIf(uuid, name = 'INFORMATION_SCHEMA') AS mark, toUInt32(uptime()) AS s," +
		" toUnixTimestamp64Milli(now64(3)) AS ms FROM system.databases"

	// askHighest gives the highest sequence stored of a stream's incarnation, of those that the stream may still hold.
	askHighest = "SELECT max(seq) AS highest FROM " + schema.SamplesTable + " WHERE epoch = {epoch:UInt64} AND seq >= {first:UInt64}"

	// askStored gives the stored ones among some sequences. The bounds on ts leave out whole days; without an index a
	// question costs 30 ms with 20 M rows.
	askStored = "SELECT seq, idx FROM " + schema.SamplesTable + " WHERE epoch = {epoch:UInt64}" +
		" AND seq BETWEEN {first:UInt64} AND {last:UInt64}" +
		" AND ts BETWEEN fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND fromUnixTimestamp64Milli({to:Int64}, 'UTC')"

	// askRunning gives the INSERTs under way of a kind of query_id.
	askRunning = "SELECT query_id FROM system.processes WHERE startsWith(query_id, {prefix:String})"

	// killRunning ends the INSERTs of an instance that lost its lease; one that waits for its client would run for minutes.
	killRunning = "KILL QUERY WHERE startsWith(query_id, '%s') ASYNC"

	// askTwins gives what samples of the last minutes are stored, by the publisher's own count: 64 counts a row, as bits.
	askTwins = "SELECT license_id, server_id, CAST(assumeNotNull(boot), 'String') AS started, intDiv(assumeNotNull(n), 64) AS word," +
		" groupBitOr(bitShiftLeft(toUInt64(1), assumeNotNull(n) % 64)) AS bits FROM " + schema.SamplesTable +
		" WHERE received_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND isNotNull(n) AND isNotNull(boot)" +
		" GROUP BY license_id, server_id, started, word ORDER BY license_id, server_id, started, word"

	insertIDs = "INSERT INTO " + schema.Database + ".message_ids (license_id, id, epoch, seq, stored_at) VALUES"

	// askIDs gives the message ids of the last minutes.
	askIDs = "SELECT license_id, id, epoch, seq, toUnixTimestamp64Milli(stored_at) AS at FROM " + schema.Database + ".message_ids" +
		" WHERE stored_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') ORDER BY stored_at"
)

// insertFence is an INSERT that ClickHouse refuses when it begins after a moment of its own clock, while rollups are
// being healed, or when its first try began before they were: then ClickHouse may have forgotten its token. A begun one
// stands in system.processes until it is over.
type insertFence struct{ head, middle, tail string }

// text is the INSERT between two moments of the server's clock, ms since the epoch.
func (f insertFence) text(born, until int64) string {
	return f.head + strconv.FormatInt(until, 10) + f.middle + strconv.FormatInt(born, 10) + f.tail
}

// healingWords are in the refusal of an INSERT that met a healer.
const healingWords = "rollups are being healed"

// own is the fence of a shard, into its own table.
func (f insertFence) own() insertFence {
	return insertFence{cluster.OwnSQL(f.head), cluster.OwnSQL(f.middle), f.tail}
}

func newInsertFence(table string) insertFence {
	var names, structure []string
	for _, c := range schema.SampleColumns() {
		names = append(names, c.Name)
		structure = append(structure, c.Name+" "+strings.ReplaceAll(c.Type, "'", `\'`))
	}
	columns := strings.Join(names, ", ")
	return insertFence{
		head: "INSERT INTO " + table + " (" + columns + ") SELECT " + columns + " FROM input('" + strings.Join(structure, ", ") + "')" +
			" WHERE throwIf(toUnixTimestamp64Milli(now64(3)) > ",
		middle: ", 'this INSERT came too late') = 0 AND throwIf(toUnixTimestamp64Milli(joinGet('" + schema.Database + ".healing', 'until', toUInt8(1))) >= ",
		tail:   ", '" + healingWords + "') = 0 FORMAT Native",
	}
}
