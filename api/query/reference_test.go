package query

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"

	"corrosion/schema"
)

// The reference says in plain Go what the contract says in words. It knows nothing of SQL.

const minuteMillis = int64(60_000)

func sampleValue(s *schema.Sample, metric string) (float64, bool) {
	if field, known := schema.FieldByName(metric); known {
		return s.Number(field), s.Has(field)
	}
	for _, m := range s.Metrics {
		if metricPrefix+m.Name == metric {
			return m.Value, true
		}
	}
	return 0, false
}

// byPlace orders samples by ts, then (seq, idx).
func byPlace(a, b *schema.Sample) int {
	return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Idx, b.Idx))
}

func between(samples []*schema.Sample, from, to int64) (in []*schema.Sample) {
	for _, s := range samples {
		if s.TS >= from && s.TS < to {
			in = append(in, s)
		}
	}
	return in
}

func groupSamples[K comparable](samples []*schema.Sample, key func(*schema.Sample) K) map[K][]*schema.Sample {
	groups := make(map[K][]*schema.Sample)
	for _, s := range samples {
		groups[key(s)] = append(groups[key(s)], s)
	}
	return groups
}

func serverOf(s *schema.Sample) string { return s.ServerID }
func hourOf(s *schema.Sample) int64    { return floorDiv(s.TS, hourMillis) }

// valuesOf are the measured values in order of place.
func valuesOf(samples []*schema.Sample, metric string) (values []float64) {
	ordered := slices.Clone(samples)
	slices.SortFunc(ordered, byPlace)
	for _, s := range ordered {
		if v, ok := sampleValue(s, metric); ok {
			values = append(values, v)
		}
	}
	return values
}

func sumOf(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

// percentile is linear between the nearest ranks (type 7); values are not empty.
func percentile(values []float64, p float64) (value, low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	place := p * float64(len(sorted)-1)
	low, high = sorted[int(math.Floor(place))], sorted[int(math.Ceil(place))]
	return low + (place-math.Floor(place))*(high-low), low, high
}

func levelOf(a Agg) float64 {
	return map[Agg]float64{P05: 0.05, P50: 0.5, P95: 0.95, P99: 0.99}[a]
}

// reduce aggregates values given in order of place; nil when there are none.
func reduce(values []float64, agg Agg) *float64 {
	if len(values) == 0 {
		return nil
	}
	var result float64
	switch agg {
	case Avg:
		result = sumOf(values) / float64(len(values))
	case Sum:
		result = sumOf(values)
	case Count:
		result = float64(len(values))
	case Min:
		result = slices.Min(values)
	case Max:
		result = slices.Max(values)
	case Last:
		result = values[len(values)-1]
	default:
		result, _, _ = percentile(values, levelOf(agg))
	}
	return &result
}

// totals are the totals over servers of each server's mean in each slot of width ms.
func totals(samples []*schema.Sample, metric string, slot func(*schema.Sample) int64) map[int64]float64 {
	totals := make(map[int64]float64)
	for at, inSlot := range groupSamples(samples, slot) {
		measured := false
		total := 0.0
		for _, own := range groupSamples(inSlot, serverOf) {
			if mean := reduce(valuesOf(own, metric), Avg); mean != nil {
				measured, total = true, total+*mean
			}
		}
		if measured {
			totals[at] = total
		}
	}
	return totals
}

// sumOfOwn is the sum over servers of each server's own aggregate.
func sumOfOwn(samples []*schema.Sample, metric string, agg Agg) (sum *float64, servers int) {
	for _, own := range groupSamples(samples, serverOf) {
		if v := reduce(valuesOf(own, metric), agg); v != nil {
			if sum == nil {
				sum = new(float64)
			}
			*sum += *v
			servers++
		}
	}
	return sum, servers
}

// referenceBucket is the value of one bucket whose samples are given; those before cut count through their hours.
func referenceBucket(samples []*schema.Sample, metric string, agg Agg, group GroupBy, step time.Duration, source schema.Resolution, cut int64) *float64 {
	if !isTotal(metric, group) || agg == Sum || agg == Count {
		return reduce(valuesOf(samples, metric), agg)
	}
	if agg == Last {
		sum, _ := sumOfOwn(samples, metric, Last)
		return sum
	}
	if source != schema.Raw && (agg == Min || agg == Max) {
		sum, _ := sumOfOwn(samples, metric, agg)
		return sum
	}
	old, young := between(samples, 0, cut), between(samples, cut, math.MaxInt64)
	slot := func(s *schema.Sample) int64 { return floorDiv(s.TS, minuteMillis) }
	if step < time.Minute {
		slot = func(*schema.Sample) int64 { return 0 }
	}
	var values []float64
	for _, total := range totals(young, metric, slot) {
		values = append(values, total)
	}
	if agg != Avg {
		return reduce(values, agg)
	}
	weighted, minutes := hourWeights(old, metric)
	if minutes += float64(len(values)); minutes == 0 {
		return nil
	}
	avg := (weighted + sumOf(values)) / minutes
	return &avg
}

// hourWeights are the hourly means of servers weighted by reporting minutes, and the minutes with any of these servers.
func hourWeights(samples []*schema.Sample, metric string) (weighted, minutes float64) {
	for _, inHour := range groupSamples(samples, hourOf) {
		var any uint64
		for _, own := range groupSamples(inHour, serverOf) {
			mean := reduce(valuesOf(own, metric), Avg)
			if mean == nil {
				continue
			}
			mask := minuteMask(own)
			weighted += *mean * float64(bits.OnesCount64(mask))
			any |= mask
		}
		minutes += float64(bits.OnesCount64(any))
	}
	return weighted, minutes
}

func minuteMask(samples []*schema.Sample) (mask uint64) {
	for _, s := range samples {
		mask |= 1 << (floorDiv(s.TS, minuteMillis) % 60)
	}
	return mask
}

// referenceSeries is one series over a plan's buckets.
func referenceSeries(samples []*schema.Sample, p seriesPlan, r TimeseriesRequest, metric, server string) []*float64 {
	samples = between(samples, p.From.UnixMilli(), p.To.UnixMilli())
	if server != "" {
		samples = groupSamples(samples, serverOf)[server]
	}
	values := make([]*float64, len(p.partial))
	for i := range values {
		bucket := between(samples, p.edges[i], p.edges[i+1])
		values[i] = referenceBucket(bucket, metric, r.Agg, r.GroupBy, r.Step, p.source, p.cut.UnixMilli())
	}
	return values
}

// referenceSummary is a summary of raw, hourly or mixed ranges. Peaks before raw are known for a whole license only.
func referenceSummary(all []*schema.Sample, p summaryPlan, whole bool, now time.Time) *Summary {
	samples := between(all, p.From.UnixMilli(), p.To.UnixMilli())
	values := func(metric string, agg Agg) *float64 { return reduce(valuesOf(samples, metric), agg) }
	s := &Summary{From: p.From, To: p.To, Source: p.source, Samples: uint64(len(samples))}
	s.Servers.Total = uint64(len(groupSamples(all, serverOf)))
	s.Servers.Reporting = uint64(len(groupSamples(samples, serverOf)))
	s.Servers.Silent = s.Servers.Total - s.Servers.Reporting
	s.FPS = SummaryFPS{values("fps", Avg), values("fps", Min), values("fps", P05), values("fps", P50)}
	s.FrameMS = SummaryFrameMS{values("frame_ms", Avg), values("frame_ms", P95), values("frame_ms", P99)}
	s.Entities = SummaryAvgMax{values("entities", Avg), values("entities", Max)}
	s.MemoryMB = SummaryAvgMax{values("memory_mb", Avg), values("memory_mb", Max)}
	s.CPUPercent = SummaryAvgMax{values("cpu_percent", Avg), values("cpu_percent", Max)}
	s.Players.Current, _ = sumOfOwn(between(all, now.Add(-5*time.Minute).UnixMilli(), now.UnixMilli()+1), "players", Last)
	s.Players.Capacity, _ = sumOfOwn(samples, "max_players", Last)
	s.Players.Avg = referenceBucket(samples, "players", Avg, GroupNone, time.Hour, p.source, p.cut.UnixMilli())
	if p.source == schema.Raw || whole {
		for minute, total := range totals(samples, "players", func(s *schema.Sample) int64 { return floorDiv(s.TS, minuteMillis) }) {
			at := time.UnixMilli(minute * minuteMillis).UTC()
			if peak := s.Players.Peak; peak == nil || total > *peak || total == *peak && at.Before(*s.Players.PeakAt) {
				s.Players.Peak, s.Players.PeakAt = &total, &at
			}
		}
	}
	s.UptimePercent = referenceUptime(samples, p, now)
	s.Restarts = referenceRestarts(all, p)
	return s
}

func referenceUptime(samples []*schema.Sample, p summaryPlan, now time.Time) *float64 {
	end := min(p.To.UnixMilli(), now.UnixMilli())
	reported, expected := 0.0, 0.0
	for _, own := range groupSamples(samples, serverOf) {
		var minutes []int64
		for _, s := range own {
			minutes = append(minutes, floorDiv(s.TS, minuteMillis))
		}
		slices.Sort(minutes)
		minutes = slices.Compact(minutes)
		span := max(float64(-floorDiv(-end, minuteMillis)-minutes[0]), 1)
		var gaps []float64
		for i := 1; i < len(minutes); i++ {
			gaps = append(gaps, float64(minutes[i]-minutes[i-1]))
		}
		slots := span
		if len(gaps) > 0 {
			if gap, _, _ := percentile(gaps, 0.5); gap > 1 {
				slots = math.Ceil(span / gap)
			}
		}
		reported += min(float64(len(minutes)), slots)
		expected += slots
	}
	if expected == 0 {
		return nil
	}
	percent := 100 * reported / expected
	return &percent
}

// referenceRestarts counts neighbours by ts. The generator gives each start a boot of its own and starts that are far
// apart, so that hours tell them apart as well as neighbours do.
func referenceRestarts(all []*schema.Sample, p summaryPlan) *uint64 {
	var count uint64
	measured := false
	for _, own := range groupSamples(all, serverOf) {
		slices.SortFunc(own, byPlace)
		for i, s := range own {
			if s.TS < p.From.UnixMilli() || s.TS >= p.To.UnixMilli() {
				continue
			}
			measured = measured || s.Has(schema.UptimeS) || s.Has(schema.Boot)
			if i == 0 {
				continue
			}
			before := own[i-1]
			if time.UnixMilli(before.TS).Before(schema.FloorHour(p.From).Add(-restartLookback)) {
				continue
			}
			if s.Has(schema.Boot) && before.Has(schema.Boot) && s.Boot != before.Boot ||
				s.Has(schema.UptimeS) && before.Has(schema.UptimeS) && s.Uint(schema.UptimeS) < before.Uint(schema.UptimeS) {
				count++
			}
		}
	}
	if !measured {
		return nil
	}
	return &count
}
