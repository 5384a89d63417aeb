package schema

// Rollup is a table that is filled at insert from samples. Its rows of one key may stand in several parts.
type Rollup struct {
	// Table and View are names within Database. The view's SELECT over samples is the one definition of what the rows mean;
	// mostly it is the materialized view that fills the table.
	Table, View string
	// Time is the column with the start of the row's hour or minute; the table is partitioned by its day, UTC.
	Time string
}

// Rollups are the tables that the aggregator keeps equal to GROUP BY over samples.
func Rollups() []Rollup {
	return []Rollup{
		{Table: "samples_hourly", View: "samples_hourly_mv", Time: "hour"},
		{Table: "metrics_hourly", View: "metrics_hourly_mv", Time: "hour"},
		{Table: "license_minutely", View: "license_minutely_mv", Time: "minute"},
		{Table: "license_hourly", View: "license_hourly_of_samples", Time: "hour"},
	}
}

// IngestQueryPrefix begins the query_id of every INSERT of an ingester.
const IngestQueryPrefix = "corrosion-ingest-"
