package query

import (
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// Range is a half-open interval of time [From, To).
type Range struct {
	From time.Time
	To   time.Time
}

// Scope says whose data is asked for. The license comes from the token, never from the request.
type Scope struct {
	License uuid.UUID
	// Servers are the chosen servers; empty means all of the license, unless Selected.
	Servers []string
	// Selected says that Servers were found by what is written of them: up to MaxSelected, and maybe none.
	Selected bool
	// Book is what a summary must know of what is written about servers; nil where nothing is.
	Book *Book
}

// SummaryRequest asks for the figures of one range.
type SummaryRequest struct {
	Scope
	Range
}

// TimeseriesRequest asks for columns ready for a chart.
type TimeseriesRequest struct {
	Scope
	Range
	// Metrics are names of fields, or "metrics.<name>"; at least one, at most 50.
	Metrics []string
	Agg     Agg
	// Step is the bucket's width; 0 chooses one for MaxPoints.
	Step      time.Duration
	MaxPoints int
	GroupBy   GroupBy
	Fill      Fill
	// Groups are the series to answer with where GroupBy is a tag or groups; they lie within Scope.
	Groups []Group
	// TZ moves bucket edges only.
	TZ *time.Location
}

// Agg is how the samples of a bucket become one value.
type Agg string

// The aggregations of the published contract.
const (
	Avg   Agg = "avg"
	Min   Agg = "min"
	Max   Agg = "max"
	Sum   Agg = "sum"
	Last  Agg = "last"
	P05   Agg = "p05"
	P50   Agg = "p50"
	P95   Agg = "p95"
	P99   Agg = "p99"
	Count Agg = "count"
)

// GroupBy splits an answer into series.
type GroupBy string

// The groupings.
const (
	GroupNone   GroupBy = ""
	GroupServer GroupBy = "server"
	// GroupGroups makes a series of each group of servers; "tag:<key>" one of each value of a tag.
	GroupGroups GroupBy = "group"
)

// Fill says what stands in a bucket without data.
type Fill string

// The ways to fill.
const (
	FillNull     Fill = "null"
	FillPrevious Fill = "previous"
	FillLinear   Fill = "linear"
	FillNone     Fill = "none"
)

// Summary is the answer to a SummaryRequest; what was not measured is nil.
type Summary struct {
	From          time.Time         `json:"from"`
	To            time.Time         `json:"to"`
	Source        schema.Resolution `json:"source" enum:"raw,hourly,mixed"`
	Servers       SummaryServers    `json:"servers"`
	Samples       uint64            `json:"samples"`
	Players       SummaryPlayers    `json:"players"`
	FPS           SummaryFPS        `json:"fps"`
	FrameMS       SummaryFrameMS    `json:"frame_ms"`
	Entities      SummaryAvgMax     `json:"entities"`
	MemoryMB      SummaryAvgMax     `json:"memory_mb"`
	CPUPercent    SummaryAvgMax     `json:"cpu_percent"`
	UptimePercent *float64          `json:"uptime_percent"`
	Restarts      *uint64           `json:"restarts"`
}

// SummaryServers counts servers.
type SummaryServers struct {
	Total     uint64 `json:"total"`
	Reporting uint64 `json:"reporting"`
	Silent    uint64 `json:"silent"`
}

// SummaryPlayers are persons on the whole scope.
type SummaryPlayers struct {
	Current  *float64   `json:"current"`
	Avg      *float64   `json:"avg"`
	Peak     *float64   `json:"peak"`
	PeakAt   *time.Time `json:"peak_at"`
	Capacity *float64   `json:"capacity"`
}

// SummaryFPS are server frames per second over all samples.
type SummaryFPS struct {
	Avg *float64 `json:"avg"`
	Min *float64 `json:"min"`
	P05 *float64 `json:"p05"`
	P50 *float64 `json:"p50"`
}

// SummaryFrameMS are ms per frame over all samples.
type SummaryFrameMS struct {
	Avg *float64 `json:"avg"`
	P95 *float64 `json:"p95"`
	P99 *float64 `json:"p99"`
}

// SummaryAvgMax is the mean and the largest value over all samples.
type SummaryAvgMax struct {
	Avg *float64 `json:"avg"`
	Max *float64 `json:"max"`
}

// Timeseries is the answer to a TimeseriesRequest: every series has one value for each timestamp.
type Timeseries struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Step is the effective bucket width as Go writes durations.
	Step   string            `json:"step"`
	Source schema.Resolution `json:"source" enum:"raw,hourly,mixed"`
	// Exact is false when values are bounds; absent when they are exact.
	Exact *bool `json:"exact,omitempty"`
	// Timestamps are bucket starts, epoch ms.
	Timestamps []int64 `json:"timestamps"`
	// Partial marks buckets cut by From, To or now.
	Partial []bool   `json:"partial"`
	Series  []Series `json:"series"`
}

// Series is one line of a chart.
type Series struct {
	Metric   string  `json:"metric"`
	Agg      Agg     `json:"agg" enum:"avg,min,max,sum,last,p05,p50,p95,p99,count"`
	Unit     string  `json:"unit"`
	ServerID *string `json:"server_id"`
	// Tag is the tag's value and Group the group's name where series are split so.
	Tag    *string    `json:"tag,omitempty"`
	Group  *string    `json:"group,omitempty"`
	Values []*float64 `json:"values"`
}
