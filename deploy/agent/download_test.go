package agent

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corrosion/schema/command"
)

// Whatever the file's server does: an honest code, no file in place, nothing half-written.
func TestBadServers(t *testing.T) {
	good := file{"Loot.cs", strings.Repeat("0123456789", 1000)}
	whole := int64(len(good.text))
	f := func(name string, want command.Code, handler http.HandlerFunc) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a := offline(t, dir)
			after := a.run(t, good.install("loot", "1.0.0", serve(t, handler)))
			if after.State != command.Failed || after.Code != want || after.Error == "" {
				t.Errorf("%s %s %q, want %s", after.State, after.Code, after.Error, want)
			}
			wantPlugins(t, dir)
		})
	}
	f("404", command.CodeGone, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	f("500 for ever", command.CodeNetwork, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	f("another file", command.CodeDigest, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", int(whole))) })
	f("10 GB announced", command.CodeTooBig, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(10<<30))
		_, _ = io.WriteString(w, good.text)
	})
	f("10 GB without a word", command.CodeTooBig, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, good.text); err != nil {
				return
			}
		}
	})
	f("too short", command.CodeSize, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, good.text[:100]) })
	f("one byte at a time", command.CodeTooSlow, func(w http.ResponseWriter, r *http.Request) {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		w.WriteHeader(http.StatusOK)
		for r.Context().Err() == nil {
			<-ticker.C
			_, _ = w.Write([]byte("0"))
			w.(http.Flusher).Flush()
		}
	})
	f("silence", command.CodeNetwork, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	f("round and round", command.CodeNetwork, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/file", http.StatusFound) })
	f("another part than asked for", command.CodeNetwork, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") == "" {
			cutAfter(w, good.text, 5000)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-9/%d", whole))
		w.WriteHeader(http.StatusPartialContent)
	})
}

// cutAfter breaks the connection in the middle.
func cutAfter(w http.ResponseWriter, text string, bytes int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = io.WriteString(w, text[:bytes])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestResume(t *testing.T) {
	good := file{"Loot.cs", strings.Repeat("0123456789", 1000)}
	dir := t.TempDir()
	a := offline(t, dir)
	var whole, parts atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		if r.Header.Get("Range") == "" {
			whole.Add(1)
			cutAfter(w, good.text, 4000)
		}
		parts.Add(1)
		if got := r.Header.Get("If-Range"); got != `"one"` {
			t.Errorf("If-Range %q", got)
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(good.text))
	})
	a.mustRun(t, good.install("loot", "1.0.0", url), command.Installed)
	wantPlugins(t, dir, good)
	if whole.Load() != 1 || parts.Load() != 1 {
		t.Errorf("asked for all %d times, for the rest %d times", whole.Load(), parts.Load())
	}
}

// The file was another one when its first part was sent: the digest finds out, and a whole one settles it.
func TestResumeOfAChangedFile(t *testing.T) {
	good := file{"Loot.cs", strings.Repeat("0123456789", 1000)}
	dir := t.TempDir()
	a := offline(t, dir)
	var asked atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			cutAfter(w, strings.Repeat("old", 4000)[:len(good.text)], 3000)
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(good.text))
	})
	c := good.install("loot", "1.0.0", url)
	if _, err := a.journal.accept(c, time.Now()); err != nil {
		t.Fatal(err)
	}
	// What a killed process left behind.
	d := &download{client: a.client, config: a.config.Download, disk: a.disk, command: c, part: partName(c.ID), progress: func(int) {}}
	if err := d.once(t.Context()); err == nil {
		t.Fatal("the first part was whole")
	}
	a.do(t.Context(), c)
	after, _ := a.journal.job(c.ID)
	if after.State != command.Installed {
		t.Errorf("%s %s %s", after.State, after.Code, after.Error)
	}
	wantPlugins(t, dir, good)
}

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "1m")
	a := offline(t, dir)
	small := file{"Loot.cs", "small"}
	a.mustRun(t, small.install("loot", "1.0.0", serving(t, small)), command.Installed)
	big := file{"Loot.cs", strings.Repeat("x", 900<<10)}
	after := a.run(t, big.install("loot", "2.0.0", serving(t, big)))
	if after.State != command.Failed || after.Code != command.CodeDiskFull {
		t.Errorf("%s %s %s", after.State, after.Code, after.Error)
	}
	wantPlugins(t, dir, small)
	if parts, err := a.disk.names(partDir); err != nil || len(parts) != 0 {
		t.Errorf("left behind: %v %v", parts, err)
	}
	// The rest is taken by somebody else, to the last page: the journal still gets written.
	hog, err := os.Create(dir + "/hog")
	if err != nil {
		t.Fatal(err)
	}
	for page := make([]byte, 4096); err == nil; {
		_, err = hog.Write(page)
	}
	hog.Close()
	third := file{"Loot.cs", strings.Repeat("y", 400<<10)}
	after = a.run(t, third.install("loot", "3.0.0", serving(t, third)))
	if after.State != command.Failed || after.Code != command.CodeDiskFull {
		t.Errorf("on the full disk: %s %s %s", after.State, after.Code, after.Error)
	}
	if text, err := os.ReadFile(dir + "/Loot.cs"); err != nil || string(text) != small.text {
		t.Errorf("the file that was there: %.20q %v", text, err)
	}
}
