package wire

import (
	"fmt"

	"github.com/go-faster/jx"

	"corrosion/schema"
)

// metricsObject decodes the field metrics. After the first fault it only reads on to the end.
func (d *Decoder) metricsObject(start int) (f fault, err error) {
	if d.json.Next() != jx.Object {
		raw, err := d.json.Raw()
		if err != nil || isNull(raw) {
			return fault{}, err
		}
		return wrongType("metrics", raw, "an object of numbers"), nil
	}
	object, err := d.json.ObjIter()
	if err != nil {
		return fault{}, err
	}
	for place := 0; object.Next(); place++ {
		if f.reason != "" {
			err = d.json.Skip()
		} else {
			f, err = d.metric(place, start, object.Key())
		}
		if err != nil {
			return fault{}, err
		}
	}
	return f, object.Err()
}

// metric decodes one entry of metrics.
func (d *Decoder) metric(place, start int, key []byte) (fault, error) {
	raw, err := d.json.Raw()
	if err != nil {
		return fault{}, err
	}
	w := d.keys.find(&d.keys.inner, place, key)
	if w == nil {
		if w = d.keys.add(key); w == nil {
			return fault{BadMetricName, fmt.Sprintf("metrics: %q is not [A-Za-z0-9_.:/-]{1,%d}",
				clip(string(key), 2*schema.MaxMetricNameLen), schema.MaxMetricNameLen)}, nil
		}
	}
	if isNull(raw) {
		return fault{}, nil
	}
	v, f := metricValue("metrics.", w.text, raw)
	if f.reason != "" {
		return f, nil
	}
	if w.explicit == d.keys.sample {
		return duplicate("metrics." + w.text), nil
	}
	w.explicit = d.keys.sample
	return d.store(w, v, start), nil
}

// unknown decodes a field that the contract does not know: a number is a custom metric unless metrics has it, too.
func (d *Decoder) unknown(w *word, start int, key []byte) (fault, error) {
	if d.json.Next() != jx.Number {
		return d.ignore()
	}
	if w == nil {
		if w = d.keys.add(key); w == nil {
			return d.ignore()
		}
	}
	raw, err := d.json.Raw()
	if err != nil {
		return fault{}, err
	}
	v, f := metricValue("", w.text, raw)
	if f.reason != "" {
		return f, nil
	}
	if w.loose == d.keys.sample {
		return duplicate(w.text), nil
	}
	w.loose = d.keys.sample
	if w.explicit == d.keys.sample {
		return fault{}, nil
	}
	return d.store(w, v, start), nil
}

// ignore skips a field; null is no field.
func (d *Decoder) ignore() (fault, error) {
	if d.json.Next() != jx.Null {
		d.ignored++
	}
	return fault{}, d.json.Skip()
}

// store sets w's value in the sample whose metrics begin at start.
func (d *Decoder) store(w *word, v float64, start int) fault {
	if w.stored == d.keys.sample {
		d.metrics[w.place].Value = v
		return fault{}
	}
	if len(d.metrics)-start == schema.MaxMetrics {
		return fault{TooManyMetrics, fmt.Sprintf("metrics: more than %d with %s", schema.MaxMetrics, w.text)}
	}
	w.stored, w.place = d.keys.sample, len(d.metrics)
	d.metrics = append(d.metrics, schema.Metric{Name: w.text, Value: v})
	return fault{}
}

func metricValue(prefix, name string, raw []byte) (float64, fault) {
	if !isNumber(raw) {
		return 0, wrongType(prefix+name, raw, "a number")
	}
	v, reason := parseFloat(raw)
	if reason != "" {
		return 0, badNumber(reason, prefix+name, raw, "-"+maxFloatText, maxFloatText)
	}
	return v, fault{}
}
