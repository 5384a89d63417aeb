package sqlaccess

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fakePool is a pool whose renewed passwords no engine has read yet.
type fakePool struct{ users []Access }

func (f *fakePool) Users() ([]Access, error) { return slices.Clone(f.users), nil }

func (f *fakePool) Renew(user string) error {
	for i := range f.users {
		if f.users[i].User == user {
			f.users[i].Password = "renewed " + f.users[i].Password
		}
	}
	return nil
}

func (w *world) manager(t *testing.T) (*Manager, *pgxpool.Pool, *fakePool) {
	t.Helper()
	pool := schematest.Postgres(t)
	users := &fakePool{users: []Access{{myReader, myPassword}, {theirReader, "their-password"}}}
	w.exec(t, "ALTER TABLE corrosion.user_licenses DROP PARTITION ?", myReader)
	return New(Deps{Postgres: pool, ClickHouse: w.conn, ClickHouseURL: w.server.URL(), Pool: users}), pool, users
}

func license(t *testing.T, pool *pgxpool.Pool, id uuid.UUID) {
	t.Helper()
	if _, err := pg.New(pool).CreateLicense(t.Context(), pg.CreateLicenseParams{ID: id, Name: "x"}); err != nil {
		t.Fatal(err)
	}
}

// seen is whose rows a login sees.
func (w *world) seen(ctx context.Context, a Access) string {
	answer, err := ask(ctx, w.server.HTTPURL(), a.User, a.Password, "SELECT arrayStringConcat(groupUniqArray(server_id), ' ') FROM samples")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(answer)
}

// Access is given, given again, rotated, revoked and brought back in step; a user that somebody knows is never given to another.
func TestGrantRotateRevoke(t *testing.T) {
	w := newWorld(t)
	w.fill(t, w.theirs, "foreign-server", foreignPlayers)
	m, pool, users := w.manager(t)
	license(t, pool, w.mine)
	license(t, pool, w.theirs)
	ctx := t.Context()

	first, err := m.Grant(ctx, w.mine, false)
	if err != nil || w.seen(ctx, first) != "mine" {
		t.Fatalf("first: %v, sees %s", err, w.seen(ctx, first))
	}
	if again, err := m.Grant(ctx, w.mine, false); err != nil || again != first {
		t.Errorf("again: %v %v", again, err)
	}
	second, err := m.Grant(ctx, w.mine, true)
	if err != nil || second.User == first.User || w.seen(ctx, second) != "mine" || w.seen(ctx, first) != "" {
		t.Fatalf("rotated: %v; the new one sees %q, the old one %q", err, w.seen(ctx, second), w.seen(ctx, first))
	}
	if _, err := m.Grant(ctx, w.theirs, false); !errors.Is(err, ErrPoolEmpty) {
		t.Fatalf("a user whose password somebody knows was given out: %v", err)
	}
	if _, err := m.Grant(ctx, w.mine, true); !errors.Is(err, ErrPoolEmpty) || w.seen(ctx, second) != "mine" {
		t.Errorf("a rotation that cannot be took the access away: %v, sees %q", err, w.seen(ctx, second))
	}
	users.users[0].Password = myPassword // as after a start: the file and the engine agree again
	other, err := m.Grant(ctx, w.theirs, false)
	if err != nil || w.seen(ctx, other) != "foreign-server" || w.seen(ctx, second) != "mine" {
		t.Fatalf("the other license: %v, sees %q", err, w.seen(ctx, other))
	}
	w.exec(t, "ALTER TABLE corrosion.user_licenses DROP PARTITION ?", second.User)
	w.exec(t, mapUser, "reader_99", w.mine)
	if err := m.Sync(ctx); err != nil || w.seen(ctx, second) != "mine" || w.seen(ctx, other) != "foreign-server" {
		t.Errorf("after a sync: %v; they see %q and %q", err, w.seen(ctx, second), w.seen(ctx, other))
	}
	if mapped, err := (&poolGranter{m.deps}).mapped(ctx); err != nil || len(mapped) != 2 {
		t.Errorf("mapped: %v %v", mapped, err)
	}
	if _, err := pool.Exec(ctx, "DELETE FROM licenses WHERE id = $1", w.theirs); err != nil {
		t.Fatal(err)
	}
	if err := m.Sync(ctx); err != nil || w.seen(ctx, other) != "" {
		t.Errorf("the erased license's user: %v, sees %q", err, w.seen(ctx, other))
	}
	if err := m.Revoke(ctx, w.mine); err != nil || w.seen(ctx, second) != "" {
		t.Errorf("revoked: %v, sees %q", err, w.seen(ctx, second))
	}
	if err := m.Revoke(ctx, w.mine); !errors.Is(err, ErrNone) {
		t.Errorf("revoked twice: %v", err)
	}
}

// A mapping that came back from a backup is not honoured where the login is another than the one handed out.
func TestSyncDistrustsOtherPasswords(t *testing.T) {
	w := newWorld(t)
	m, pool, users := w.manager(t)
	license(t, pool, w.mine)
	a, err := m.Grant(t.Context(), w.mine, false)
	if err != nil {
		t.Fatal(err)
	}
	users.users[0].Password = "of another time"
	if err := m.Sync(t.Context()); err != nil || w.seen(t.Context(), a) != "" {
		t.Errorf("%v, sees %q", err, w.seen(t.Context(), a))
	}
	if _, err := m.Grant(t.Context(), w.mine, false); !errors.Is(err, ErrShownOnce) {
		t.Errorf("got %v", err)
	}
}

func TestNoPoolAndNoRight(t *testing.T) {
	w := newWorld(t)
	m, pool, _ := w.manager(t)
	license(t, pool, w.mine)
	m.deps.Pool = nil
	if _, err := m.Grant(t.Context(), w.mine, false); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("got %v", err)
	}
}

// Every table and view of the migrated server is filtered or closed.
func TestEveryTableIsFilteredOrClosed(t *testing.T) {
	w := newWorld(t)
	w.addForeign(t)
	rows, err := w.conn.Query(t.Context(), "SELECT name, engine, has(groupArray(c.name), 'license_id') FROM system.tables AS t LEFT JOIN (SELECT table, name FROM system.columns WHERE database = 'corrosion') AS c ON c.table = t.name WHERE database = 'corrosion' AND NOT startsWith(t.name, '.') GROUP BY t.name AS name, engine ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var name, engine string
		var licensed uint8
		if err := rows.Scan(&name, &engine, &licensed); err != nil {
			t.Fatal(err)
		}
		seen++
		_, err := w.asReader(t.Context(), "SELECT * FROM corrosion."+name+" LIMIT 0")
		open := slices.Contains(append(Tables(), Views()...), name) || name == "user_licenses"
		if closed := err != nil && strings.Contains(err.Error(), "ACCESS_DENIED"); closed == open {
			t.Errorf("%s (%s): in the list of readable %v, and the server says %v", name, engine, open, err)
		}
		if !open {
			continue
		}
		if licensed == 0 || (engine == "View") != slices.Contains(Views(), name) {
			t.Errorf("%s (%s) is readable without being filtered by license_id", name, engine)
		}
		if n, err := w.asReader(t.Context(), "SELECT count() FROM corrosion."+name+" WHERE license_id != '"+w.mine.String()+"'"); err != nil || n != "0\n" {
			t.Errorf("%s shows %q foreign rows, %v", name, n, err)
		}
	}
	if seen < 8 || rows.Err() != nil {
		t.Errorf("looked at %d tables: %v", seen, rows.Err())
	}
}

// What a server that makes users by SQL is told.
func TestStatements(t *testing.T) {
	id := uuid.MustParse("00000000-0000-4000-8000-000000000001")
	user := userOf(id)
	text := strings.Join(slices.Concat(setup(), openUser(user, strings.Repeat("ab", 32), id), closeUser(user)), ";\n") + ";\n"
	if *update {
		if err := os.WriteFile("testdata/statements.golden", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/statements.golden")
	if err != nil || text != string(want) {
		t.Errorf("the statements changed (%v): look at them, then -update", err)
	}
}

// The statements do on a real server what they say. Its URL must be of a user that may make users.
func TestRealServer(t *testing.T) {
	target := os.Getenv("CORROSION_TEST_CLICKHOUSE_URL")
	if target == "" {
		t.Skip("CORROSION_TEST_CLICKHOUSE_URL names no server that makes users by SQL")
	}
	conn := schematest.Connect(t, target)
	pool := schematest.Postgres(t)
	id := uuid.New()
	license(t, pool, id)
	m := New(Deps{Postgres: pool, ClickHouse: conn, ClickHouseURL: target})
	access, err := m.Grant(t.Context(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Revoke(context.WithoutCancel(t.Context()), id) //nolint:errcheck // the test revokes
	if ok, err := (&poolGranter{m.deps}).signsIn(t.Context(), access); err != nil || !ok {
		t.Errorf("cannot sign in: %v", err)
	}
	if rotated, err := m.Grant(t.Context(), id, true); err != nil || rotated.Password == access.Password {
		t.Errorf("rotate: %v", err)
	}
	if err := m.Revoke(t.Context(), id); err != nil {
		t.Error(err)
	}
}
