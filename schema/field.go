package schema

// Field names one measured value of a sample, in the order of the published contract. The order is also that of the
// columns in ClickHouse and in exports.
type Field uint8

// The fields of a sample. N and Boot identify a sample of its publisher; the others are measurements.
const (
	N Field = iota
	Boot
	Players
	MaxPlayers
	Queued
	Joining
	Sleepers
	FPS
	FrameMS
	Entities
	MemoryMB
	CPUPercent
	NetIn
	NetOut
	UptimeS
	Map
	Version
	// NumFields is how many fields there are.
	NumFields
)

// Kind is the type of a field's value.
type Kind uint8

// The kinds of values. Numbers of every kind are finite and never negative.
const (
	Uint32 Kind = iota
	Uint64
	Float
	Text
)

// FieldInfo says what a field means.
type FieldInfo struct {
	// Name is the JSON key, the ClickHouse column and the API's metric name.
	Name string
	Kind Kind
	// Unit is shown beside values: "persons", "frames/s", "ms", "entities", "MiB", "%", "bytes/s", "s"; "" for none.
	Unit string
	// Additive says that a network's value is the sum over its servers.
	Additive bool
	// Metric says that the field may be asked for as a timeseries.
	Metric bool
	// Sketch says that the hours keep a quantile sketch of the field.
	Sketch bool
}

var fieldInfos = [NumFields]FieldInfo{
	N:          {Name: "n", Kind: Uint64},
	Boot:       {Name: "boot", Kind: Text},
	Players:    {Name: "players", Kind: Uint32, Unit: "persons", Additive: true, Metric: true},
	MaxPlayers: {Name: "max_players", Kind: Uint32, Unit: "persons", Additive: true, Metric: true},
	Queued:     {Name: "queued", Kind: Uint32, Unit: "persons", Additive: true, Metric: true},
	Joining:    {Name: "joining", Kind: Uint32, Unit: "persons", Additive: true, Metric: true},
	Sleepers:   {Name: "sleepers", Kind: Uint32, Unit: "persons", Additive: true, Metric: true},
	FPS:        {Name: "fps", Kind: Float, Unit: "frames/s", Metric: true, Sketch: true},
	FrameMS:    {Name: "frame_ms", Kind: Float, Unit: "ms", Metric: true, Sketch: true},
	Entities:   {Name: "entities", Kind: Uint32, Unit: "entities", Additive: true, Metric: true},
	MemoryMB:   {Name: "memory_mb", Kind: Float, Unit: "MiB", Metric: true},
	CPUPercent: {Name: "cpu_percent", Kind: Float, Unit: "%", Metric: true},
	NetIn:      {Name: "net_in", Kind: Uint64, Unit: "bytes/s", Additive: true, Metric: true},
	NetOut:     {Name: "net_out", Kind: Uint64, Unit: "bytes/s", Additive: true, Metric: true},
	UptimeS:    {Name: "uptime_s", Kind: Uint32, Unit: "s", Metric: true},
	Map:        {Name: "map", Kind: Text},
	Version:    {Name: "version", Kind: Text},
}

var fieldsByName = func() map[string]Field {
	m := make(map[string]Field, NumFields)
	for f := range NumFields {
		m[fieldInfos[f].Name] = f
	}
	return m
}()

// Info says what f means.
func (f Field) Info() FieldInfo { return fieldInfos[f] }

// String is the field's published name.
func (f Field) String() string {
	if f >= NumFields {
		return "unknown"
	}
	return fieldInfos[f].Name
}

// FieldByName finds a field by its published name.
func FieldByName(name string) (Field, bool) {
	f, ok := fieldsByName[name]
	return f, ok
}

// MetricFields are the numeric measurements, in column order.
func MetricFields() []Field {
	fields := make([]Field, 0, NumFields)
	for f := range NumFields {
		if fieldInfos[f].Metric {
			fields = append(fields, f)
		}
	}
	return fields
}
