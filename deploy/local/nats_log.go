package local

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// violationsLogged bounds the lines a second about refused subjects: clients
// can cause them at will.
const violationsLogged = 10

// Violations counts refusals since the server started.
type Violations struct {
	// Publish and Subscribe count operations on subjects that the user may not use.
	Publish, Subscribe int64
	// Refused counts connections with a wrong user or password.
	Refused int64
}

// natsLog is the server's Logger: it writes to slog and counts violations,
// which the server reports nowhere else.
type natsLog struct {
	log                         *slog.Logger
	file                        io.Closer
	publish, subscribe, refused atomic.Int64

	mu     sync.Mutex
	last   string
	second int64
	lines  int
}

func newNATSLog(handler slog.Handler, file io.Closer) *natsLog {
	return &natsLog{log: slog.New(handler), file: file}
}

func (l *natsLog) violations() Violations {
	return Violations{Publish: l.publish.Load(), Subscribe: l.subscribe.Load(), Refused: l.refused.Load()}
}

// lastError returns the newest error or fatal line.
func (l *natsLog) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Close closes the log file.
func (l *natsLog) Close() error { return l.file.Close() }

// Noticef implements server.Logger, like the methods below.
func (l *natsLog) Noticef(format string, v ...any) { l.log.Info(fmt.Sprintf(format, v...)) }

// Warnf logs a warning.
func (l *natsLog) Warnf(format string, v ...any) { l.log.Warn(fmt.Sprintf(format, v...)) }

// Fatalf logs an error; the process goes on, and StartNATS reports it.
func (l *natsLog) Fatalf(format string, v ...any) { l.keep(fmt.Sprintf(format, v...)) }

// Errorf logs an error and counts it when it is a violation.
func (l *natsLog) Errorf(format string, v ...any) {
	switch {
	case strings.Contains(format, "Publish Violation"):
		l.publish.Add(1)
	case strings.Contains(format, "Subscription Violation"):
		l.subscribe.Add(1)
	default:
		l.keep(fmt.Sprintf(format, v...))
		return
	}
	if l.mayLog() {
		l.log.Warn(fmt.Sprintf(format, v...))
	}
}

// Debugf drops the line.
func (*natsLog) Debugf(string, ...any) {}

// Tracef drops the line.
func (*natsLog) Tracef(string, ...any) {}

func (l *natsLog) keep(line string) {
	l.mu.Lock()
	l.last = line
	l.mu.Unlock()
	l.log.Error(line)
}

func (l *natsLog) mayLog() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now().Unix(); now != l.second {
		l.second, l.lines = now, 0
	}
	l.lines++
	return l.lines <= violationsLogged
}
