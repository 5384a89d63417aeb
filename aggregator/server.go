package aggregator

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

const askServer = `SELECT anyIf(uuid, name = 'INFORMATION_SCHEMA'), now64(6) - toIntervalSecond(uptime()) FROM system.databases`

// serverRun tells one run of a ClickHouse server from the next.
type serverRun struct {
	mark  uuid.UUID
	since time.Time
}

func askServerRun(ctx context.Context, conn driver.Conn) (serverRun, error) {
	var s serverRun
	if err := conn.QueryRow(ctx, askServer).Scan(&s.mark, &s.since); err != nil {
		return s, fmt.Errorf("ask when clickhouse started: %w", err)
	}
	return s, nil
}

// heavy lets a statement name many parts and hours, spill what does not fit, and be stored although its like was.
func heavy(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_query_size": 16 << 20, "max_ast_elements": 4_000_000, "max_expanded_ast_elements": 8_000_000, "insert_deduplicate": 0,
		"max_bytes_before_external_group_by": 256 << 20, "max_insert_threads": 1, "mutations_sync": 1, "max_execution_time": 600,
		"allow_replace_partition_from_empty_source": 1, "allow_nondeterministic_mutations": 1,
	}))
}
