package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// quietInterval is how often work says how far it is where nobody watches a terminal.
const quietInterval = 5 * time.Second

// progress shows how far long work is: a bar on a terminal, a line every few seconds elsewhere.
type progress struct {
	what string
	unit string
	out  io.Writer
	bar  *progressbar.ProgressBar

	mu    sync.Mutex
	next  time.Time
	begun time.Time
}

func newProgress(out io.Writer, what, unit string) *progress {
	p := &progress{what: what, unit: unit, out: out, begun: time.Now(), next: time.Now().Add(quietInterval)}
	if file, ok := out.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionSetItsString(unit), progressbar.OptionShowIts(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	return p
}

// update says that done of total units are finished; total 0 means unknown. It may be called from any goroutine.
func (p *progress) update(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		if total > 0 && p.bar.GetMax64() != total {
			p.bar.ChangeMax64(total)
		}
		_ = p.bar.Set64(done)
		return
	}
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(quietInterval)
		if total > 0 {
			fmt.Fprintf(p.out, "%s: %d of %d %s (%d %%)\n", p.what, done, total, p.unit, 100*done/total)
		} else {
			fmt.Fprintf(p.out, "%s: %d %s\n", p.what, done, p.unit)
		}
	}
}

// finish takes the bar away and says how long the work took.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
	}
	if took := time.Since(p.begun); took > 2*time.Second {
		fmt.Fprintf(p.out, "%s: done in %s\n", p.what, took.Round(100*time.Millisecond))
	}
}
