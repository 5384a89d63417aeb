package sqlaccess

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// world is a server of its own with two readers.
type world struct {
	server *localtest.ClickHouseServer
	conn   driver.Conn
	mine   uuid.UUID
	theirs uuid.UUID
}

const (
	myReader, theirReader = "reader_01", "reader_02"
	myPassword            = "my-password"
	foreignPlayers        = 777777
)

func newWorld(t *testing.T) *world {
	t.Helper()
	server := localtest.NewClickHouse(t, localtest.WithReaders(
		local.Reader{Name: myReader, Password: myPassword}, local.Reader{Name: theirReader, Password: "their-password"}))
	if _, err := schema.MigrateClickHouse(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	w := &world{server: server, conn: schematest.Connect(t, server.URL()), mine: uuid.New(), theirs: uuid.New()}
	w.exec(t, mapUser, myReader, w.mine)
	w.fill(t, w.mine, "mine", 1)
	return w
}

// addForeign brings the other license with its reader and rows on both sides of ours in every order.
func (w *world) addForeign(t *testing.T) {
	t.Helper()
	w.exec(t, mapUser, theirReader, w.theirs)
	w.fill(t, w.theirs, "foreign-server", foreignPlayers)
	w.fill(t, uuid.MustParse("00000000-0000-4000-8000-0000000000f0"), "foreign-first", foreignPlayers)
	w.fill(t, uuid.MustParse("ffffffff-ffff-4fff-bfff-fffffffffff0"), "foreign-last", foreignPlayers)
	w.exec(t, "OPTIMIZE TABLE corrosion.samples FINAL")
	w.exec(t, "SELECT 'foreign-query', * FROM corrosion.samples FORMAT Null")
	w.exec(t, "SYSTEM FLUSH LOGS")
}

func (w *world) fill(t *testing.T, license uuid.UUID, server string, players uint64) {
	t.Helper()
	var samples []schema.Sample
	for i := range 3000 {
		at := time.Now().Add(-time.Duration(i) * 5 * time.Second)
		s := schema.Sample{License: license, ServerID: server, TS: at.UnixMilli(), ReceivedAt: at.UnixMilli(), Epoch: 1, Seq: uint64(i)}
		s.SetUint(schema.Players, players)
		s.Metrics = append(s.Metrics, schema.Metric{Name: server, Value: float64(players)})
		samples = append(samples, s)
	}
	schematest.InsertSamples(t, w.conn, samples)
	w.exec(t, "INSERT INTO corrosion.network_hours SELECT ?, toStartOfHour(now()), ?, now(), ?, 1, 3000, 1", license, float64(players), float64(players))
}

func (w *world) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if err := w.conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(statement, err)
	}
}

// asReader asks over HTTP; the error holds all that the server says, rows before a fault too: they must not be foreign either.
func (w *world) asReader(ctx context.Context, query string) (string, error) {
	return ask(ctx, w.server.HTTPURL(), myReader, myPassword, query)
}

func ask(ctx context.Context, target, user, password, query string) (string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", err
	}
	u.User, u.RawQuery = nil, "database=corrosion"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(query))
	if err != nil {
		return "", err
	}
	request.Header.Set("X-ClickHouse-User", user)
	request.Header.Set("X-ClickHouse-Key", password)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("clickhouse says: %s", body)
	}
	return string(body), err
}

// corpus reads one query a line.
func (w *world) corpus(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			queries = append(queries, strings.ReplaceAll(line, "{theirs}", w.theirs.String()))
		}
	}
	return queries
}

// foreign finds what is not the reader's in an answer, leaving aside what the query itself says.
func (w *world) foreign(query, answer string) string {
	for _, mark := range []string{"foreign-server", "foreign-first", "foreign-last", "foreign-query", fmt.Sprint(foreignPlayers), w.theirs.String(),
		"00000000-0000-4000-8000-0000000000f0", "ffffffff-ffff-4fff-bfff-fffffffffff0", "root:x:0:", localtest.Password} {
		if strings.Contains(answer, mark) && !strings.Contains(query, mark) {
			return mark
		}
	}
	return ""
}
