package query

// fillSeries puts something into gaps, or drops the buckets that are empty in every series. Values before the first
// and after the last one stay nil.
func fillSeries(t *Timeseries, fill Fill) {
	switch fill {
	case FillNone:
		dropEmpty(t)
	case FillPrevious, FillLinear:
		for i := range t.Series {
			fillGaps(t.Timestamps, t.Series[i].Values, fill)
		}
	}
}

func fillGaps(timestamps []int64, values []*float64, fill Fill) {
	last := -1
	for i, value := range values {
		if value == nil {
			continue
		}
		for gap := last + 1; last >= 0 && gap < i; gap++ {
			values[gap] = values[last]
			if fill == FillLinear {
				part := float64(timestamps[gap]-timestamps[last]) / float64(timestamps[i]-timestamps[last])
				between := *values[last] + part*(*value-*values[last])
				values[gap] = &between
			}
		}
		last = i
	}
}

func dropEmpty(t *Timeseries) {
	kept := 0
	for i := range t.Timestamps {
		if emptyAt(t.Series, i) {
			continue
		}
		t.Timestamps[kept], t.Partial[kept] = t.Timestamps[i], t.Partial[i]
		for s := range t.Series {
			t.Series[s].Values[kept] = t.Series[s].Values[i]
		}
		kept++
	}
	t.Timestamps, t.Partial = t.Timestamps[:kept], t.Partial[:kept]
	for s := range t.Series {
		t.Series[s].Values = t.Series[s].Values[:kept]
	}
}

func emptyAt(series []Series, i int) bool {
	for _, s := range series {
		if s.Values[i] != nil {
			return false
		}
	}
	return true
}
