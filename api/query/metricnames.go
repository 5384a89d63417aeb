package query

import (
	"context"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
)

// mostMetricNames bounds an answer: beyond it nobody looks through a list.
const mostMetricNames = 5000

// MetricsRequest asks which measurements there are. The range widens to whole UTC hours.
type MetricsRequest struct {
	Scope
	Range
}

// MetricNames is the answer to a MetricsRequest.
type MetricNames struct {
	Metrics []MetricName `json:"metrics" doc:"By name; the fields of a sample and the custom metrics that were measured in the range"`
	More    bool         `json:"more" doc:"There are more than the 5,000 that are listed"`
}

// MetricName is something that was measured.
type MetricName struct {
	Metric  string `json:"metric" example:"metrics.loot.spawned" doc:"As the parameter metric of a timeseries"`
	Custom  bool   `json:"custom"`
	Unit    string `json:"unit" doc:"Empty where it has none, or where it is not known"`
	Servers uint64 `json:"servers" doc:"How many servers measured it in the range"`
}

// MetricNames lists what a license's servers measure. Errors are as those of Summary.
func (e *Engine) MetricNames(ctx context.Context, r MetricsRequest) (*MetricNames, error) {
	retention, err := e.Retention(ctx)
	if err != nil {
		return nil, err
	}
	if fault := r.Range.check(longest(retention)); fault != nil {
		return nil, faulty([]Fault{*fault})
	}
	found := &MetricNames{Metrics: []MetricName{}}
	if r.Selected && len(r.Servers) == 0 {
		return found, nil
	}
	err = e.run.query(ctx, metricNamesStatement(r), func(rows driver.Rows) error {
		var name MetricName
		if err := rows.Scan(&name.Metric, &name.Servers); err != nil {
			return err
		}
		if field, known := schema.FieldByName(name.Metric); known {
			name.Unit = field.Info().Unit
		}
		name.Custom = strings.HasPrefix(name.Metric, metricPrefix)
		found.Metrics = append(found.Metrics, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if found.More = len(found.Metrics) > mostMetricNames; found.More {
		found.Metrics = found.Metrics[:mostMetricNames]
	}
	return found, nil
}

func metricNamesStatement(r MetricsRequest) statement {
	c := composition{Chosen: r.chosen()}
	for i, field := range schema.MetricFields() {
		c.Columns = append(c.Columns, newColumn(i, field.String()))
	}
	args := append(r.arguments(), hourRange(schema.FloorHour(r.From), schema.CeilHour(r.To))...)
	return newStatement("metric_names", c, append(args, clickhouse.Named("most", uint32(mostMetricNames+1))))
}
