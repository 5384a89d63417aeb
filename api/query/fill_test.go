package query

import (
	"reflect"
	"testing"
)

func p(v float64) *float64 { return &v }

func values(list ...*float64) []*float64 { return list }

func TestFill(t *testing.T) {
	gappy := func() *Timeseries {
		return &Timeseries{
			Timestamps: []int64{0, 10, 20, 30, 50, 60}, Partial: []bool{true, false, false, false, false, true},
			Series: []Series{
				{Values: values(nil, p(1), nil, nil, p(5), nil)},
				{Values: values(nil, nil, p(7), nil, nil, nil)},
			},
		}
	}
	for _, c := range []struct {
		fill       Fill
		timestamps []int64
		first      []*float64
		second     []*float64
	}{
		{FillNull, []int64{0, 10, 20, 30, 50, 60}, values(nil, p(1), nil, nil, p(5), nil), values(nil, nil, p(7), nil, nil, nil)},
		{FillPrevious, []int64{0, 10, 20, 30, 50, 60}, values(nil, p(1), p(1), p(1), p(5), nil), values(nil, nil, p(7), nil, nil, nil)},
		{FillLinear, []int64{0, 10, 20, 30, 50, 60}, values(nil, p(1), p(2), p(3), p(5), nil), values(nil, nil, p(7), nil, nil, nil)},
		{FillNone, []int64{10, 20, 50}, values(p(1), nil, p(5)), values(nil, p(7), nil)},
	} {
		got := gappy()
		fillSeries(got, c.fill)
		if !reflect.DeepEqual(got.Timestamps, c.timestamps) || !reflect.DeepEqual(got.Series[0].Values, c.first) || !reflect.DeepEqual(got.Series[1].Values, c.second) {
			t.Errorf("%s: got %v %+v", c.fill, got.Timestamps, got.Series)
		}
		if len(got.Partial) != len(got.Timestamps) {
			t.Errorf("%s: %d partial flags for %d buckets", c.fill, len(got.Partial), len(got.Timestamps))
		}
	}
	empty := &Timeseries{Timestamps: []int64{0}, Partial: []bool{false}, Series: []Series{{Values: values(nil)}}}
	if fillSeries(empty, FillNone); len(empty.Timestamps) != 0 || len(empty.Series[0].Values) != 0 {
		t.Errorf("empty: got %+v", empty)
	}
}
