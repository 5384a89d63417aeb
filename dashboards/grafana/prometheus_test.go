package grafana

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exported reads from the sources which metrics the program has, and with which labels: a metric that counts nothing yet
// is not in /metrics, so asking a running program would not do.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	ingest := text(t, "../../ingest/metrics.go")
	for _, m := range regexp.MustCompile(`m\.(counter|counterVec|histogram|gauge)\("(\w+)"(.*)`).FindAllStringSubmatch(ingest, -1) {
		var labels []string
		if m[1] == "counterVec" {
			labels = regexp.MustCompile(`"(\w+)"\)$`).FindStringSubmatch(m[3])[1:]
		}
		add(all, "corrosion_ingest_"+m[2], m[1] == "histogram", labels)
	}
	observe := text(t, "../../api/observe.go")
	for _, m := range regexp.MustCompile(`New(Counter|Histogram|Gauge)(?:Vec)?\(prometheus\.\w+\{\s*Name: "(\w+)"[^{}]*(?:\{[^{}]*\}[^{}]*)?\}(?:, \[\]string\{([^}]*)\})?`).FindAllStringSubmatch(observe, -1) {
		add(all, m[2], m[1] == "Histogram", strings.Fields(strings.NewReplacer(`"`, "", ",", " ").Replace(m[3])))
	}
	if len(all) < 20 {
		t.Fatalf("the sources name only %d metrics: %v", len(all), all)
	}
	return all
}

func add(all map[string][]string, name string, histogram bool, labels []string) {
	if !histogram {
		all[name] = labels
		return
	}
	all[name+"_bucket"] = append([]string{"le"}, labels...)
	all[name+"_sum"], all[name+"_count"] = labels, labels
}

// The dashboards ask Prometheus for metrics and labels that the program has, and rate counters alone.
func TestMetricsExist(t *testing.T) {
	all := exported(t)
	name := regexp.MustCompile(`\bcorrosion_\w+`)
	by := regexp.MustCompile(`by \(([^)]*)\)`)
	asked := 0
	for file, d := range load(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				for _, metric := range name.FindAllString(q.Expr, -1) {
					asked++
					labels, ok := all[metric]
					if !ok {
						t.Errorf("%s: panel %q asks for %s, which is not in the code", file, p.Title, metric)
						continue
					}
					for _, group := range by.FindAllStringSubmatch(q.Expr, -1) {
						for _, label := range strings.Split(group[1], ", ") {
							if !slices.Contains(labels, label) {
								t.Errorf("%s: panel %q: %s has no label %s, but %v", file, p.Title, metric, label, labels)
							}
						}
					}
					counter := strings.HasSuffix(metric, "_total") || strings.HasSuffix(metric, "_bucket") || strings.HasSuffix(metric, "_count") || strings.HasSuffix(metric, "_sum")
					rated := strings.Contains(q.Expr, "rate("+metric+"[") || strings.Contains(q.Expr, "increase("+metric+"[")
					if counter != rated {
						t.Errorf("%s: panel %q: %s in %s: counters are rated, gauges are not", file, p.Title, metric, q.Expr)
					}
				}
				if strings.Count(q.Expr, "(") != strings.Count(q.Expr, ")") {
					t.Errorf("%s: panel %q: brackets of %s", file, p.Title, q.Expr)
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("the dashboards ask Prometheus %d times", asked)
	}
}
