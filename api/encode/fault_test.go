package encode

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An export that ClickHouse breaks off says why to the log, passes none of its words on, and may be tried again.
func TestFaultAmidAnExport(t *testing.T) {
	const said = "Code: 241. DB::Exception: Memory limit exceeded"
	rows := "a,b\n" + strings.Repeat("1,2\n", 200_000)
	f := func(rows, end string, cut bool, want string) {
		t.Helper()
		engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-ClickHouse-Exception-Tag", "sxvjbtneowbnktbp")
			_, _ = io.WriteString(w, rows+end)
			if cut {
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
		}))
		defer engine.Close()
		cfg := DefaultConfig()
		cfg.URL = engine.URL
		exporter := must(New(cfg))
		defer exporter.Close()
		var text []byte
		stream, err := exporter.Export(t.Context(), testRequest())
		if err == nil {
			text, err = io.ReadAll(stream)
			if err := stream.Close(); err != nil {
				t.Error(err)
			}
		}
		var server *ServerError
		if !errors.Is(err, ErrBroken) || errors.As(err, &server) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%d bytes, cut %t: %v", len(rows), cut, err)
		}
		if !strings.HasPrefix(rows, string(text)) {
			t.Errorf("%d bytes came, and not of the %d rows alone", len(text), len(rows))
		}
	}
	exception := fmt.Sprintf("\r\n__exception__\r\nsxvjbtneowbnktbp\r\n%s\n%d sxvjbtneowbnktbp\r\n__exception__\r\n", said, len(said)+1)
	for _, rows := range []string{rows, rows[:40], rows[:chunkSize], rows[:chunkSize-len(exception)/2], rows[:2*chunkSize-1]} {
		f(rows, exception, false, said)
		f(rows, exception, true, said)
		f(rows, "", true, "unexpected EOF")
	}
}
