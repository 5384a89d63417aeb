package sqlaccess

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// No query of the corpus gives a reader anything that is another license's, in its answer or in its error.
func TestAdversarialCorpus(t *testing.T) {
	w := newWorld(t)
	w.addForeign(t)
	queries := w.corpus(t, "testdata/adversarial.sql")
	if len(queries) < 60 {
		t.Fatalf("only %d queries", len(queries))
	}
	refused := 0
	for _, query := range queries {
		answer, err := w.asReader(t.Context(), query)
		if err != nil {
			refused, answer = refused+1, err.Error()
		}
		if mark := w.foreign(query, answer); mark != "" {
			t.Errorf("%s\nshows %s: %.500s", query, mark, answer)
		}
		if err == nil && len(answer) == 0 && strings.HasPrefix(query, "CREATE") {
			t.Errorf("%s: was done", query)
		}
		if strings.Contains(answer, "QUOTA_EXCEEDED") || strings.Contains(answer, "quota for user") {
			t.Fatalf("%s: the quota ends the test: %s", query, answer)
		}
	}
	t.Logf("%d queries, %d refused", len(queries), refused)
	if _, err := os.Stat("/tmp/corrosion-leak.csv"); err == nil {
		t.Error("a file was written")
	}
	if got, err := w.asReader(t.Context(), "SELECT uniqExact(license_id), uniqExact(server_id), any(server_id), count() FROM samples"); err != nil || got != "1\t1\tmine\t3000\n" {
		t.Errorf("afterwards the reader sees %q %v", got, err)
	}
}

// What a reader asks is answered alike whether others have rows or not, so that errors and counts tell nothing either.
func TestBlindToOthers(t *testing.T) {
	w := newWorld(t)
	queries := w.corpus(t, "testdata/blind.sql")
	before := map[string]string{}
	for _, query := range queries {
		before[query] = w.outcome(t, query)
	}
	w.addForeign(t)
	for _, query := range slices.Sorted(maps.Keys(before)) {
		if after := w.outcome(t, query); after != before[query] {
			t.Errorf("%s\nbefore %.300s\nafter  %.300s", query, before[query], after)
		}
	}
}

func (w *world) outcome(t *testing.T, query string) string {
	answer, err := w.asReader(t.Context(), query)
	if err != nil {
		_, code, _ := strings.Cut(err.Error(), "Code: ")
		code, _, _ = strings.Cut(code, ".")
		return "error " + code
	}
	return answer
}

// A native client may say that it acts for another user (as servers of a cluster do): the filters do not ask it.
func TestPretendedInitialUser(t *testing.T) {
	w := newWorld(t)
	w.addForeign(t)
	for _, kind := range []proto.ClientQueryKind{proto.ClientQueryInitial, proto.ClientQuerySecondary} {
		for _, stage := range []proto.Stage{proto.StageComplete, proto.StageWithMergeableState, proto.StageFetchColumns} {
			answer := w.pretend(t, kind, stage, "SELECT currentUser() AS who, server_id, count() AS n FROM corrosion.samples GROUP BY who, server_id")
			if mark := w.foreign("", answer); mark != "" {
				t.Errorf("kind %v, stage %v shows %s: %q", kind, stage, mark, answer)
			}
		}
	}
	if answer := w.pretend(t, proto.ClientQuerySecondary, proto.StageComplete, "SELECT currentUser() AS who"); !strings.Contains(answer, theirReader) {
		t.Errorf("the server did not believe the pretended user: this test proves nothing: %q", answer)
	}
	if answer := w.pretend(t, proto.ClientQueryInitial, proto.StageComplete, "SELECT DISTINCT server_id FROM corrosion.samples"); !strings.Contains(answer, "mine") {
		t.Errorf("the reader does not see its own: %q", answer)
	}
}

// pretend signs in as our reader and asks as if for the other one; it returns the raw answer.
func (w *world) pretend(t *testing.T, kind proto.ClientQueryKind, stage proto.Stage, query string) string {
	t.Helper()
	native, _ := w.server.Ports()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", native))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const revision = 54449 // before addenda and chunks, after roles of queries
	var b proto.Buffer
	proto.ClientHello{Name: "test", Major: 1, ProtocolVersion: revision, Database: "corrosion", User: myReader, Password: myPassword}.Encode(&b)
	q := proto.Query{Body: query, Stage: stage, Compression: proto.CompressionDisabled, Info: proto.ClientInfo{
		ProtocolVersion: revision, Major: 1, Interface: proto.InterfaceTCP, Query: kind, InitialUser: theirReader, InitialAddress: "127.0.0.1:1", ClientName: "test",
	}}
	q.EncodeAware(&b, revision)
	proto.ClientCodeData.Encode(&b)
	proto.ClientData{}.EncodeAware(&b, revision)
	(proto.Block{}).EncodeAware(&b, revision)
	if _, err := conn.Write(b.Buf); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	var answer []byte
	for chunk := make([]byte, 64<<10); len(answer) == 0 || answer[len(answer)-1] != byte(proto.ServerCodeEndOfStream); {
		n, err := conn.Read(chunk)
		if answer = append(answer, chunk[:n]...); err != nil {
			t.Fatalf("%q: %v", answer, err)
		}
	}
	return string(answer)
}

// A table that a client brings along does not take the place of the one that the filters ask.
func TestExternalTableShadowsNothing(t *testing.T) {
	w := newWorld(t)
	w.addForeign(t)
	for _, name := range []string{"user_licenses", "samples", "corrosion.user_licenses"} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, _ := form.CreateFormFile(name, name)
		fmt.Fprintf(part, "%s\t%s\n", myReader, w.theirs)
		_ = form.Close()
		url := strings.Split(w.server.HTTPURL(), "//")[1]
		host := url[strings.Index(url, "@")+1:]
		host, _, _ = strings.Cut(host, "/")
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+host+"/?query=SELECT+DISTINCT+server_id+FROM+corrosion.samples&"+
			name+"_structure=user+String,license_id+UUID", &body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", form.FormDataContentType())
		request.Header.Set("X-ClickHouse-User", myReader)
		request.Header.Set("X-ClickHouse-Key", myPassword)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if mark := w.foreign("", string(answer)); mark != "" {
			t.Errorf("%s brought along: %s", name, answer)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
