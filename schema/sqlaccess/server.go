package sqlaccess

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
	"corrosion/schema/pg"
)

type serverGranter struct{ conn driver.Conn }

func (g *serverGranter) open(ctx context.Context, license uuid.UUID, _ []pg.SqlAccess) (Access, error) {
	access := Access{User: userOf(license), Password: newPassword()}
	digest := sha256.Sum256([]byte(access.Password))
	statements := append(setup(), openUser(access.User, hex.EncodeToString(digest[:]), license)...)
	return access, g.exec(ctx, statements)
}

// again: the server keeps a digest alone.
func (g *serverGranter) again(context.Context, pg.SqlAccess) (Access, error) {
	return Access{}, ErrShownOnce
}

func (g *serverGranter) close(ctx context.Context, user string) error {
	return g.exec(ctx, closeUser(user))
}

// exec runs statements; on a cluster on every node, for its own tables and for those over all shards.
func (g *serverGranter) exec(ctx context.Context, statements []string) error {
	shards, err := stores.Shards(ctx, g.conn)
	if err != nil {
		return fmt.Errorf("set up SQL access: %w", err)
	}
	for _, shard := range shards {
		for _, node := range stores.Replicas(shard) {
			for _, statement := range onNode(statements, node != g.conn) {
				if err := node.Exec(ctx, statement); err != nil {
					return fmt.Errorf("set up SQL access: %w", err) // never the statement: it may hold a digest
				}
			}
		}
	}
	return nil
}

// onNode adds, for a node of a cluster, each statement about a table once more under the name that is not the node's own: a
// connection to a node reads corrosion.samples as its own table, and `corrosion`.samples as it stands.
func onNode(statements []string, clustered bool) []string {
	if !clustered {
		return statements
	}
	var all []string
	for _, statement := range statements {
		all = append(all, statement)
		if over := strings.Replace(statement, " ON "+cluster.Database+".", " ON `"+cluster.Database+"`.", 1); over != statement {
			all = append(all, over)
		}
	}
	return all
}

// newPassword has 256 random bits.
func newPassword() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
