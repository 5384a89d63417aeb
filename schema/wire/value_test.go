package wire

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"corrosion/schema"
)

func TestEveryField(t *testing.T) {
	s := one(t, `{"server_id":"eu-1","ts":"2026-11-23T11:59:59.1239Z","n":18446744073709551615,"boot":"b1","players":1,"max_players":2,
		"queued":3,"joining":4,"sleepers":4294967295,"fps":58.5,"frame_ms":0.1,"entities":6,"memory_mb":7.25,"cpu_percent":140.5,
		"net_in":9007199254740993,"net_out":8,"uptime_s":9,"map":"Procedural Map","version":"2.6","metrics":{"a.b:c/d-e_f":-1.5,"z":0}}`)
	if s.ServerID != "eu-1" || s.TS != storedAt-877 || s.ReceivedAt != storedAt || s.Epoch != 7 || s.Seq != 42 || s.Idx != 0 || s.License != envelope().License {
		t.Errorf("identity: %+v", s)
	}
	for f := range schema.NumFields {
		if !s.Has(f) {
			t.Errorf("%s is absent", f)
		}
	}
	if s.Uint(schema.N) != 1<<64-1 || s.Uint(schema.Sleepers) != 1<<32-1 || s.Uint(schema.NetIn) != 1<<53+1 || s.Float(schema.FrameMS) != 0.1 {
		t.Errorf("numbers: %+v", s)
	}
	if s.Boot != "b1" || s.Map != "Procedural Map" || s.Version != "2.6" {
		t.Errorf("texts: %+v", s)
	}
	if want := (schema.Metric{Name: "a.b:c/d-e_f", Value: -1.5}); len(s.Metrics) != 2 || s.Metrics[0] != want {
		t.Errorf("metrics: %v", s.Metrics)
	}
}

func TestAbsent(t *testing.T) {
	s := one(t, `{"server_id":"a","ts":null,"players":null,"map":null,"metrics":null,"fps":0}`)
	if s.Has(schema.Players) || s.Has(schema.Map) || s.Has(schema.Queued) || len(s.Metrics) != 0 || s.TS != storedAt {
		t.Errorf("%+v", s)
	}
	if !s.Has(schema.FPS) || s.Float(schema.FPS) != 0 {
		t.Error("zero is not absent")
	}
}

func TestIntegers(t *testing.T) {
	f := func(field, number string, want uint64) {
		t.Helper()
		id, _ := schema.FieldByName(field)
		s := one(t, fmt.Sprintf(`{"server_id":"a",%q:%s}`, field, number))
		if !s.Has(id) || s.Uint(id) != want {
			t.Errorf("%s %s: %d, want %d", field, number, s.Uint(id), want)
		}
	}
	f("players", "12.0", 12)
	f("players", "12.000", 12)
	f("players", "1.2e1", 12)
	f("players", "12E+0", 12)
	f("players", "-0", 0)
	f("players", "-0.0", 0)
	f("players", "4294967295", 1<<32-1)
	f("players", "4294967295.0", 1<<32-1)
	f("net_in", "18446744073709551615", 1<<64-1)
	f("net_in", "18446744073709551615.0", 1<<64-1)
	f("net_in", "9007199254740993.0", 1<<53+1)
	f("n", "1e3", 1000)
}

func TestBadNumbers(t *testing.T) {
	f := func(field, number string, want Reason) {
		t.Helper()
		body := fmt.Sprintf(`{"server_id":"a",%q:%s}`, field, number)
		r := decode(body)
		if len(r.samples) != 0 || len(r.rejects) != 1 {
			t.Fatalf("%s: %s", body, r.outline())
		}
		bad := r.rejects[0]
		if bad.Reason != want || !strings.HasPrefix(bad.Detail, field+": ") || string(bad.Bytes) != body || bad.Index != 0 {
			t.Errorf("%s: %+v, want %s", body, bad, want)
		}
	}
	f("players", "12.5", NotInteger)
	f("players", "125e-1", NotInteger)
	f("players", "12.00000000000000000001", NotInteger)
	f("players", "-1", OutOfRange)
	f("players", "-0.5", OutOfRange)
	f("players", "4294967296", OutOfRange)
	f("players", "1e10", OutOfRange)
	f("players", "1e400", OutOfRange)
	f("players", `"12"`, WrongType)
	f("players", "true", WrongType)
	f("players", "[1]", WrongType)
	f("players", "{}", WrongType)
	f("net_out", "18446744073709551616", OutOfRange)
	f("net_out", "1.8446744073709551616e19", OutOfRange)
	f("n", "-1", OutOfRange)
	f("uptime_s", "4294967296", OutOfRange)
	f("fps", "-0.1", OutOfRange)
	f("fps", "1e999", OutOfRange)
	f("fps", "-1e999", OutOfRange)
	f("fps", `"60"`, WrongType)
	f("fps", `"NaN"`, WrongType)
	f("fps", "false", WrongType)
	f("modded_thing", "1e999", OutOfRange)
}

func TestFloats(t *testing.T) {
	f := func(number string, want float64) {
		t.Helper()
		s := one(t, `{"server_id":"a","cpu_percent":`+number+`}`)
		if got := s.Float(schema.CPUPercent); got != want || 1/got < 0 {
			t.Errorf("%s: %v, want %v", number, got, want)
		}
	}
	f("12", 12)
	f("-0.0", 0)
	f("0.1", 0.1)
	f("1.7976931348623157e308", 1.7976931348623157e308)
	f("1e-999", 0)
	f("0.1000000000000000055511151231257827021181583404541015625", 0.1)
}

func TestTime(t *testing.T) {
	f := func(ts string, want int64) {
		t.Helper()
		if s := one(t, `{"server_id":"a","ts":`+ts+`}`); s.TS != want {
			t.Errorf("%s: %d, want %d", ts, s.TS, want)
		}
	}
	f(`"2026-11-23T12:00:00Z"`, storedAt)
	f(`"2026-11-23t12:00:00z"`, storedAt)
	f(`"2026-11-23T14:30:00+02:30"`, storedAt)
	f(`"2026-11-23T11:59:59.999999999Z"`, storedAt-1)
	f(fmt.Sprint(storedAt), storedAt)
	f(fmt.Sprintf("%d.0", storedAt), storedAt)
	f(fmt.Sprintf("%d.9", storedAt), storedAt)
	f(fmt.Sprint(storedAt+5*60_000), storedAt+5*60_000)
	f(fmt.Sprint(storedAt-90*86_400_000), storedAt-90*86_400_000)
}

func TestBadTime(t *testing.T) {
	f := func(ts string, want Reason) {
		t.Helper()
		r := decode(`{"server_id":"a","ts":` + ts + `}`)
		if len(r.rejects) != 1 || r.rejects[0].Reason != want || !strings.HasPrefix(r.rejects[0].Detail, "ts: ") {
			t.Errorf("%s: %+v, want %s", ts, r.rejects, want)
		}
	}
	f(`"2099-01-01T00:00:00Z"`, TimeAhead)
	f(fmt.Sprint(storedAt+5*60_000+1), TimeAhead)
	f(fmt.Sprint(storedAt-90*86_400_000-1), TimeBehind)
	f(fmt.Sprint(storedAt/1000), TimeBehind)
	f("-1", TimeBehind)
	f("-1e300", TimeBehind)
	f("1e300", TimeAhead)
	f("9223372036854775807", TimeAhead)
	f("18446744073709551616", TimeAhead)
	f(`"yesterday"`, BadTime)
	f(`"2026-11-23"`, BadTime)
	f(`"2026-11-23 12:00:00"`, BadTime)
	f(fmt.Sprintf("%q", fmt.Sprint(storedAt)), BadTime)
	f(`""`, BadTime)
	f("true", WrongType)
	f("{}", WrongType)
}

func TestServerID(t *testing.T) {
	f := func(fields string, want Reason) {
		t.Helper()
		r := decode("{" + fields + "}")
		if len(r.rejects) != 1 || r.rejects[0].Reason != want || !strings.HasPrefix(r.rejects[0].Detail, "server_id: ") {
			t.Errorf("%s: %s, want %s", fields, r.outline(), want)
		}
	}
	f("", MissingServer)
	f(`"players":1`, MissingServer)
	f(`"server_id":null`, MissingServer)
	f(`"server_id":""`, BadServer)
	f(`"server_id":"a/b"`, BadServer)
	f(`"server_id":"a.b"`, BadServer)
	f(`"server_id":"stats"`, BadServer)
	f(`"server_id":"`+strings.Repeat("x", 65)+`"`, BadServer)
	f(`"server_id":"a\u0000"`, BadServer)
	f(`"server_id":1`, WrongType)
	f(`"server_id":["a"]`, WrongType)
	one(t, `{"server_id":"`+strings.Repeat("x", 64)+`"}`)
	one(t, `{"server\u005fid":"\u0061"}`)
}

func TestSubjectServer(t *testing.T) {
	env := envelope()
	env.SubjectServer = "a"
	r := decodeWith(NewDecoder(), env, "", []byte(`[{"server_id":"a"},{"server_id":"b"},{"players":1}]`))
	if got := r.outline(); got != "0 a | 1 other-server | 2 missing-server-id" {
		t.Error(got)
	}
}

func TestTexts(t *testing.T) {
	s := one(t, `{"server_id":"a","map":"","version":"`+strings.Repeat("é", 64)+`","boot":"x\ny\ud83d\ude00\ud800"}`)
	if !s.Has(schema.Map) || s.Map != "" || s.Version != strings.Repeat("é", 64) || s.Boot != "x\ny😀\ufffd" {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"map", "version", "boot"} {
		r := decode(fmt.Sprintf(`{"server_id":"a",%q:%q}`, name, strings.Repeat("x", 129)))
		if r.outline() != "0 text-too-long" || !strings.HasPrefix(r.rejects[0].Detail, name+": ") {
			t.Errorf("%s: %+v", name, r.rejects)
		}
		if got := decode(fmt.Sprintf(`{"server_id":"a",%q:5}`, name)).outline(); got != "0 wrong-type" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func metricsOf(s schema.Sample) map[string]float64 {
	m := map[string]float64{}
	for _, metric := range s.Metrics {
		m[metric.Name] = metric.Value
	}
	return m
}

func TestMetrics(t *testing.T) {
	f := func(fields string, want map[string]float64) {
		t.Helper()
		s := one(t, `{"server_id":"a",`+fields+`}`)
		if got := metricsOf(s); !maps.Equal(got, want) || len(s.Metrics) != len(want) {
			t.Errorf("%s: %v, want %v", fields, s.Metrics, want)
		}
	}
	f(`"metrics":{}`, nil)
	f(`"metrics":{"x":1,"y":-2.5e3}`, map[string]float64{"x": 1, "y": -2500})
	f(`"metrics":{"x":null}`, nil)
	f(`"metrics":{"x":null,"x":1}`, map[string]float64{"x": 1})
	f(`"x":1`, map[string]float64{"x": 1})
	f(`"x":1,"metrics":{"x":2}`, map[string]float64{"x": 2})
	f(`"metrics":{"x":2},"x":1`, map[string]float64{"x": 2})
	f(`"metrics":{"x":null},"x":1`, map[string]float64{"x": 1})
	f(`"metrics":{"x":1},"metrics":{"y":2}`, map[string]float64{"x": 1, "y": 2})
	f(`"metrics":{"players":3},"players":4`, map[string]float64{"players": 3})
	f(`"Players":4`, map[string]float64{"Players": 4})
	f(`"metrics":{"`+strings.Repeat("m", 96)+`":1}`, map[string]float64{strings.Repeat("m", 96): 1})
}

func TestBadMetrics(t *testing.T) {
	f := func(fields string, want Reason, field string) {
		t.Helper()
		r := decode(`{"server_id":"a",` + fields + `}`)
		if len(r.rejects) != 1 || r.rejects[0].Reason != want || !strings.HasPrefix(r.rejects[0].Detail, field+": ") {
			t.Errorf("%s: %+v, want %s", fields, r.rejects, want)
		}
	}
	f(`"metrics":{"x":"1"}`, WrongType, "metrics.x")
	f(`"metrics":{"x":{}}`, WrongType, "metrics.x")
	f(`"metrics":{"x":1e999}`, OutOfRange, "metrics.x")
	f(`"metrics":[1]`, WrongType, "metrics")
	f(`"metrics":1`, WrongType, "metrics")
	f(`"metrics":{"a b":1}`, BadMetricName, "metrics")
	f(`"metrics":{"":1}`, BadMetricName, "metrics")
	f(`"metrics":{"`+strings.Repeat("m", 97)+`":1}`, BadMetricName, "metrics")
}

func TestTooManyMetrics(t *testing.T) {
	if s := one(t, string(metricsSample(256))); len(s.Metrics) != 256 {
		t.Errorf("%d metrics", len(s.Metrics))
	}
	if got := decode(string(metricsSample(257))).outline(); got != "0 too-many-metrics" {
		t.Error(got)
	}
	full := strings.TrimSuffix(string(metricsSample(256)), "}")
	if got := decode(full + `,"loose":1}`).outline(); got != "0 too-many-metrics" {
		t.Error(got)
	}
	if got := decode(full + `,"plugin.hook_007.ms":1}`).outline(); got != "0 eu-main-001" {
		t.Error(got)
	}
}

func TestDuplicates(t *testing.T) {
	f := func(fields, name string) {
		t.Helper()
		r := decode(`{"server_id":"a",` + fields + `}`)
		if r.outline() != "0 duplicate-key" || !strings.HasPrefix(r.rejects[0].Detail, name+": ") {
			t.Errorf("%s: %+v", fields, r.rejects)
		}
	}
	f(`"server_id":"a"`, "server_id")
	f(`"ts":1763899200000,"ts":"2026-11-23T12:00:00Z"`, "ts")
	f(`"ts":"2026-11-23T12:00:00Z","ts":1763899200000`, "ts")
	f(`"players":1,"players":1`, "players")
	f(`"players":1,"pl\u0061yers":2`, "players")
	f(`"fps":1,"fps":2`, "fps")
	f(`"map":"x","map":"y"`, "map")
	f(`"x":1,"x":2`, "x")
	f(`"metrics":{"x":1,"x":2}`, "metrics.x")
	f(`"metrics":{"x":1},"metrics":{"x":2}`, "metrics.x")
	one(t, `{"server_id":"a","players":null,"players":1,"players":null}`)
}

func TestIgnoredFields(t *testing.T) {
	r := decode(`{"server_id":"a","name":"x","tags":["a"],"flag":true,"deep":{"players":5},"nothing":null,"bad name":7,"good":1}`)
	if r.outline() != "0 a" || r.stats != (Stats{Samples: 1, IgnoredFields: 5}) {
		t.Errorf("%s %+v", r.outline(), r.stats)
	}
	if got := metricsOf(r.samples[0]); !maps.Equal(got, map[string]float64{"good": 1}) {
		t.Errorf("metrics %v", got)
	}
	r = decode(`[{"server_id":"a","name":"x"},{"server_id":"b","name":"x"},{"name":"x"}]`)
	if r.stats != (Stats{Samples: 2, Rejected: 1, IgnoredFields: 2}) {
		t.Errorf("%+v", r.stats)
	}
}

func TestFirstFaultIsTold(t *testing.T) {
	r := decode(`{"players":-1,"fps":"x","map":5}`)
	if len(r.rejects) != 1 || r.rejects[0].Detail != "players: -1, want 0 to 4294967295" {
		t.Errorf("%+v", r.rejects)
	}
	r = decode(`{"server_id":"a","ts":"2099-01-01T00:00:00+01:00"}`)
	if want := "ts: 2098-12-31T23:00:00.000Z is more than 5m0s ahead of the time of storing, 2026-11-23T12:00:00.000Z"; r.rejects[0].Detail != want {
		t.Errorf("%+v", r.rejects)
	}
}

func TestLongValuesAreClipped(t *testing.T) {
	r := decode(`{"server_id":"a","players":"` + strings.Repeat("9", 1000) + `"}`)
	if len(r.rejects[0].Detail) > 200 {
		t.Errorf("%d bytes", len(r.rejects[0].Detail))
	}
	if got := formatMillis(time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()); !strings.HasSuffix(got, " ms") {
		t.Error(got)
	}
}
