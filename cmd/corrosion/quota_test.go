package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

type ingestAnswer struct {
	Outcomes []struct {
		Outcome, Advice string
		Total           int
	}
	Quotas map[string]*int64
}

func (a ingestAnswer) total(outcome string) int {
	for _, o := range a.Outcomes {
		if o.Outcome == outcome {
			return o.Total
		}
	}
	return 0
}

// A license over its quota sees how much was refused, and what to do.
func TestQuotaIsShownToItsLicense(t *testing.T) {
	p := startPlatform(t, "--quota-metric-names", "0")
	license, token := p.license("storm")
	_, other := p.license("calm")
	if out := p.corrosion("license", "quota", "--license", license, "--samples-per-second", "1", "--servers", "0"); !strings.Contains(out, `"samples_per_second": 1,`) {
		t.Errorf("set: %s", out)
	}
	const published = 100
	p.publish(license, "["+strings.TrimSuffix(strings.Repeat(`{"server_id":"a","players":5},`, 70), ",")+"]")
	for range published - 70 {
		p.publish(license, `{"server_id":"a","players":5}`)
	}
	var answer ingestAnswer
	localtest.CheckFor(t, 30*time.Second, 100*time.Millisecond, func() error {
		answer = ingestAnswer{}
		if status, body := p.get(token, "/api/analytics/ingest", url.Values{"range": {"1h"}}, &answer); status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		if sum := answer.total(schema.OutcomeAccepted) + answer.total(schema.OutcomeQuotaSamples); sum != published {
			return fmt.Errorf("%d of %d counted: %+v", sum, published, answer)
		}
		return nil
	})
	if accepted := answer.total(schema.OutcomeAccepted); accepted < 70 || accepted > 90 {
		t.Errorf("%d accepted, want the 70 that came while there was room, and few of those that came later", accepted)
	}
	want := map[string]int64{"samples_per_second": 1, "bytes_per_second": schema.DefaultQuotas().BytesPerSecond}
	for name, quota := range answer.Quotas {
		if n, bounded := want[name]; bounded != (quota != nil) || bounded && n != *quota {
			t.Errorf("%s: %v", name, quota)
		}
	}
	var theirs ingestAnswer
	if status, body := p.get(other, "/api/analytics/ingest", nil, &theirs); status != http.StatusOK || theirs.total(schema.OutcomeAccepted) != 0 {
		t.Errorf("another license reads %d %s", status, body)
	}
	if out := p.corrosion("license", "quota", "--license", license, "--samples-per-second", "default"); !strings.Contains(out, `"samples_per_second": "default"`) || !strings.Contains(out, `"servers": "unlimited"`) {
		t.Errorf("back to the default: %s", out)
	}
	for _, args := range [][]string{
		{"--license", "x"}, {"--license", uuid.NewString()}, {"--license", license, "--servers", "-1"},
		{"--license", license, "--servers", "many"}, {"--license", license, "--servers", "1125899906842625"},
	} {
		if code, _, _ := p.try(append([]string{"license", "quota"}, args...)...); code == 0 {
			t.Errorf("%v was accepted", args)
		}
	}
}

func TestQuotaFlagsAreChecked(t *testing.T) {
	if err := (quotaFlags{QuotaSamples: -1}).quotas().Validate(); err == nil || !strings.Contains(err.Error(), "samples per second") {
		t.Errorf("-1: %v", err)
	}
}
