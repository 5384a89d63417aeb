package connect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSplitAndJoin(t *testing.T) {
	f := func(raw, base string, files Files) {
		t.Helper()
		gotBase, gotFiles, err := Split(raw)
		if err != nil || gotBase != base || gotFiles != files {
			t.Errorf("Split(%q) = %q, %+v, %v; want %q, %+v", raw, gotBase, gotFiles, err, base, files)
		}
		joined, err := Join(base, files)
		if err != nil {
			t.Fatal(err)
		}
		if again, same, _ := Split(joined); again != base || same != files {
			t.Errorf("Join(%q, %+v) = %q, which splits into %q, %+v", base, files, joined, again, same)
		}
	}
	f("nats://h:4222", "nats://h:4222", Files{})
	f("nats://h:4222?creds_file=/c", "nats://h:4222", Files{Creds: "/c"})
	f("clickhouse://u:p@a:9000,b:9000/d?secure=true&ca_file=%2Fca", "clickhouse://u:p@a:9000,b:9000/d?secure=true", Files{CA: "/ca"})
	f("postgres://u@h/d?password_file=/p&cert_file=/c&key_file=/k", "postgres://u@h/d", Files{Password: "/p", Cert: "/c", Key: "/k"})
}

// What the URL names wins over what is joined to it.
func TestJoinKeepsTheURLs(t *testing.T) {
	joined, err := Join("nats://h?ca_file=/own", Files{CA: "/other", Password: "/p"})
	if err != nil {
		t.Fatal(err)
	}
	if _, files, _ := Split(joined); files.CA != "/own" || files.Password != "/p" {
		t.Errorf("got %+v", files)
	}
}

// A wrong URL or file is refused, and no error tells a password.
func TestFaultsTellNoPassword(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(raw, says string) {
		t.Helper()
		conn, err := NATS(raw)
		if err == nil {
			conn.Close()
			t.Fatalf("%q was taken", raw)
		}
		if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v; want %q", raw, err, says)
		}
	}
	f("http://u:hunter2@h", "cannot be read")
	f("nats://u:hunter2@h:port", "cannot be read")
	f("nats://u:hunter2@h,", "cannot be read")
	f("nats://u:hunter2@h?%zz", "cannot be read")
	f("nats://u:hunter2@h?cert_file=/c", "belong together")
	f("nats://u:hunter2@h?creds_file=/c&password_file=/p", "give one")
	f("nats://u:hunter2@h?password_file=/nowhere", "no such file")
	f("nats://u:hunter2@h?password_file="+empty, "is empty")
	f("nats://u:hunter2@h?ca_file="+empty, "no certificate in PEM")
	f("nats://h?password_file="+os.Args[0], "needs a user")
}

func TestHostsForOthers(t *testing.T) {
	const raw = "nats://u:p@a:4222,tls://u:p@b:4222?password_file=/p&ca_file=/ca"
	if got, err := Public(raw); err != nil || got != "nats://a:4222,tls://b:4222" {
		t.Errorf("Public: %q, %v", got, err)
	}
	if got, err := WithoutLogin(raw); err != nil || got != "nats://a:4222,tls://b:4222?ca_file=%2Fca" {
		t.Errorf("WithoutLogin: %q, %v", got, err)
	}
}
