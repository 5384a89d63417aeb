package stores

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"corrosion/deploy/local/localtest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// secretFile holds a password that the test rotates.
type secretFile struct {
	t    *testing.T
	path string
}

func newSecret(t *testing.T) secretFile {
	f := secretFile{t, filepath.Join(t.TempDir(), "password")}
	f.write("wrong")
	return f
}

func (f secretFile) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(text+"\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// into replaces a URL's password by the file.
func (f secretFile) into(raw string) string {
	f.t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		f.t.Fatal(err)
	}
	u.User = url.User(u.User.Username())
	values := u.Query()
	values.Set("password_file", f.path)
	u.RawQuery = values.Encode()
	return u.String()
}

// One pool, made before the password was right, signs in with what the file says later.
func TestPoolsReadRotatedPasswords(t *testing.T) {
	t.Run("clickhouse", func(t *testing.T) {
		secret := newSecret(t)
		conn, err := ClickHouse(secret.into(localtest.ClickHouseURL(t)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.Ping(t.Context()); err == nil {
			t.Fatal("a wrong password was taken")
		}
		secret.write(localtest.Password)
		if err := conn.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		secret := newSecret(t)
		pool, err := PostgresPool(t.Context(), secret.into(localtest.PostgresURL(t)), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if err := pool.Ping(t.Context()); err == nil {
			t.Fatal("a wrong password was taken")
		}
		secret.write(localtest.Password)
		if err := pool.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// No error of an unreadable URL tells its password.
func TestUnreadableURLs(t *testing.T) {
	f := func(open func(string) error, raw string) {
		t.Helper()
		if err := open(raw); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", raw, err)
		}
	}
	clickHouse := func(raw string) error { _, err := ClickHouseOptions(raw); return err }
	postgres := func(raw string) error { _, err := PostgresConfig(raw); return err }
	http := func(raw string) error { _, err := ClickHouseHTTP(raw); return err }
	f(clickHouse, "https://u:hunter2@h")
	f(clickHouse, "clickhouse://u:hunter2@h?dial_timeout=soon")
	f(clickHouse, "clickhouse://u:hunter2@h?ca_file=/nowhere")
	f(clickHouse, "clickhouse://u:hunter2@h?cluster=a;b")
	f(postgres, "mysql://u:hunter2@h")
	f(postgres, "postgres://u:hunter2@h?sslmode=perhaps")
	f(postgres, "postgres://u:hunter2@h?password_file=/nowhere")
	f(http, "ftp://u:hunter2@h")
	f(http, "http://u:hunter2@h:port")
}

func TestHTTPFromNative(t *testing.T) {
	f := func(native, want string) {
		t.Helper()
		if got := HTTPFromNative(native); got != want {
			t.Errorf("HTTPFromNative(%q) = %q, want %q", native, got, want)
		}
	}
	f("clickhouse://u:p@h:9000/corrosion", "http://u:p@h:8123/?database=corrosion")
	f("clickhouse://u:p@h:9440/corrosion?secure=true", "https://u:p@h:8443/?database=corrosion")
	f("clickhouse://u@a:9440,b:9440/corrosion?ca_file=/ca&password_file=/p", "https://u@a:8443/?database=corrosion&ca_file=%2Fca&password_file=%2Fp")
	f("clickhouse://h/corrosion?cluster=prod&replicated=false", "http://h:8123/?database=corrosion&cluster=prod&replicated=false")
	f("clickhouse://h", "http://h:8123/")
	f("nonsense", "")
	f("clickhouse://", "")
}
