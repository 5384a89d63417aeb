package sqlaccess

import (
	"fmt"

	"github.com/google/uuid"
)

// Tables are the tables that readers may read; each has a license_id and a row policy.
func Tables() []string {
	return []string{"samples", "samples_hourly", "metrics_hourly", "network_hours", "event_log"}
}

// Views are the views over Tables that readers may read; they read with the reader's own rights.
func Views() []string { return []string{"hourly", "network_hourly", "events"} }

// closedTableFunctions show primary keys of whole tables, row policies or not.
func closedTableFunctions() []string {
	return []string{"mergeTreeIndex", "mergeTreeProjection", "mergeTreeTextIndex", "mergeTreeAnalyzeIndexes", "mergeTreeAnalyzeIndexesUUID", "merge"}
}

const (
	createRole    = "CREATE ROLE IF NOT EXISTS corrosion_reader"
	createProfile = "CREATE SETTINGS PROFILE IF NOT EXISTS corrosion_reader SETTINGS readonly = 1 READONLY, " +
		"max_execution_time = 30 MIN 0.001 MAX 30 CHANGEABLE_IN_READONLY, max_memory_usage = 536870912, max_memory_usage_for_user = 536870912, " +
		"max_threads = 2, max_result_rows = 1000000, max_result_bytes = 1073741824, max_rows_to_read = 2000000000, " +
		"max_concurrent_queries_for_user = 4, max_temporary_data_on_disk_size_for_user = 1073741824, allow_ddl = 0, " +
		"allow_introspection_functions = 0 TO corrosion_reader"
	createQuota = "CREATE QUOTA IF NOT EXISTS corrosion_reader KEYED BY user_name " +
		"FOR INTERVAL 1 minute MAX queries = 300, errors = 300, execution_time = 60, " +
		"FOR INTERVAL 1 hour MAX queries = 3000, errors = 3000, result_rows = 20000000, read_rows = 20000000000, execution_time = 900 " +
		"TO corrosion_reader"
	grantRead = "GRANT SELECT ON corrosion.%s TO corrosion_reader"
	// Once a table has a policy, who has none may see nothing, as a setting of the server goes.
	policyOthers = "CREATE ROW POLICY IF NOT EXISTS corrosion_others ON corrosion.%s FOR SELECT USING 1 TO ALL EXCEPT corrosion_reader"
	// Rows of a reader without a policy of its own: none.
	policyNone   = "CREATE ROW POLICY IF NOT EXISTS corrosion_none ON corrosion.%s FOR SELECT USING 0 TO corrosion_reader"
	policyClosed = "CREATE ROW POLICY IF NOT EXISTS corrosion_closed ON _table_function.%s FOR SELECT USING 0 TO corrosion_reader"

	createUser = "CREATE USER OR REPLACE `%s` IDENTIFIED WITH sha256_hash BY '%s' DEFAULT DATABASE corrosion SETTINGS PROFILE 'corrosion_reader'"
	policyOwn  = "CREATE ROW POLICY OR REPLACE `%s` ON corrosion.%s FOR SELECT USING license_id = '%s' TO `%[1]s`"
	grantRole  = "GRANT corrosion_reader TO `%s`"

	dropUser   = "DROP USER IF EXISTS `%s`"
	dropPolicy = "DROP ROW POLICY IF EXISTS `%s` ON corrosion.%s"
	killOwn    = "KILL QUERY WHERE user = '%s' ASYNC"
)

// userOf is the name of a license's user on a server that makes users by SQL.
func userOf(license uuid.UUID) string { return "license_" + license.String() }

// setup is what all readers share: policies before rights, so that no reader ever sees more.
func setup() []string {
	statements := []string{createRole, createProfile, createQuota}
	for _, table := range Tables() {
		statements = append(statements, fmt.Sprintf(policyNone, table), fmt.Sprintf(policyOthers, table))
	}
	for _, function := range closedTableFunctions() {
		statements = append(statements, fmt.Sprintf(policyClosed, function))
	}
	for _, name := range append(Tables(), Views()...) {
		statements = append(statements, fmt.Sprintf(grantRead, name))
	}
	return statements
}

// openUser makes a license's user; digest is SHA-256 in hex.
func openUser(user, digest string, license uuid.UUID) []string {
	statements := []string{fmt.Sprintf(createUser, user, digest)}
	for _, table := range Tables() {
		statements = append(statements, fmt.Sprintf(policyOwn, user, table, license))
	}
	return append(statements, fmt.Sprintf(grantRole, user))
}

// closeUser takes a user and its policies away and ends its queries.
func closeUser(user string) []string {
	statements := []string{fmt.Sprintf(dropUser, user), fmt.Sprintf(killOwn, user)}
	for _, table := range Tables() {
		statements = append(statements, fmt.Sprintf(dropPolicy, user, table))
	}
	return statements
}
