package account_test

import (
	"strings"
	"testing"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

func TestCreateLicense(t *testing.T) {
	pool := schematest.Postgres(t)
	queries := pg.New(pool)
	created, err := account.CreateLicense(t.Context(), pool, account.NewLicense{Name: "North", Email: "owner@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	license, ok, err := account.CheckNATSUser(t.Context(), queries, created.NATSUser, created.NATSPassword)
	if err != nil || !ok || license != created.LicenseID {
		t.Errorf("its NATS user: got %v, %v, %v", license, ok, err)
	}
	for name, password := range map[string]string{created.NATSUser: "wrong", "nobody": created.NATSPassword} {
		if _, ok, err := account.CheckNATSUser(t.Context(), queries, name, password); ok || err != nil {
			t.Errorf("NATS user %s with a wrong password: got %v, %v", name, ok, err)
		}
	}
	user, err := queries.FindUserByEmail(t.Context(), "OWNER@example.org")
	if err != nil || !user.MustChangePassword {
		t.Fatalf("owner: got %+v, %v", user, err)
	}
	if ok, err := auth.CheckPassword(user.PasswordHash, created.Password); !ok || err != nil {
		t.Errorf("owner's one-time password: got %v, %v", ok, err)
	}
	second, err := account.CreateLicense(t.Context(), pool, account.NewLicense{Name: "South", Email: "owner@example.org"})
	if err != nil || second.Password != "" {
		t.Errorf("a second license of the same owner: password %q, %v; want none", second.Password, err)
	}
}

func TestSuspendedLicenseMayNotPublish(t *testing.T) {
	pool := schematest.Postgres(t)
	created, err := account.CreateLicense(t.Context(), pool, account.NewLicense{Name: "North"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE licenses SET suspended_at = now() WHERE id = $1", created.LicenseID); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := account.CheckNATSUser(t.Context(), pg.New(pool), created.NATSUser, created.NATSPassword); ok || err != nil {
		t.Errorf("got %v, %v; want refused", ok, err)
	}
}

func TestNewLicenseValidate(t *testing.T) {
	f := func(want string, n account.NewLicense) {
		t.Helper()
		err := n.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", n, err, want)
		}
	}
	f("", account.NewLicense{Name: "North"})
	f("", account.NewLicense{Name: "North", Email: "a@b.org"})
	f("name", account.NewLicense{Name: "  "})
	f("name", account.NewLicense{Name: strings.Repeat("x", 201)})
	f("email", account.NewLicense{Name: "North", Email: "not an address"})
	f("email", account.NewLicense{Name: "North", Email: "Name <a@b.org>"})
}

func TestEnsureDemoTwice(t *testing.T) {
	pool := schematest.Postgres(t)
	for range 2 {
		if _, err := account.EnsureDemo(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
	}
	user, err := pg.New(pool).FindUserByEmail(t.Context(), "demo@corrosion.local")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := auth.CheckPassword(user.PasswordHash, "demo"); !ok || err != nil {
		t.Errorf("the published password: got %v, %v", ok, err)
	}
}
