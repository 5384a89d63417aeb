package sqlaccess

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

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

func (g *serverGranter) exec(ctx context.Context, statements []string) error {
	for _, statement := range statements {
		if err := g.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("set up SQL access: %w", err) // never the statement: it may hold a digest
		}
	}
	return nil
}

// newPassword has 256 random bits.
func newPassword() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
