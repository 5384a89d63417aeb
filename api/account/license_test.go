package account_test

import (
	"slices"
	"strings"
	"testing"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/natsauth"
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
	if d := login(t, queries, created.NATSUser, created.NATSPassword); d.Verdict != natsauth.Admitted ||
		!slices.Equal(d.Rights.Publish, natsauth.ServerRights(created.LicenseID).Publish) {
		t.Errorf("its NATS user: got %+v", d)
	}
	for name, password := range map[string]string{created.NATSUser: "wrong", "nobody": created.NATSPassword} {
		if d := login(t, queries, name, password); d.Verdict != natsauth.Refused {
			t.Errorf("NATS user %s with a wrong password: got %+v", name, d)
		}
	}
	user, err := queries.FindUserByEmail(t.Context(), "owner@example.org")
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

// login asks a gate that knows nothing yet.
func login(t *testing.T, queries *pg.Queries, user, password string) natsauth.Decision {
	t.Helper()
	gate, err := natsauth.NewGate(natsauth.DefaultGateConfig(), natsauth.GateDeps{Store: queries})
	if err != nil {
		t.Fatal(err)
	}
	return gate.Decide(t.Context(), natsauth.Login{User: user, Password: password, Address: "192.0.2.1:4000"})
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
