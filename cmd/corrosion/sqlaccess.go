package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"

	"corrosion/deploy/local"
	"corrosion/schema/connect/stores"
	"corrosion/schema/sqlaccess"
)

type licenseSQLAccessCommand struct {
	services
	License string `required:"" help:"The license whose rows are read."`
	Revoke  bool   `xor:"what" help:"Take the access away, at once."`
	Rotate  bool   `xor:"what" help:"Make a new login and close the old one."`
}

// sqlLogin is what a reader needs.
type sqlLogin struct {
	LicenseID uuid.UUID `json:"license_id"`
	User      string    `json:"user"`
	Password  string    `json:"password"`
	Native    string    `json:"clickhouse_native"`
	HTTP      string    `json:"clickhouse_http"`
}

// Run prints the login as JSON, or takes it away.
func (c *licenseSQLAccessCommand) Run(e *env) error {
	license, err := uuid.Parse(c.License)
	if err != nil {
		return fmt.Errorf("--license %q is not a UUID", c.License)
	}
	if err := c.find(&c.ClickHouseURL, &c.PostgresURL); err != nil {
		return err
	}
	if err := licenseExists(e.ctx, c.PostgresURL, license); err != nil {
		return err
	}
	manager, done, err := c.manager(e.ctx)
	if err != nil {
		return err
	}
	defer done()
	if c.Revoke {
		if err := manager.Revoke(e.ctx, license); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "license %s has no SQL access any more\n", license)
		return nil
	}
	access, err := manager.Grant(e.ctx, license, c.Rotate)
	if err != nil {
		return err
	}
	native, http := c.addresses()
	out := json.NewEncoder(e.stdout)
	out.SetIndent("", "  ")
	return out.Encode(sqlLogin{LicenseID: license, User: access.User, Password: access.Password, Native: native, HTTP: http})
}

// manager connects to both stores; done closes them.
func (c *licenseSQLAccessCommand) manager(ctx context.Context) (manager *sqlaccess.Manager, done func(), err error) {
	conn, err := stores.ClickHouse(c.ClickHouseURL)
	if err != nil {
		return nil, nil, err
	}
	pool, err := c.openPool(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	manager = sqlaccess.New(sqlaccess.Deps{Postgres: pool, ClickHouse: conn, ClickHouseURL: c.ClickHouseURL, Pool: readerPoolOf(c.Data)})
	return manager, func() { pool.Close(); _ = conn.Close() }, nil
}

// addresses are where the reader signs in: host and port, without anybody's password.
func (c *licenseSQLAccessCommand) addresses() (native, http string) {
	if options, err := stores.ClickHouseOptions(c.ClickHouseURL); err == nil && len(options.Addr) > 0 {
		native = options.Addr[0]
	}
	if target, err := stores.ClickHouseHTTP(c.ClickHouseHTTPURL); err == nil {
		address := target.Address()
		http = address.String()
	}
	return native, http
}

// readerPool is the local engine's users, kept in the data directory.
type readerPool struct{ data string }

// readerPoolOf is nil where no local engine was ever started.
func readerPoolOf(data string) sqlaccess.Pool {
	if _, err := local.Readers(data); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return readerPool{data}
}

// Users reads the pool's logins.
func (p readerPool) Users() ([]sqlaccess.Access, error) {
	readers, err := local.Readers(p.data)
	if err != nil {
		return nil, err
	}
	users := make([]sqlaccess.Access, len(readers))
	for i, r := range readers {
		users[i] = sqlaccess.Access{User: r.Name, Password: r.Password}
	}
	return users, nil
}

// Renew changes a password from the next start on.
func (p readerPool) Renew(user string) error { return local.RenewReader(p.data, user) }

// syncSQLAccess lets the local engine's readers see what Postgres says. A server of one's own keeps its users by itself.
func syncSQLAccess(ctx context.Context, r *roles, data string) error {
	pool := readerPoolOf(data)
	if pool == nil {
		return nil
	}
	manager := sqlaccess.New(sqlaccess.Deps{Postgres: r.pool, ClickHouse: r.clickhouse, ClickHouseURL: r.ClickHouseURL, Pool: pool})
	return manager.Sync(ctx)
}
