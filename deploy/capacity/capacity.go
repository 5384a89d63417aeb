// Package capacity says how large machines have to be, from what was measured. docs/capacity.md is rendered from it, so that
// its figures and its arithmetic cannot part.
package capacity

import (
	"math"
	"time"
)

// What the runs of docs/capacity.md fit: servers that send one sample a message, each at its own moment. Cores are seconds of
// processor time a second, user and system. The platform is NATS, ingester, API and jobs in one process.
const (
	// PlatformIdle and ClickHouseIdle are what both take with next to nothing to do.
	PlatformIdle   = 0.022
	ClickHouseIdle = 0.019
	// PlatformPerInsert and ClickHousePerInsert are what an INSERT costs besides its rows: parts, their merges, the views that
	// are refreshed for it. Seconds.
	PlatformPerInsert   = 0.0085
	ClickHousePerInsert = 0.0475
	// MostInserts a second does one ingester, and half of them at HalfInserts samples a second, where batches wait for longer.
	MostInserts = 7.7
	HalfInserts = 5000
	// Waking is what the platform spends at most on messages that come alone, in cores, and HalfWaking the messages a second at
	// which it spends half of it: more of them, and they come together.
	Waking     = 0.35
	HalfWaking = 1200
	// Merging is the cores that ClickHouse takes for rows, their rollups and all merges: Merging * servers^ServersPower *
	// samples^SamplesPower, with the servers that report within MergingSpan.
	Merging      = 0.00176
	ServersPower = 0.38
	SamplesPower = 0.26
	MergingSpan  = 10 * time.Second
)

// What was measured elsewhere, with the section of docs/benchmarks.md.
const (
	// IngesterPerMillion and NATSPerMillion are seconds a million samples of one a message: "Draining a backlog".
	IngesterPerMillion = 10.3
	NATSPerMillion     = 19.1
	// SinglesPerIngester a second is what one process drained of such messages, NATS and ClickHouse beside it on two cores: the same section.
	SinglesPerIngester = 45_000

	// BytesPerSample is of the 13 numeric fields, time, identity and stored_at; BytesPerMetricValue of one custom metric of a
	// sample, name and value: "Bytes per stored sample".
	BytesPerSample      = 13.6
	BytesPerMetricValue = 1.9
	// BytesPerServerDay is a row of server_daily: "Queries".
	BytesPerServerDay = 94

	// SummaryCPU and TimeseriesCPU are seconds an answer about 1,000 servers over 24 hours: "Queries". APICPU is the API's own
	// part: "The API", two cores by 22,327 answers a second.
	SummaryCPU    = 0.4
	TimeseriesCPU = 0.055
	APICPU        = 0.0001

	// IngesterMiB is the bound of docs/reliability.md ("Memory"), NATSMiB and APIMiB the peaks of "Draining a backlog" and "Live streams".
	IngesterMiB = 1024
	NATSMiB     = 290
	APIMiB      = 105
)

// What the demo's thirty days take on disk while they are not merged to the end, bytes a row: samples_hourly, metrics_hourly,
// license_minutely with its totals, license_hourly.
const (
	BytesPerServerHour    = 232
	BytesPerMetricHour    = 19
	BytesPerLicenseMinute = 305
	BytesPerLicenseHour   = 1206
	// BytesWaiting is a sample of CustomMetrics metrics in JetStream's file: measured with ClickHouse stopped.
	BytesWaiting = 585
)

// What is assumed, and not measured.
const (
	// CustomMetrics is how many a sample has.
	CustomMetrics = 3
	// ServersPerLicense decides how many licenses there are.
	ServersPerLicense = 50
	// ServersPerViewer is how many servers there are for each dashboard that is open at the busiest time; LeastViewers at least.
	ServersPerViewer = 100
	LeastViewers     = 2
	// RefreshSeconds is how often an open dashboard asks anew, for one summary and TimeseriesPerView timeseries.
	RefreshSeconds    = 30
	TimeseriesPerView = 4
	// KiBPerConnection is what NATS keeps of a game server's connection.
	KiBPerConnection = 50
	// OutageHours is how long samples must be able to wait, with ClickHouse away.
	OutageHours = 4
	// Load is how much of a core is planned to be used: the rest is for peaks, healing, backups and draining after an outage.
	Load = 0.5
	// Room is how full disks are planned to be.
	Room = 0.7
	// RawDays and HourlyDays are the default retention; raw days fall whole, so one more is kept.
	RawDays    = 7
	HourlyDays = 90
	// ClickHouseMiB is the least that ClickHouse is given, and ClickHouseMiBPerCore what is added for each core of its.
	ClickHouseMiB        = 2048
	ClickHouseMiBPerCore = 2048
)

// Need is what a number of servers takes.
type Need struct {
	Servers  int
	Interval time.Duration
	// Samples and Inserts a second.
	Samples, Inserts float64
	// Cores that work, before Load is allowed for: Platform takes samples in, Store puts them away, Queries reads them.
	Platform, Store, Queries, API float64
	// Raw, Hourly and Waiting are bytes on disk: samples and minutes, hours and days, and an outage's messages.
	Raw, Hourly, Waiting float64
	// MemoryMiB is of all parts together.
	MemoryMiB float64
	Viewers   int
}

// For computes the need of servers that report at an interval.
func For(servers int, interval time.Duration) Need {
	n := Need{Servers: servers, Interval: interval, Samples: float64(servers) / interval.Seconds()}
	each := n.Samples / float64(n.Ingesters())
	n.Inserts = float64(n.Ingesters()) * math.Min(each, MostInserts/(1+each/HalfInserts))
	n.Platform = PlatformIdle + PlatformPerInsert*n.Inserts + (IngesterPerMillion+NATSPerMillion)/1e6*n.Samples + Waking*n.Samples/(n.Samples+HalfWaking)
	reporting := math.Min(float64(servers), n.Samples*MergingSpan.Seconds())
	n.Store = ClickHouseIdle + ClickHousePerInsert*n.Inserts + Merging*math.Pow(reporting, ServersPower)*math.Pow(n.Samples, SamplesPower)
	n.Viewers = max(LeastViewers, servers/ServersPerViewer)
	answers := float64(n.Viewers) / RefreshSeconds
	n.Queries = answers * (SummaryCPU + TimeseriesPerView*TimeseriesCPU)
	n.API = answers * (1 + TimeseriesPerView) * APICPU
	n.disk()
	n.MemoryMiB = IngesterMiB*float64(n.Ingesters()) + NATSMiB + APIMiB + float64(servers)*KiBPerConnection/1024 +
		ClickHouseMiB + ClickHouseMiBPerCore*math.Ceil((n.Store+n.Queries)/Load)
	return n
}

func (n *Need) disk() {
	const hours, minutes, seconds = 24, 24 * 60, 24 * 60 * 60 // of a day
	licenses := math.Ceil(float64(n.Servers) / ServersPerLicense)
	n.Raw = (RawDays + 1) * (n.Samples*seconds*(BytesPerSample+CustomMetrics*BytesPerMetricValue) + licenses*minutes*BytesPerLicenseMinute)
	server := hours*(BytesPerServerHour+CustomMetrics*BytesPerMetricHour) + BytesPerServerDay
	n.Hourly = HourlyDays * (float64(n.Servers)*float64(server) + licenses*hours*BytesPerLicenseHour)
	n.Waiting = n.Samples * OutageHours * 3600 * BytesWaiting
}

// Cores is how many to buy for all parts.
func (n Need) Cores() int {
	return max(2, int(math.Ceil((n.Platform+n.Store+n.Queries+n.API)/Load)))
}

// Ingesters is how many processes take the samples with Load in mind.
func (n Need) Ingesters() int { return max(1, int(math.Ceil(n.Samples/(SinglesPerIngester*Load)))) }

// Disk is how many bytes to buy for ClickHouse.
func (n Need) Disk() float64 { return (n.Raw + n.Hourly) / Room }
