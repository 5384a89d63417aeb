package stores

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"corrosion/deploy/local/localtest"
)

const tag = "sxvjbtneowbnktbp"

// written is what ClickHouse writes at the end of an answer about a fault.
func written(tag, message string) string {
	return fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", tag, message, len(message)+1, tag)
}

func answered(status int, body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(body),
		Header: http.Header{"X-Clickhouse-Exception-Tag": {tag}},
	}
}

// brokenOff is a body that ends without its last chunk.
func brokenOff(text string) io.Reader {
	return io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF))
}

// Rows come whole and a fault as an error, however the bytes are cut.
func TestAnswer(t *testing.T) {
	const message = "Code: 396. DB::Exception: Limit for result exceeded. (TOO_MANY_ROWS_OR_BYTES)"
	long := "Code: 1. " + strings.Repeat("a table\n", 2<<10) + "(UNSUPPORTED_METHOD)"
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "data with its end": iotest.DataErrReader,
	}
	f := func(rows, message, after string) {
		t.Helper()
		text := rows
		if message != "" {
			text += written(tag, message)
		}
		for name, cut := range readers {
			for _, whole := range []bool{true, false} {
				body := io.Reader(strings.NewReader(text + after))
				if !whole {
					body = brokenOff(text + after)
				}
				got, err := io.ReadAll(NewAnswer(answered(http.StatusOK, cut(body))))
				if string(got) != rows+after {
					t.Errorf("%s: %d bytes of rows, want %d", name, len(got), len(rows)+len(after))
				}
				var said *Exception
				switch found := errors.As(err, &said); {
				case found != (message != ""):
					t.Errorf("%s: %d bytes of rows end with %v", name, len(rows), err)
				case found && said.Message != message:
					t.Errorf("%s: it says %.300q", name, said.Message)
				case !found && whole && err != nil, !found && !whole && !errors.Is(err, io.ErrUnexpectedEOF):
					t.Errorf("%s: %d bytes of rows without a fault end with %v", name, len(rows), err)
				}
			}
		}
	}
	for _, size := range []int{0, 1, MaxException - 1, MaxException, MaxException + 1, 4 * MaxException, 4*MaxException + 1, 300_000} {
		rows := strings.Repeat("0123456789abcde\n", size/16+1)[:size]
		f(rows, "", "")
		f(rows, message, "")
		f(rows, long, "")
		f(rows+written("another's tag...", "Code: 7."), "", "") // rows may say so, too
	}
}

// Without a tag nothing is taken for a fault; with one, its number is read from the text.
func TestMarkFind(t *testing.T) {
	f := func(m Mark, end string, at, code int, message string) {
		t.Helper()
		gotAt, said := m.Find([]byte(end))
		if said == nil {
			said = &Exception{}
		}
		if gotAt != at || said.Code != code || said.Message != message {
			t.Errorf("%q in %q: %d, %d %q", m, end, gotAt, said.Code, said.Message)
		}
	}
	f("", "a\n"+written(tag, "Code: 1. x"), -1, 0, "")
	f(tag, "a\n", -1, 0, "")
	f(tag, "a\n"+written(tag, "Code: 159. slow"), 2, 159, "Code: 159. slow")
	f(tag, "a\n\r\n__exception__\r\n"+tag+"\r\nCode: 3. cut sh", 2, 3, "Code: 3. cut sh")
	f(tag, "__exception__\r\n"+tag+tag, 0, 0, "")
}

func TestRefusal(t *testing.T) {
	f := func(body, code string, want Exception) {
		t.Helper()
		response := answered(http.StatusInternalServerError, strings.NewReader(body))
		if code != "" {
			response.Header.Set("X-ClickHouse-Exception-Code", code)
		}
		if got := Refusal(response); *got != want {
			t.Errorf("%.60q: %d %q", body, got.Code, got.Message)
		}
	}
	f("Code: 47. DB::Exception: Unknown\n", "47", Exception{47, "Code: 47. DB::Exception: Unknown"})
	f("Code: 47. DB::Exception: Unknown\n", "", Exception{47, "Code: 47. DB::Exception: Unknown"})
	f("", "", Exception{0, "status 500"})
	f("an answer of a proxy", "", Exception{0, "an answer of a proxy"})
	rows := strings.Repeat("1\t2\n", 1000)
	f(rows+written(tag, "Code: 396. Limit"), "396", Exception{396, "Code: 396. Limit"})
	f(rows+"Code: 396. DB::Exception: Limit\n", "396", Exception{396, "Code: 396. DB::Exception: Limit"})
	f(strings.Repeat(rows, 100)+"Code: 396. DB::Exception: Limit\n", "396", Exception{396, "Code: 396. DB::Exception: Limit"})
	f(strings.Repeat(rows, 10_000)+"Code: 396. DB::Exception: Limit\n", "396", Exception{396, "Code: 396. DB::Exception: Limit"})
	f("Code: 7. DB::Exception: a query\nCode: 7. DB::Exception: in it\n", "7", Exception{7, "Code: 7. DB::Exception: a query\nCode: 7. DB::Exception: in it"})
	f(strings.Repeat(rows, 100)+written(tag, "Code: 396. Limit"), "396", Exception{396, "Code: 396. Limit"})
}

// A fault amid an answer of ClickHouse itself is found, whether the answer had begun to leave or not, compressed or not.
func TestAnswersOfClickHouse(t *testing.T) {
	store, err := ClickHouseHTTP(localtest.ClickHouse(t).HTTPURL())
	if err != nil {
		t.Fatal(err)
	}
	transport := store.Secure(&http.Transport{DisableCompression: true})
	defer transport.CloseIdleConnections()
	f := func(rows int, encoding string) {
		t.Helper()
		query := fmt.Sprintf("SELECT number, throwIf(number = %d) FROM numbers(1000000) SETTINGS max_block_size = 1000 FORMAT TSV", rows)
		u := store.Address()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.String(), strings.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		if err := store.SignIn(request); err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept-Encoding", encoding)
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.Header.Get("Content-Encoding") == "gzip" {
			if response.Body, err = gzip.NewReader(response.Body); err != nil {
				t.Fatal(err)
			}
		}
		said, lines := &Exception{}, 0
		if response.StatusCode != http.StatusOK {
			said = Refusal(response)
		} else {
			text, err := io.ReadAll(NewAnswer(response))
			if !errors.As(err, &said) || strings.Contains(string(text), "Exception") {
				t.Fatalf("%d rows, %q: status %d, %d bytes, %v", rows, encoding, response.StatusCode, len(text), err)
			}
			lines = strings.Count(string(text), "\n")
		}
		if said.Code != 395 || !strings.HasPrefix(said.Message, "Code: 395. DB::Exception: Value passed to 'throwIf'") || !strings.HasSuffix(said.Message, ")") {
			t.Errorf("%d rows, %q: %d lines, %d %.300q", rows, encoding, lines, said.Code, said.Message)
		}
	}
	for _, encoding := range []string{"identity", "gzip"} {
		for _, rows := range []int{0, 1000, 3000, 30_000, 300_000} {
			f(rows, encoding)
		}
	}
}
