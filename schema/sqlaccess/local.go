package sqlaccess

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"corrosion/schema/connect/stores"
	"corrosion/schema/pg"
)

// Pool is the local engine's users with their passwords.
type Pool interface {
	// Users are the logins that the engine has since its next start.
	Users() ([]Access, error)
	// Renew gives a user another password, from the next start on.
	Renew(user string) error
}

// A partition of user_licenses is a user, so that its row goes at once.
const (
	mapUser    = `INSERT INTO corrosion.user_licenses (user, license_id) VALUES (?, ?)`
	unmapUser  = `ALTER TABLE corrosion.user_licenses DROP PARTITION ?`
	mappedRows = `SELECT user, license_id FROM corrosion.user_licenses`
	killUser   = `KILL QUERY WHERE user = ? ASYNC`
)

// wrongPassword is ClickHouse's error code for a login that is refused.
const wrongPassword = 516

type poolGranter struct{ deps Deps }

func (g *poolGranter) open(ctx context.Context, license uuid.UUID, taken []pg.SqlAccess) (Access, error) {
	users, err := g.deps.Pool.Users()
	if err != nil {
		return Access{}, err
	}
	for _, user := range users {
		if slices.ContainsFunc(taken, func(t pg.SqlAccess) bool { return t.Username == user.User }) {
			continue
		}
		ok, err := g.signsIn(ctx, user)
		if err != nil {
			return Access{}, err
		}
		if !ok {
			continue // its password was renewed, and the engine still has the one that somebody knows
		}
		if err := g.unmap(ctx, user.User); err != nil {
			return Access{}, err
		}
		if err := g.deps.ClickHouse.Exec(ctx, mapUser, user.User, license); err != nil {
			return Access{}, fmt.Errorf("map %s: %w", user.User, err)
		}
		return user, nil
	}
	return Access{}, ErrPoolEmpty
}

func (g *poolGranter) again(ctx context.Context, user pg.SqlAccess) (Access, error) {
	users, err := g.deps.Pool.Users()
	if err != nil {
		return Access{}, err
	}
	for _, u := range users {
		if u.User == user.Username && hasPassword(user, u.Password) {
			return u, nil
		}
	}
	return Access{}, ErrShownOnce
}

// close takes the row away first: from then on the user sees nothing, whoever knows its password.
func (g *poolGranter) close(ctx context.Context, user string) error {
	if err := g.unmap(ctx, user); err != nil {
		return err
	}
	if err := g.deps.ClickHouse.Exec(ctx, killUser, user); err != nil {
		return fmt.Errorf("end its queries: %w", err)
	}
	return g.deps.Pool.Renew(user)
}

func (g *poolGranter) unmap(ctx context.Context, user string) error {
	if err := g.deps.ClickHouse.Exec(ctx, unmapUser, user); err != nil {
		return fmt.Errorf("unmap %s: %w", user, err)
	}
	return nil
}

// sync maps each user as Postgres says, where the pool still has the password that was handed out.
func (g *poolGranter) sync(ctx context.Context, taken []pg.SqlAccess) error {
	users, err := g.deps.Pool.Users()
	if err != nil {
		return err
	}
	want := map[string]uuid.UUID{}
	for _, t := range taken {
		known := slices.ContainsFunc(users, func(u Access) bool { return u.User == t.Username && hasPassword(t, u.Password) })
		if known && t.LicenseID != nil {
			want[t.Username] = *t.LicenseID
		}
	}
	mapped, err := g.mapped(ctx)
	if err != nil {
		return err
	}
	for user, licenses := range mapped {
		if license, ok := want[user]; ok && len(licenses) == 1 && licenses[0] == license {
			delete(want, user)
			continue
		}
		if err := g.unmap(ctx, user); err != nil {
			return err
		}
	}
	for user, license := range want {
		if err := g.deps.ClickHouse.Exec(ctx, mapUser, user, license); err != nil {
			return fmt.Errorf("map %s: %w", user, err)
		}
	}
	return nil
}

func (g *poolGranter) mapped(ctx context.Context) (map[string][]uuid.UUID, error) {
	rows, err := g.deps.ClickHouse.Query(ctx, mappedRows)
	if err != nil {
		return nil, fmt.Errorf("read user_licenses: %w", err)
	}
	defer rows.Close()
	mapped := map[string][]uuid.UUID{}
	for rows.Next() {
		var user string
		var license uuid.UUID
		if err := rows.Scan(&user, &license); err != nil {
			return nil, fmt.Errorf("read user_licenses: %w", err)
		}
		mapped[user] = append(mapped[user], license)
	}
	return mapped, rows.Err()
}

// signsIn tells whether the engine that runs knows the login.
func (g *poolGranter) signsIn(ctx context.Context, user Access) (bool, error) {
	options, err := stores.ClickHouseOptions(g.deps.ClickHouseURL)
	if err != nil {
		return false, err
	}
	options.DialStrategy = nil // it would sign in with the platform's password
	options.Auth.Username, options.Auth.Password = user.User, user.Password
	conn, err := clickhouse.Open(options)
	if err != nil {
		return false, fmt.Errorf("sign in as %s: %w", user.User, err)
	}
	defer conn.Close()
	err = conn.Ping(ctx)
	var exception *clickhouse.Exception
	if errors.As(err, &exception) && exception.Code == wrongPassword {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("sign in as %s: %w", user.User, err)
	}
	return true, nil
}
