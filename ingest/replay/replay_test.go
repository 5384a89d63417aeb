package replay

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"corrosion/ingest/publish"
	"corrosion/schema"
	"corrosion/schema/wire"
)

// noon is the time of these tests.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// recorder keeps what it is given, as JSON, after checking that the contract's reader takes it.
type recorder struct {
	t       *testing.T
	samples []string
	counts  publish.Counts
	metrics uint64
	keep    bool
	decoder *wire.Decoder
	buf     []byte
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{t: t, keep: true, decoder: wire.NewDecoder()}
}

func (r *recorder) Add(_ context.Context, s *schema.Sample) error {
	r.buf = wire.AppendJSON(r.buf[:0], s)
	if r.keep {
		r.samples = append(r.samples, string(r.buf))
	}
	r.counts.Sent++
	r.counts.Acked++
	r.metrics += uint64(len(s.Metrics))
	if r.counts.Sent%97 == 1 || r.keep {
		r.check(s)
	}
	return nil
}

func (r *recorder) check(s *schema.Sample) {
	r.t.Helper()
	env := wire.Envelope{License: uuid.New(), StoredAt: s.TS, Epoch: 1, Seq: 1}
	stats := r.decoder.Decode(env, "", r.buf, func(*schema.Sample) {}, func(x wire.Reject) {
		r.t.Errorf("ingest would refuse %s: %s %s", r.buf, x.Reason, x.Detail)
	})
	if stats.Samples != 1 || stats.IgnoredFields != 0 {
		r.t.Errorf("ingest would read %+v of %s", stats, r.buf)
	}
}

func (r *recorder) Flush(context.Context) (publish.Counts, error) { return r.counts, nil }
func (r *recorder) Counts() publish.Counts                        { return r.counts }

// write makes a file for Options.Files.
func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// replayed runs o over content and returns the samples as JSON, and the report.
func replayed(t *testing.T, content string, change func(*Options)) ([]string, Report) {
	t.Helper()
	p := newRecorder(t)
	o := Options{Files: []string{write(t, content)}, Publisher: p, Now: func() time.Time { return noon }}
	if change != nil {
		change(&o)
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p.samples, r
}

func checkSamples(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// rejects is the report's rejections as "reason count" in order of reason.
func rejects(r Report) string {
	var list []string
	for _, x := range r.Rejected {
		list = append(list, fmt.Sprintf("%s %d", x.Reason, x.Count))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

const at = 1795176000000 // noon, as ms

func ms(ago time.Duration) string { return fmt.Sprint(at - ago.Milliseconds()) }

func TestWideCSV(t *testing.T) {
	got, r := replayed(t, "\xef\xbb\xbftimestamp,host,Players,fps,load avg,name,2048\n"+
		"2026-11-20T11:00:00Z,a.b,3,59.5,0.5,\"Escape, 2\",7\n"+
		"2026-11-20T11:00:01.0019+01:00,a.b,,,1e3,NULL,\n"+
		"\n"+
		"2026-11-20 11:00:02,c,12.0,,,404,\n", nil)
	checkSamples(t, got,
		`{"server_id":"a_b","ts":`+ms(time.Hour)+`,"players":3,"fps":59.5,"metrics":{"load_avg":0.5,"2048":7}}`,
		`{"server_id":"a_b","ts":`+ms(2*time.Hour-1001*time.Millisecond)+`,"metrics":{"load_avg":1000}}`,
		`{"server_id":"c","ts":`+ms(time.Hour-2*time.Second)+`,"players":12,"metrics":{"name":404}}`)
	_ = r
}

func TestTextColumnsAreIgnored(t *testing.T) {
	got, r := replayed(t, "ts,server_id,players,name,odd\n"+
		ms(0)+",a,1,Escape Game,\n"+ms(0)+",a,2,2048,\n"+ms(0)+",a,3,Rust,x\n"+ms(0)+",a,4,,5\n", func(o *Options) { o.Ignore = []string{"odd"} })
	if len(got) != 4 || strings.Contains(strings.Join(got, ""), "metrics") {
		t.Errorf("got %v", got)
	}
	if len(r.Ignored) != 1 || r.Ignored[0] != (Ignored{"name", 3}) || len(r.Rejected) != 0 {
		t.Errorf("ignored %v, rejected %v", r.Ignored, r.Rejected)
	}
}

func TestMaps(t *testing.T) {
	got, r := replayed(t, "ts,server_id,rx,latency_s,mem,build,users\n"+
		ms(0)+",a,1000.4,0.0125,100,2633,7\n", func(o *Options) {
		o.Maps = []string{"rx=net_in|round", "rx=metrics.rx", "latency_s=frame_ms*1000", "mem=memory_mb*0.5", "build=version", "users=players"}
	})
	checkSamples(t, got, `{"server_id":"a","ts":`+ms(0)+`,"players":7,"frame_ms":12.5,"memory_mb":50,"net_in":1000,"version":"2633","metrics":{"rx":1000.4}}`)
	if rejects(r) != "" {
		t.Error(rejects(r))
	}
}

func TestBadCellsCostThemselves(t *testing.T) {
	got, r := replayed(t, "ts,server_id,players,fps,net_in,map,x\n"+
		ms(0)+",a,1,-5,1.5,ok,1\n"+
		ms(0)+",b,4294967296,NaN,18446744073709551616,"+strings.Repeat("m", 129)+",2\n"+
		ms(0)+",c,abc,1e999,18446744073709551615,,oops\n"+
		ms(0)+",d,-1,,,,\n", nil)
	checkSamples(t, got,
		`{"server_id":"a","ts":`+ms(0)+`,"players":1,"map":"ok","metrics":{"x":1}}`,
		`{"server_id":"b","ts":`+ms(0)+`,"metrics":{"x":2}}`,
		`{"server_id":"c","ts":`+ms(0)+`,"net_in":18446744073709551615}`)
	want := "bad-number 2, fraction 1, negative 2, no-values 1, not-finite 2, out-of-range 2, text-length 1"
	if rejects(r) != want {
		t.Errorf("rejected %s, want %s", rejects(r), want)
	}
	if r.RejectedRows() != 1 || r.RejectedCells() != 10 || r.Rows != 4 || r.Samples != 3 {
		t.Errorf("report %+v", r)
	}
}

func TestBadRowsCostThemselves(t *testing.T) {
	got, r := replayed(t, "ts,server_id,players\n"+
		ms(0)+",a,1\n"+
		ms(0)+",a\n"+
		ms(0)+",a,\"b\"c\n"+
		"yesterday,a,1\n"+
		",a,1\n"+
		ms(90*24*time.Hour)+",a,1\n"+
		ms(-6*time.Minute)+",a,1\n"+
		ms(0)+", ,1\n"+
		ms(0)+",a,\n"+
		ms(-4*time.Minute)+",a,2\n", nil)
	if len(got) != 2 {
		t.Errorf("got %v", got)
	}
	want := "bad-line 2, bad-time 2, in-future 1, no-server 1, no-values 1, too-old 1"
	if rejects(r) != want {
		t.Errorf("rejected %s, want %s", rejects(r), want)
	}
	if r.Rows != 10 || r.RejectedRows() != 8 {
		t.Errorf("%d rows, %d rejected", r.Rows, r.RejectedRows())
	}
	lines := map[Reason]int{}
	for _, x := range r.Rejected {
		lines[x.Reason] = x.Examples[0].Line
	}
	if lines[BadLine] != 3 || lines[BadTime] != 5 || lines[TooOld] != 7 || lines[NoValues] != 10 {
		t.Errorf("first lines %v", lines)
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil || !strings.Contains(out.String(), "in:5: \"yesterday\"") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestLongCSV(t *testing.T) {
	got, r := replayed(t, "time;server;name;v;took\n"+
		ms(5*time.Second)+";a;fps;60;1\n"+
		ms(5*time.Second)+";b;x y;1;1\n"+
		ms(5*time.Second)+";a;cpu;5;1\n"+
		ms(5*time.Second)+";a;cpu;6;1\n"+
		ms(4*time.Second)+";a;fps;;1\n"+
		ms(4*time.Second)+";a;;1;1\n"+
		ms(4*time.Second)+";a;fps;bad;1\n"+
		ms(3*time.Second)+";a;fps;61;1\n", func(o *Options) { o.Long, o.Maps = "name,v", []string{"cpu=cpu_percent*2"} })
	checkSamples(t, got,
		`{"server_id":"a","ts":`+ms(5*time.Second)+`,"fps":60,"cpu_percent":10}`,
		`{"server_id":"a","ts":`+ms(5*time.Second)+`,"cpu_percent":12}`,
		`{"server_id":"b","ts":`+ms(5*time.Second)+`,"metrics":{"x_y":1}}`,
		`{"server_id":"a","ts":`+ms(3*time.Second)+`,"fps":61}`)
	if want := "bad-number 1, no-values 1, odd-name 1"; rejects(r) != want {
		t.Errorf("rejected %s, want %s", rejects(r), want)
	}
}

func TestNDJSON(t *testing.T) {
	got, r := replayed(t, `{"server_id":"a","ts":"2026-11-20T12:00:00Z","n":7,"boot":"b1","players":12.0,"fps":null,"note":"hi","extra":3,"metrics":{"extra":4,"m x":1.5,"gone":null}}
{"ts":`+ms(time.Second)+`,"server_id":"a/b","map":"Barren \"x\" ü","flag":true,"list":[1],"deep":{"a":1},"x":1}

{"server_id":"a","ts":1,
[{"server_id":"a","ts":`+ms(0)+`}]
{"server_id":"a","ts":`+ms(0)+`,"players":"5","fps":-1,"metrics":{"q":"1"}}
{"server_id":"a","ts":`+ms(0)+`,"players":1}{"x":1}
{"server_id":"a","players":1}
{"server_id":"a","ts":`+ms(0)+`,"net_in":NaN}
{"server_id":"a","ts":`+ms(0)+`,"n":1,"boot":"b"}
"x"
{"metrics":{"a":1},"a":2,"server_id":"z","ts":`+ms(0)+`}`, nil)
	checkSamples(t, got,
		`{"server_id":"a","ts":`+ms(0)+`,"n":7,"boot":"b1","players":12,"metrics":{"extra":4,"m_x":1.5}}`,
		`{"server_id":"a_b","ts":`+ms(time.Second)+`,"map":"Barren \"x\" ü","metrics":{"x":1}}`,
		`{"server_id":"z","ts":`+ms(0)+`,"metrics":{"a":1}}`)
	if want := "bad-line 5, bad-number 2, bad-time 1, negative 1, no-values 2"; rejects(r) != want {
		t.Errorf("rejected %s, want %s", rejects(r), want)
	}
	if want := []Ignored{{"flag", 1}, {"note", 1}}; !slices.Equal(r.Ignored, want) {
		t.Errorf("ignored %v, want %v", r.Ignored, want)
	}
}

func TestNDJSONLineTooLong(t *testing.T) {
	got, r := replayed(t, `{"server_id":"`+strings.Repeat("a", 2<<20)+"\"}\n"+`{"server_id":"a","ts":`+ms(0)+`,"fps":1}`, nil)
	if len(got) != 1 || rejects(r) != "bad-line 1" {
		t.Errorf("got %v, rejected %s", got, rejects(r))
	}
}

func TestOwnExportComesBack(t *testing.T) {
	got, r := replayed(t, "ts,server_id,players,fps,map,metrics\r\n2026-11-20T12:00:00.000Z,a,5,,Barren,\"{\"\"oxide.hook_ms.Kits\"\":0.5,\"\"b\"\":2}\"\r\n"+
		"2026-11-20T12:00:00.000Z,b,5,,,{}\r\n2026-11-20T12:00:00.000Z,c,5,,,nope\r\n", nil)
	checkSamples(t, got,
		`{"server_id":"a","ts":`+ms(0)+`,"players":5,"map":"Barren","metrics":{"oxide.hook_ms.Kits":0.5,"b":2}}`,
		`{"server_id":"b","ts":`+ms(0)+`,"players":5}`,
		`{"server_id":"c","ts":`+ms(0)+`,"players":5}`)
	if rejects(r) != "bad-number 1" {
		t.Error(rejects(r))
	}
}

func TestManyMetricsAreSplit(t *testing.T) {
	header, values := "ts,server_id,n,boot", ms(0)+",a,1,b"
	for i := range 600 {
		header += fmt.Sprintf(",m%d", i)
		values += fmt.Sprintf(",%d", i)
	}
	got, r := replayed(t, header+"\n"+values+"\n", nil)
	if len(got) != 3 || r.Split != 2 || r.Samples != 3 {
		t.Fatalf("%d samples, %d split", len(got), r.Split)
	}
	if !strings.Contains(got[0], `"n":1,"boot":"b"`) || strings.Contains(got[1], `"n":`) || !strings.Contains(got[2], `"m599":599}`) {
		t.Errorf("parts %.80s… %.80s… %.80s…", got[0], got[1], got[2])
	}
}

func TestOpenQuoteDoesNotEatTheMachine(t *testing.T) {
	p := newRecorder(t)
	o := Options{Publisher: p, Now: func() time.Time { return noon },
		Files: []string{write(t, "ts,server_id,fps\n"+ms(0)+",a,1\n"+ms(0)+",\"a,1\n"+strings.Repeat("x\n", 8<<20)), write(t, "ts,server_id,fps\n"+ms(0)+",b,1\n")}}
	r, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "not closed") {
		t.Errorf("error %v", err)
	}
	if len(p.samples) == 0 || !strings.Contains(p.samples[len(p.samples)-1], `"b"`) {
		t.Errorf("the other file is missing: %v, %+v", p.samples, r)
	}
}

func TestCompressed(t *testing.T) {
	plain := []byte("ts,server_id,fps\n" + ms(0) + ",a,1\n" + ms(0) + ",b,2\n")
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = w.Write(plain)
	_ = w.Close()
	e, _ := zstd.NewWriter(nil)
	for name, content := range map[string][]byte{"gzip": gz.Bytes(), "zstd": e.EncodeAll(plain, nil)} {
		if got, _ := replayed(t, string(content), nil); len(got) != 2 {
			t.Errorf("%s: %d samples", name, len(got))
		}
		o := Options{Files: []string{write(t, string(content[:len(content)-6]))}, Publisher: newRecorder(t), Now: func() time.Time { return noon }}
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%s cut short: no error", name)
		}
	}
	_ = e.Close()
}

func TestAlign(t *testing.T) {
	content := "ts,server_id,fps\n2020-01-01T18:00:00Z,a,1\n2020-01-03T11:59:59Z,a,2\n2020-01-05T00:00:00Z,a,3\nx,a,4\n"
	for _, stdin := range []bool{false, true} {
		got, r := replayed(t, content, func(o *Options) {
			o.AlignNow, o.To = true, time.Date(2020, 1, 5, 0, 0, 0, 0, time.UTC)
			if stdin {
				o.Files, o.Stdin = []string{"-"}, strings.NewReader(content)
			}
		})
		checkSamples(t, got,
			`{"server_id":"a","ts":`+ms(42*time.Hour)+`,"fps":1}`,
			`{"server_id":"a","ts":`+ms(time.Second)+`,"fps":2}`)
		if r.Cut != 1 || r.Shift != 2513*24*time.Hour || rejects(r) != "bad-time 1" {
			t.Errorf("cut %d, shift %v, rejected %s", r.Cut, r.Shift, rejects(r))
		}
	}
}

func TestRunRefuses(t *testing.T) {
	good := "ts,server_id,fps\n" + ms(0) + ",a,1\n"
	f := func(content, want string, change func(*Options)) {
		t.Helper()
		o := Options{Files: []string{write(t, content)}, Publisher: newRecorder(t), Now: func() time.Time { return noon }}
		if change != nil {
			change(&o)
		}
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q in it", err, want)
		}
	}
	f("", "read header", nil)
	f("a,server_id\n1,2\n", "no time column", nil)
	f("ts,fps\n1,2\n", "no server column", nil)
	f(good, "no time column", func(o *Options) { o.TimeColumn = "when" })
	f(good, "no columns", func(o *Options) { o.Long = "metric,value" })
	f(good, "must be the names", func(o *Options) { o.Long = "metric" })
	f(good, "must be csv or ndjson", func(o *Options) { o.Format = "xml" })
	f(good, "no field", func(o *Options) { o.Maps = []string{"a=b"} })
	f(good, "must be source=target", func(o *Options) { o.Maps = []string{"a"} })
	f(good, "factor", func(o *Options) { o.Maps = []string{"a=fps*x"} })
	f(good, "modifier", func(o *Options) { o.Maps = []string{"a=fps|floor"} })
	f(good, "is a text", func(o *Options) { o.Maps = []string{"a=map*2"} })
	f(good, "metric name", func(o *Options) { o.Maps = []string{"a=metrics.x y"} })
	f(good, "reserved", func(o *Options) { o.ServerID = "host" })
	f(good, "not before", func(o *Options) { o.From, o.To = noon, noon })
	f(good, "no row has a readable time", func(o *Options) { o.AlignNow, o.From = true, noon.Add(time.Hour) })
	f(good, "find file", func(o *Options) { o.Files = []string{"/nowhere/at/all"} })
	f(`{"a":1}`, "long form", func(o *Options) { o.Long = "a,b" })
}

func TestStopKeepsTheReport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := newRecorder(t)
	p.keep = false
	var content strings.Builder
	content.WriteString("ts,server_id,fps\n")
	for range 5000 {
		content.WriteString(ms(0) + ",a,1\n")
	}
	o := Options{Files: []string{write(t, content.String())}, Publisher: p, Now: func() time.Time { return noon },
		Progress: func(x Progress) {
			if x.Samples > 0 {
				cancel()
			}
		}}
	r, err := Run(ctx, o)
	if err != nil && r.Samples == 5000 {
		return // too fast for a progress call in between
	}
	if r.Published.Acked != r.Samples {
		t.Errorf("%d published, %d stored, %v", r.Samples, r.Published.Acked, err)
	}
}
