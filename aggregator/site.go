package aggregator

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema/connect/stores"
)

// site is a server whose own tables are looked after: the only one, or a shard of a cluster. All rows of a game server are
// within one site, and so are the rollups made of them; each site is verified and healed by itself.
type site struct {
	conn driver.Conn
	// prefix begins the names of the site's marks in Postgres; empty for the only one.
	prefix string
}

func (a *Aggregator) sites(ctx context.Context) ([]site, error) {
	shards, err := stores.Shards(ctx, a.deps.ClickHouse)
	if err != nil {
		return nil, fmt.Errorf("find the shards: %w", err)
	}
	if len(shards) == 1 && shards[0] == a.deps.ClickHouse {
		return []site{{conn: shards[0]}}, nil
	}
	sites := make([]site, len(shards))
	for i, shard := range shards {
		sites[i] = site{shard, fmt.Sprintf("shard-%d/", i+1)}
	}
	return sites, nil
}
