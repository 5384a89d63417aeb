package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// journal is who did what when, in memory and as NDJSON in a file.
type journal struct {
	mu    sync.Mutex
	file  *os.File
	out   *bufio.Writer
	spans []span
}

// span is one fault while it lasted.
type span struct {
	Fault      string
	Begin, End time.Time
}

func openJournal(dir string) (*journal, error) {
	file, err := os.Create(filepath.Join(dir, "journal.ndjson"))
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &journal{file: file, out: bufio.NewWriter(file)}, nil
}

// write adds a line to the file.
func (j *journal) write(kind string, value any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line, err := json.Marshal(map[string]any{"at": time.Now().UTC(), kind: value})
	if err == nil {
		_, _ = j.out.Write(append(line, '\n')) // the error stays with the writer until close
	}
}

// begin notes a fault and gives what ends it.
func (j *journal) begin(fault string) (end func()) {
	j.mu.Lock()
	index := len(j.spans)
	j.spans = append(j.spans, span{Fault: fault, Begin: time.Now()})
	j.mu.Unlock()
	return func() {
		j.mu.Lock()
		j.spans[index].End = time.Now()
		ended := j.spans[index]
		j.mu.Unlock()
		j.write("fault", ended)
	}
}

// around names the faults that lasted between two moments, ms since the epoch, with their distance from the first.
func (j *journal) around(from, to int64) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var names []string
	for _, s := range j.spans {
		ended := s.End.IsZero() || s.End.UnixMilli() >= from
		if ended && s.Begin.UnixMilli() <= to {
			names = append(names, fmt.Sprintf("%s %+.1f…%+.1fs", s.Fault,
				float64(s.Begin.UnixMilli()-from)/1000, float64(s.End.UnixMilli()-from)/1000))
		}
	}
	return strings.Join(names, ", ")
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.out.Flush(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return j.file.Close()
}
