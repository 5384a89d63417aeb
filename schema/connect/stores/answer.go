package stores

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// MaxException is more than ClickHouse writes about a fault at the end of an answer: 16 KiB and its marks, bytes.
const MaxException = 20 << 10

// Exception is a fault that ClickHouse reports over HTTP.
type Exception struct {
	Code    int    // ClickHouse's number of it; 0: none was told
	Message string // what it says, at most MaxException bytes
}

func (e *Exception) Error() string { return "clickhouse says: " + e.Message }

// Mark is what stands before and after a fault at the end of one answer: a tag that the answer's header names, so that rows
// cannot hold it. Before it there may be rows.
// See https://clickhouse.com/docs/interfaces/http#http_response_codes_caveats.
type Mark string

// MarkOf reads an answer's mark; it is empty where a server writes none.
func MarkOf(response *http.Response) Mark {
	return Mark(response.Header.Get("X-ClickHouse-Exception-Tag"))
}

// Find looks for a fault in the end of an answer and says where it begins; -1 and nil: there is none.
func (m Mark) Find(end []byte) (int, *Exception) {
	if m == "" {
		return -1, nil
	}
	const front = "__exception__\r\n"
	at := bytes.Index(end, []byte(front+string(m)))
	if at < 0 {
		return -1, nil
	}
	text, _, closed := strings.Cut(string(end[at+len(front)+len(m):]), string(m))
	if last := strings.LastIndexByte(text, '\n'); closed && last >= 0 { // the length of the message
		text = text[:last]
	}
	return len(bytes.TrimSuffix(end[:at], []byte("\r\n"))), exception(text, "")
}

// exception reads what ClickHouse says; its number stands in the text, too.
func exception(text, code string) *Exception {
	text = strings.TrimSpace(text)
	if code == "" {
		code, _, _ = strings.Cut(strings.TrimPrefix(text, "Code: "), ".")
	}
	number, _ := strconv.Atoi(code)
	return &Exception{Code: number, Message: text}
}

// Refusal reads from an answer whose status is not 200 what ClickHouse says. Rows before it, which it had ready when the fault
// came, are left out; a compressed answer has no mark between the two.
func Refusal(response *http.Response) *Exception {
	code := response.Header.Get("X-ClickHouse-Exception-Code")
	said, err := end(response.Body)
	if _, marked := MarkOf(response).Find(said); marked != nil {
		return exception(marked.Message, code)
	}
	front := []byte("Code: " + code + ". DB::Exception: ")
	if at := bytes.Index(said, front); at >= 0 {
		said = said[at:]
	}
	if len(bytes.TrimSpace(said)) == 0 {
		said = []byte("status " + response.Status)
		if err != nil {
			said = fmt.Appendf(said, ", and broke off: %v", err)
		}
	}
	return exception(string(said), code)
}

// end reads to the end of a body, which is far when rows were compressed well, and gives its last MaxException bytes.
func end(body io.Reader) (last []byte, err error) {
	buf := make([]byte, MaxException)
	for err == nil {
		var n int
		n, err = body.Read(buf)
		last = append(last, buf[:n]...)
		last = last[max(0, len(last)-MaxException):]
	}
	if err == io.EOF {
		err = nil
	}
	return last, err
}

// Answer is the body of an answer under way, which keeps its last MaxException bytes back until it knows that they are rows.
// When a fault comes after the answer has begun, Read gives the rows before it and then an *Exception; when the answer breaks
// off without a word, an error that wraps io.ErrUnexpectedEOF or what the network says.
type Answer struct {
	body io.Reader
	mark Mark
	held []byte // its first part has been read
	read int
	err  error // what comes after held
}

// NewAnswer reads a response's body; closing that stays with the caller.
func NewAnswer(response *http.Response) *Answer {
	return &Answer{body: response.Body, mark: MarkOf(response), held: make([]byte, 0, 4*MaxException)}
}

func (a *Answer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for a.err == nil && len(a.held)-a.read <= MaxException {
		a.fill()
	}
	rows := a.held[a.read:]
	if a.err == nil {
		rows = rows[:len(rows)-MaxException]
	} else if len(rows) == 0 {
		return 0, a.err
	}
	n := copy(p, rows)
	a.read += n
	return n, nil
}

// fill reads once, and at the end looks at what it holds.
func (a *Answer) fill() {
	if len(a.held) == cap(a.held) {
		a.held, a.read = append(a.held[:0], a.held[a.read:]...), 0
	}
	n, err := a.body.Read(a.held[len(a.held):cap(a.held)])
	a.held = a.held[:len(a.held)+n]
	if err == nil {
		return
	}
	if at, said := a.mark.Find(a.held[a.read:]); said != nil {
		a.held, a.err = a.held[:a.read+at], said
		return
	}
	if a.err = err; err != io.EOF {
		a.err = fmt.Errorf("clickhouse broke off its answer: %w", err)
	}
}
