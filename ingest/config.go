package ingest

import (
	"errors"
	"fmt"
	"time"

	"corrosion/schema"
)

// Config is everything about the ingester that an operator may set. Start from DefaultConfig.
type Config struct {
	// NATSURL and ClickHouseURL say where to connect; NATSURL is not needed where Deps.NATS is given.
	NATSURL       string
	ClickHouseURL string
	// Compression of blocks on the way to ClickHouse: "lz4", "zstd", "none" or "auto".
	Compression string

	Streams StreamsConfig
	Alarms  AlarmConfig
	// Partitions says how several ingesters share the streams.
	Partitions PartitionsConfig
	Pull       PullConfig
	Batch      BatchConfig
	Retry      RetryConfig
	// Quotas are those of licenses that have none of their own. Each ingester counts what comes by its partitions.
	Quotas schema.Quotas

	// InsertTimeout bounds one INSERT, from the first byte to the server's answer.
	InsertTimeout time.Duration
	// StopTimeout bounds the soft stop: storing and acknowledging what is held. What is left then is handed back.
	StopTimeout time.Duration
	// StuckAfter is how long messages may wait without one being stored before Health says so.
	StuckAfter time.Duration
}

// StreamsConfig bounds the streams.
type StreamsConfig struct {
	// MaxBytes bounds STATS and STATS_BY_SERVER together, half each; a full stream refuses publishes.
	MaxBytes int64
	// DeadMaxBytes and DeadMaxAge bound STATS_DEAD, which drops its oldest letters.
	DeadMaxBytes int64
	DeadMaxAge   time.Duration
	// EventsMaxBytes bounds EVENTS, the marks that wait to be stored.
	EventsMaxBytes int64
	// Replicas is how many servers of a NATS cluster keep each stream: 1, 3 or 5.
	Replicas int
}

// AlarmConfig says when a backlog is told: in the log, the metrics and Health.
type AlarmConfig struct {
	// AlarmAt is how full a stream may be, above 0 to 1.
	AlarmAt float64
	// MaxLag is how long the oldest message may wait.
	MaxLag time.Duration
}

// PartitionsConfig says how the streams are split, and when an ingester takes over from another. Count and Takeover must
// be the same for all ingesters of one NATS.
type PartitionsConfig struct {
	// Count is in how many partitions each stream is split by license and, where the subject has one, server.
	Count int
	// Own bounds the partitions that this ingester takes; 0: all that are free. All ingesters together must take Count
	// and one: the rest, which is what was stored under another Count.
	Own int
	// Takeover is after how long a partition whose owner is silent is taken by another. An owner that cannot renew its
	// lease stops inserting a fifth earlier.
	Takeover time.Duration
}

// PullConfig sizes the consumers.
type PullConfig struct {
	// AckWait is how long JetStream waits for an ack before it delivers again. Held messages are renewed at a third.
	AckWait time.Duration
	// MaxAckPending bounds the messages of one stream and partition that are delivered and not acknowledged.
	MaxAckPending int
	// Messages and Bytes bound one stream's and partition's pull requests, and with them what waits in memory before decoding.
	Messages, Bytes int
}

// BatchConfig says when a batch is inserted.
type BatchConfig struct {
	// Rows and Bytes are what a batch may hold; it may exceed them by one message.
	Rows, Bytes int
	// MinAge is when a batch is inserted although it is not full. Under load it waits for longer, as long as waiting and
	// storing together take no more than MaxAge.
	MinAge, MaxAge time.Duration
}

// age is how long the next batch waits after one that took so long to store: three times that, for a store that is busy
// does better with fewer and larger batches; but no longer than leaves it time to be stored within MaxAge. A store that is
// slower than that is given the next batch at once: it is large anyway, with what came meanwhile.
func (c *BatchConfig) age(took time.Duration) time.Duration {
	return max(c.MinAge, min(3*took, c.MaxAge-took))
}

// RetryConfig is the backoff of everything that is tried again.
type RetryConfig struct {
	Min, Max time.Duration
}

// DefaultConfig suits one machine with two cores and 50,000 samples a second.
func DefaultConfig() Config {
	return Config{
		// auto is none over the loopback, where compressing costs a fifth to a quarter of the rate, and lz4 over a network.
		Compression: "auto",
		Streams: StreamsConfig{
			// 10 GiB at 230 bytes a sample are 45 M samples: a quarter of an hour at 50,000/s, ten days of 500 servers
			// that report every 10 s.
			MaxBytes:     10 << 30,
			DeadMaxBytes: 256 << 20,
			DeadMaxAge:   30 * 24 * time.Hour,
			// A hundred thousand marks.
			EventsMaxBytes: 64 << 20,
			Replicas:       1,
		},
		// At three quarters a stream that filled in an hour leaves twenty minutes to act.
		Alarms: AlarmConfig{AlarmAt: 0.75, MaxLag: 2 * time.Minute},
		Partitions: PartitionsConfig{
			Count: 4,
			// Five renewals, one a second; shorter would turn a busy machine's pauses into takeovers.
			Takeover: 5 * time.Second,
		},
		Pull: PullConfig{
			// Longer than any healthy INSERT, so that renewing is rare; also what a killed ingester costs in delay.
			AckWait: 30 * time.Second,
			// Two batches of single-sample messages, which are full by their bytes, and the pull buffer: 2 * 181,000 + 4,096.
			MaxAckPending: 400_000,
			// 4,096 messages hide 8 ms of round trip at 500,000 messages/s; with two streams of four partitions and the
			// rest 10 * 8 MiB wait in memory at most. The client drops what exceeds 64 MiB a subscription.
			Messages: 4096,
			Bytes:    8 << 20,
		},
		Batch: BatchConfig{
			// At 200,000 rows an INSERT with its views costs a sixth less a row than at 100,000; rows without custom metrics
			// take 170 bytes, so a batch is 34 MiB and the two that are held, with their encoded form, under 160 MiB.
			Rows:  200_000,
			Bytes: 64 << 20,
			// Visible within a second: 250 ms of waiting, some 50 ms of INSERT. Four parts a second merge easily.
			MinAge: 250 * time.Millisecond,
			MaxAge: 650 * time.Millisecond,
		},
		Quotas:        schema.DefaultQuotas(),
		Retry:         RetryConfig{Min: 100 * time.Millisecond, Max: 5 * time.Second},
		InsertTimeout: time.Minute,
		StopTimeout:   10 * time.Second,
		StuckAfter:    30 * time.Second,
	}
}

// Validate names every setting that cannot work.
func (c *Config) Validate() error {
	var faults []error
	check := func(ok bool, key, why string, value any) {
		if !ok {
			faults = append(faults, fmt.Errorf("ingest: %s is %v: %s", key, value, why))
		}
	}
	check(c.ClickHouseURL != "", "ClickHouseURL", "a native URL is needed (clickhouse://user:password@host:9000/corrosion)", `""`)
	_, known := compressionByName(c.Compression)
	check(known || c.Compression == "auto", "Compression", `want "lz4", "zstd", "none" or "auto"`, c.Compression)
	check(c.Streams.MaxBytes >= 1<<20, "Streams.MaxBytes", "want at least 1 MiB", c.Streams.MaxBytes)
	check(c.Streams.DeadMaxBytes >= 1<<20, "Streams.DeadMaxBytes", "want at least 1 MiB", c.Streams.DeadMaxBytes)
	check(c.Streams.DeadMaxAge >= time.Hour, "Streams.DeadMaxAge", "want at least 1h", c.Streams.DeadMaxAge)
	check(c.Streams.EventsMaxBytes >= 1<<20, "Streams.EventsMaxBytes", "want at least 1 MiB", c.Streams.EventsMaxBytes)
	check(c.Streams.Replicas >= 1 && c.Streams.Replicas <= 5, "Streams.Replicas", "want 1 to 5", c.Streams.Replicas)
	check(c.Alarms.AlarmAt > 0 && c.Alarms.AlarmAt <= 1, "Alarms.AlarmAt", "want above 0 to 1", c.Alarms.AlarmAt)
	check(c.Alarms.MaxLag > 0, "Alarms.MaxLag", "want more than 0", c.Alarms.MaxLag)
	check(c.Partitions.Count >= 1 && c.Partitions.Count <= maxPartitions, "Partitions.Count", "want 1 to 64", c.Partitions.Count)
	check(c.Partitions.Own >= 0, "Partitions.Own", "want 0 or more", c.Partitions.Own)
	check(c.Partitions.Takeover >= time.Second, "Partitions.Takeover", "want at least 1s", c.Partitions.Takeover)
	check(c.Pull.AckWait >= time.Second, "Pull.AckWait", "want at least 1s", c.Pull.AckWait)
	check(c.Pull.Messages >= 1, "Pull.Messages", "want at least 1", c.Pull.Messages)
	check(c.Pull.Bytes >= schema.MaxMessageBytes && c.Pull.Bytes <= 48<<20, "Pull.Bytes", "want 8 MiB to 48 MiB", c.Pull.Bytes)
	check(c.Pull.MaxAckPending >= c.Pull.Messages, "Pull.MaxAckPending", "want at least Pull.Messages", c.Pull.MaxAckPending)
	check(c.Batch.Rows >= 1 && c.Batch.Rows <= 1_000_000, "Batch.Rows", "want 1 to 1,000,000", c.Batch.Rows)
	check(c.Batch.Bytes >= 1<<20, "Batch.Bytes", "want at least 1 MiB", c.Batch.Bytes)
	check(c.Batch.MinAge > 0, "Batch.MinAge", "want more than 0", c.Batch.MinAge)
	check(c.Batch.MaxAge >= c.Batch.MinAge, "Batch.MaxAge", "want at least Batch.MinAge", c.Batch.MaxAge)
	check(c.Retry.Min > 0, "Retry.Min", "want more than 0", c.Retry.Min)
	check(c.Retry.Max >= c.Retry.Min, "Retry.Max", "want at least Retry.Min", c.Retry.Max)
	check(c.InsertTimeout >= time.Second, "InsertTimeout", "want at least 1s", c.InsertTimeout)
	check(c.StopTimeout >= 0, "StopTimeout", "want 0 or more", c.StopTimeout)
	check(c.StuckAfter >= time.Second, "StuckAfter", "want at least 1s", c.StuckAfter)
	if err := c.Quotas.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("ingest: Quotas: %w", err))
	}
	return errors.Join(faults...)
}
