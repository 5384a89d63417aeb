package sqlaccess

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/schema/pg"
)

// Errors of Grant and Revoke.
var (
	// ErrNone says that the license has no SQL access.
	ErrNone = errors.New("the license has no SQL access")
	// ErrPoolEmpty says that no user of the pool can be handed out before the engine was started again.
	ErrPoolEmpty = errors.New("every SQL user of the local engine is taken, or waits for its new password: revoke what is not used and start the platform again")
	// ErrNotAllowed says that the server lets nobody be made by SQL, and is not a local engine either.
	ErrNotAllowed = errors.New("this ClickHouse user may not make users: GRANT ACCESS MANAGEMENT ON *.* to it WITH GRANT OPTION, with SELECT on the tables")
	// ErrShownOnce says that the password of a user made by SQL is not kept.
	ErrShownOnce = errors.New("the license has SQL access and its password was shown then: --rotate makes another")
)

// Deps are what a Manager works with; it closes none of them.
type Deps struct {
	Postgres *pgxpool.Pool
	// ClickHouse is a connection as the platform's own user, and ClickHouseURL its native URL.
	ClickHouse    driver.Conn
	ClickHouseURL string
	// Pool is the local engine's; nil: there is none.
	Pool Pool
}

// Access is a login to ClickHouse.
type Access struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Manager hands SQL access out and takes it back.
type Manager struct{ deps Deps }

// New makes a manager.
func New(d Deps) *Manager { return &Manager{d} }

// granter is one way to open and close users; its caller holds the lock.
type granter interface {
	// open gives a license a user that taken does not have.
	open(ctx context.Context, license uuid.UUID, taken []pg.SqlAccess) (Access, error)
	// again is the login of a user that was handed out.
	again(ctx context.Context, user pg.SqlAccess) (Access, error)
	// close takes every right from a user, for good.
	close(ctx context.Context, user string) error
}

// Grant gives a license a login, the same one again where the pool knows it; rotate makes a new one and closes the old.
// Errors wrap ErrPoolEmpty, ErrNotAllowed or ErrShownOnce.
func (m *Manager) Grant(ctx context.Context, license uuid.UUID, rotate bool) (access Access, err error) {
	err = m.locked(ctx, func(q *pg.Queries, g granter, taken []pg.SqlAccess) error {
		old, has := find(taken, license)
		if has && !rotate {
			access, err = g.again(ctx, old)
			return err
		}
		if access, err = g.open(ctx, license, taken); err != nil {
			return err
		}
		if has && old.Username != access.User {
			err = m.forget(ctx, q, g, old.Username)
		} else if has {
			err = q.DeleteSQLAccess(ctx, old.Username)
		}
		if err != nil {
			return err
		}
		digest := sha256.Sum256([]byte(access.Password))
		return q.PutSQLAccess(ctx, pg.PutSQLAccessParams{
			Username: access.User, LicenseID: &license, PasswordSha256: digest[:],
		})
	})
	if err != nil {
		return Access{}, fmt.Errorf("grant SQL access: %w", err)
	}
	return access, nil
}

// Revoke takes a license's access away at once; ErrNone where it has none.
func (m *Manager) Revoke(ctx context.Context, license uuid.UUID) error {
	err := m.locked(ctx, func(q *pg.Queries, g granter, taken []pg.SqlAccess) error {
		old, ok := find(taken, license)
		if !ok {
			return ErrNone
		}
		return m.forget(ctx, q, g, old.Username)
	})
	if err != nil {
		return fmt.Errorf("revoke SQL access: %w", err)
	}
	return nil
}

// Sync makes ClickHouse agree with Postgres: users of erased licenses are closed, and the pool's rows are what they should
// be, also after one of the stores came back from a backup. serve calls it at start.
func (m *Manager) Sync(ctx context.Context) error {
	err := m.locked(ctx, func(q *pg.Queries, g granter, taken []pg.SqlAccess) error {
		for _, user := range taken {
			if user.LicenseID == nil {
				if err := m.forget(ctx, q, g, user.Username); err != nil {
					return err
				}
			}
		}
		pool, ok := g.(*poolGranter)
		if !ok {
			return nil
		}
		return pool.sync(ctx, taken)
	})
	if err != nil {
		return fmt.Errorf("sync SQL access: %w", err)
	}
	return nil
}

// forget closes a user and strikes it off; should that be cut short, the user stays taken.
func (m *Manager) forget(ctx context.Context, q *pg.Queries, g granter, user string) error {
	if err := g.close(ctx, user); err != nil {
		return fmt.Errorf("close user %s: %w", user, err)
	}
	return q.DeleteSQLAccess(ctx, user)
}

// locked runs f while nobody else changes SQL access.
func (m *Manager) locked(ctx context.Context, f func(*pg.Queries, granter, []pg.SqlAccess) error) error {
	g, err := m.granter(ctx)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, m.deps.Postgres, func(tx pgx.Tx) error {
		q := pg.New(tx)
		if err := q.LockSQLAccess(ctx); err != nil {
			return fmt.Errorf("wait for another change: %w", err)
		}
		taken, err := q.ListSQLAccess(ctx)
		if err != nil {
			return fmt.Errorf("list SQL access: %w", err)
		}
		return f(q, g, taken)
	})
}

// granter asks the server whether it makes users by SQL.
func (m *Manager) granter(ctx context.Context) (granter, error) {
	err := m.deps.ClickHouse.Exec(ctx, createRole)
	if err == nil {
		return &serverGranter{conn: m.deps.ClickHouse}, nil
	}
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) || !cannotMakeUsers(exception.Code) {
		return nil, fmt.Errorf("ask the server for a role: %w", err)
	}
	if m.deps.Pool == nil {
		return nil, ErrNotAllowed
	}
	return &poolGranter{deps: m.deps}, nil
}

// cannotMakeUsers: no storage for users (514), one that is read-only (495), not supported (48, 1), or no right to (497).
func cannotMakeUsers(code int32) bool {
	return code == 514 || code == 495 || code == 48 || code == 1 || code == 497
}

func find(taken []pg.SqlAccess, license uuid.UUID) (pg.SqlAccess, bool) {
	for _, user := range taken {
		if user.LicenseID != nil && *user.LicenseID == license {
			return user, true
		}
	}
	return pg.SqlAccess{}, false
}

func hasPassword(user pg.SqlAccess, password string) bool {
	digest := sha256.Sum256([]byte(password))
	return bytes.Equal(digest[:], user.PasswordSha256)
}
