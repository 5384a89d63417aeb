package account_test

import (
	"strings"
	"testing"

	"corrosion/api/account"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

func TestParseEmail(t *testing.T) {
	good := func(text, address, key, mailbox string) {
		t.Helper()
		got, err := account.ParseEmail(text)
		if err != nil || got != (account.Email{Address: address, Key: key, Mailbox: mailbox}) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	good("Ada@Example.ORG", "Ada@example.org", "ada@example.org", "Ada@example.org")
	good("ada@bücher.example", "ada@bücher.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example")
	good("re\u0301ne@example.org", "réne@example.org", "réne@example.org", "réne@example.org")
	good("用户@例子.广告", "用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v", "用户@xn--fsqu00a.xn--4rr70v")
	good("STRASSE+tag@a.org", "STRASSE+tag@a.org", "strasse+tag@a.org", "STRASSE+tag@a.org")
	for _, bad := range []string{
		"", "@", "a@", "@b.org", "a@b", "a b@c.org", "a@b c.org", "a\x00@b.org", "a\r\nBcc: x@y.org@b.org", ".a@b.org", "a.@b.org", "a..b@c.org",
		`"a b"@c.org`, "a@[127.0.0.1]", "a@127.0.0.1", "a@-b.org", "Name <a@b.org>", "a@b.org ", "a@b..org", "\xff@b.org", "a\u202e@b.org",
		strings.Repeat("x", 65) + "@b.org", "a@" + strings.Repeat("x", 64) + ".org", strings.Repeat("a", 60) + "@" + strings.Repeat("b.", 100) + "org",
	} {
		if got, err := account.ParseEmail(bad); err == nil {
			t.Errorf("%q is taken as %+v", bad, got)
		}
	}
}

func TestCleanName(t *testing.T) {
	for text, want := range map[string]string{"\tAda\u00a0": "Ada", "李雷": "李雷", "re\u0301ne": "réne", "👩‍👩‍👧": "👩‍👩‍👧", strings.Repeat("é", 200): strings.Repeat("é", 200)} {
		if got, err := account.CleanName(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", " ", "a\x00b", "a\nb", "a\u202eb", "a\u2066b", "\xff", "a\u2028b", strings.Repeat("é", 201), strings.Repeat("x", 5000)} {
		if got, err := account.CleanName(bad); err == nil {
			t.Errorf("%q is taken as %q", bad, got)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	f.Add("ada@example.org")
	f.Add("ada@bücher.example")
	f.Fuzz(func(t *testing.T, text string) {
		email, err := account.ParseEmail(text)
		if err != nil {
			return
		}
		again, err := account.ParseEmail(email.Address)
		if err != nil || again.Key != email.Key || strings.ContainsAny(email.Address, "\r\n\x00 ") {
			t.Errorf("%q: %+v, again %+v, %v", text, email, again, err)
		}
	})
}

// Entries of the audit log can be added, and erased only by who says so.
func TestAuditLogIsAppendOnly(t *testing.T) {
	pool := schematest.Postgres(t)
	if _, err := account.CreateAdmin(t.Context(), pool, "root@example.org"); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"} {
		if _, err := pool.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: got %v", statement, err)
		}
	}
	var entries int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM audit_log WHERE action = 'admin.created'").Scan(&entries); err != nil || entries != 1 {
		t.Errorf("%d entries, %v", entries, err)
	}
	user, err := pg.New(pool).FindUserByEmail(t.Context(), "root@example.org")
	if err != nil || !user.PlatformAdmin || !user.MustChangePassword {
		t.Errorf("got %+v, %v", user, err)
	}
}
