package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"corrosion/deploy/local/localtest"
)

// A configuration is checked without serving, read again on SIGHUP, and served until SIGTERM.
func TestNATSServe(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	path := filepath.Join(dir, "nats.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func() (int, string) {
		var out lockedBuffer
		e := &env{ctx: context.Background(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
		return run(e, []string{"nats", "serve", "--config", path, "--check"}), out.String()
	}
	refuse := func(text, want string) {
		t.Helper()
		write(text)
		if code, out := check(); code != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d %s, want %q", text, code, out, want)
		}
	}
	if code, out := check(); code != 1 || !strings.Contains(out, "no such file") {
		t.Errorf("without a file: exit %d %s", code, out)
	}
	refuse("listen: 127.0.0.1:1", "jetstream")
	refuse("jetstream { store_dir: x }\nlisten: nowhere:none", "port")
	refuse("include nowhere.conf", "no such file")
	config := fmt.Sprintf("listen: %q\njetstream { store_dir: %q }\nauthorization { user: platform, password: ", address, dir)
	write(config + "old }")
	if code, out := check(); code != 0 {
		t.Fatalf("exit %d %s", code, out)
	}
	server := startShipped(t, nil, "nats", "serve", "--config", path)
	login := func(password string) error {
		conn, err := nats.Connect("nats://"+address, nats.UserInfo("platform", password))
		if err == nil {
			conn.Close()
		}
		return err
	}
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error { return login("old") })
	write(config + "new }")
	if err := server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error { return login("new") })
	if login("old") == nil {
		t.Error("the old password still lets in")
	}
	write(config)
	if err := server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	localtest.CheckFor(t, 20*time.Second, 20*time.Millisecond, func() error {
		if !strings.Contains(server.log.String(), "stays as it was") {
			return fmt.Errorf("a broken file is not told of: %s", server.log)
		}
		return nil
	})
	if err := login("new"); err != nil {
		t.Errorf("after a broken file: %v", err)
	}
	server.terminate()
}
