package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/deploy/local/localtest"
)

// Two of each role do what one does: what the API keeps of people and requests is one, jobs are done once, and each
// process is restarted while clients go on without a failed request or a lost sample.
func TestTwoOfEachRole(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	f := newFleet(t, localtest.NewNATS(t).URL())
	one, two := f.launch("api", "--drain", "1500ms"), f.launch("api", "--drain", "1500ms")
	front := newBalancer(t, one.address, two.address)
	a, b := f.at("http://"+one.address), f.at("http://"+two.address)
	jobs := []*member{f.launch("aggregate"), f.launch("aggregate")}

	sessionsAreOne(t, a, b)
	f.keysAreOne(t, a, b)
	f.jobsAreDoneOnce(t, jobs)
	f.limitsAreOne(t, a, b)
	f.restartInTurn(t, front, []*member{one, two})
}

// at is the fleet's platform at one of its addresses.
func (f *fleet) at(url string) *platform {
	p := *f.platform
	p.HTTP = url
	return &p
}

// sessionsAreOne signs in at one process, and uses, renews and ends the session at the other.
func sessionsAreOne(t *testing.T, a, b *platform) {
	t.Helper()
	here := a.register("ada@example.org", "correct horse battery")
	there := &person{platform: b, access: here.access, refresh: here.refresh}
	there.ask("GET", "/api/auth/me", there.access, nil, nil, 200)
	there.take("/api/auth/refresh", fields{"refresh_token": there.refresh})
	if there.refresh == here.refresh {
		t.Error("the refresh token was not changed")
	}
	here.ask("GET", "/api/auth/me", there.access, nil, nil, 200)
	here.ask("POST", "/api/auth/logout", "", fields{"refresh_token": there.refresh}, nil, 204)
	for _, p := range []*platform{a, b} {
		p.ask("POST", "/api/auth/refresh", "", fields{"refresh_token": there.refresh}, nil, 401)
	}
	there.ask("GET", "/api/auth/me", there.access, nil, nil, 401)
}

// post sends JSON under a key and gives the answer's status and body.
func post(client *http.Client, url, token, key string, body fields) (status int, text string, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(raw)) //nolint:noctx // bounded by the client
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

// keysAreOne races one Idempotency-Key at both processes: a mark and a purchase are made once.
func (f *fleet) keysAreOne(t *testing.T, a, b *platform) {
	t.Helper()
	token := strings.TrimSpace(f.must("token", "--license", f.id, "--role", "owner"))
	for path, body := range map[string]fields{"/api/analytics/events": {"kind": "note", "title": "raced"}, "/api/modules/loot-manager/purchase": {}} {
		var mu sync.Mutex
		made := map[string]bool{}
		var racers sync.WaitGroup
		for i := range 8 {
			racers.Go(func() {
				p := []*platform{a, b}[i%2]
				for { // 409 = the key is in use at this moment
					status, text, err := post(http.DefaultClient, p.HTTP+path, token, "one key", body)
					if err == nil && status == http.StatusConflict {
						time.Sleep(20 * time.Millisecond)
						continue
					}
					if err != nil || status != http.StatusCreated {
						t.Errorf("%s: %d %s %v", path, status, text, err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					made[text] = true
					return
				}
			})
		}
		racers.Wait()
		if len(made) != 1 {
			t.Errorf("%s under one key was answered in %d ways: %v", path, len(made), made)
		}
	}
	var marks struct {
		Events []struct{ Title string }
	}
	var bought struct{ Purchases []any }
	localtest.CheckFor(t, 10*time.Second, 50*time.Millisecond, func() error {
		text := a.ask("GET", "/api/analytics/events?kind=note", token, nil, &marks, 200)
		if strings.Count(text, `"raced"`) != 1 {
			return errors.New(text)
		}
		return nil
	})
	if text := b.ask("GET", "/api/modules/purchases", token, nil, &bought, 200); strings.Count(text, `"purchase_id"`) != 1 {
		t.Errorf("purchases: %s", text)
	}
}

// limitsAreOne spends a token's budget at both processes at once.
func (f *fleet) limitsAreOne(t *testing.T, a, b *platform) {
	t.Helper()
	token := strings.TrimSpace(f.must("token", "--license", f.id))
	const budget, refill, all = 600, 10, 1200
	var given atomic.Int64
	var askers sync.WaitGroup
	begun := time.Now()
	for i := range 8 {
		askers.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond) // slow enough that they hear of each other before all is spent
			defer tick.Stop()
			for range all / 8 {
				<-tick.C
				if status, _ := []*platform{a, b}[i%2].get(token, "/api/analytics/metrics", nil, nil); status == http.StatusOK {
					given.Add(1)
				}
			}
		})
	}
	askers.Wait()
	took := time.Since(begun)
	if took > 12*time.Second {
		t.Logf("%d requests took %s: too slow a machine to spend a budget that refills", all, took)
		return
	}
	// What both give away before they hear of each other, a quarter of a second apart and not in step, comes on top.
	most := int64(budget + refill*took.Seconds() + all/took.Seconds()*0.75)
	if n := given.Load(); n < budget || n > most {
		t.Errorf("both gave %d of %d requests within %s, want %d to %d", n, all, took, budget, most)
	}
	for _, p := range []*platform{a, b} {
		localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, func() error {
			if status, text := p.get(token, "/api/analytics/metrics", nil, nil); status != http.StatusTooManyRequests {
				return fmt.Errorf("%d %s", status, text)
			}
			return nil
		})
	}
}

// jobsAreDoneOnce waits until everything that was due is done, and compares what both aggregators counted with what is
// written down.
func (f *fleet) jobsAreDoneOnce(t *testing.T, aggregators []*member) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), f.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var runs, due, again, beside int
	localtest.CheckFor(t, 40*time.Second, 100*time.Millisecond, func() error {
		var open int
		err := pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT job) FILTER (WHERE cause = 'schedule'), count(*) FILTER (WHERE finished_at IS NULL),
			count(*) FILTER (WHERE attempts > 1 OR error <> '') FROM job_runs`).Scan(&runs, &due, &open, &again)
		if err == nil && (open > 0 || due < 4) {
			err = fmt.Errorf("%d runs of %d jobs, %d still run", runs, due, open)
		}
		return err
	})
	if again > 0 {
		t.Errorf("%d of %d runs failed or were done again", again, runs)
	}
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM job_runs a JOIN job_runs b ON a.job = b.job AND a.id < b.id
		AND a.started_at < b.finished_at AND b.started_at < a.finished_at`).Scan(&beside); err != nil || beside > 0 {
		t.Errorf("%d pairs of runs of one job at once, %v", beside, err)
	}
	localtest.CheckFor(t, 20*time.Second, 100*time.Millisecond, func() error {
		counted := 0
		for _, m := range aggregators {
			n, err := counter("http://"+m.address, "corrosion_aggregator_job_runs_total")
			if err != nil {
				return err
			}
			counted += n
		}
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM job_runs WHERE finished_at IS NOT NULL").Scan(&runs); err != nil || counted != runs {
			return fmt.Errorf("the aggregators counted %d runs, %d are written down, %w", counted, runs, errors.Join(err, errors.New("not equal")))
		}
		return nil
	})
}

// counter sums a metric of a process over its labels.
func counter(url, name string) (sum int, err error) {
	response, err := http.Get(url + "/metrics") //nolint:noctx // polled
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	for _, found := range regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? ([0-9]+)$`).FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(found[1]))
		sum += n
	}
	return sum, err
}

// restartInTurn restarts the APIs and then two ingesters, while clients ask by way of the balancer and samples come.
func (f *fleet) restartInTurn(t *testing.T, front *balancer, apis []*member) {
	t.Helper()
	ingesters := []*member{f.launch("ingest"), f.launch("ingest")}
	load := f.startFlood(20 * time.Millisecond)
	stop := f.askOn(t, front.URL())
	for _, m := range apis {
		begun := time.Now()
		m.terminate()
		if took := time.Since(begun); took < 1500*time.Millisecond || took > 15*time.Second {
			t.Errorf("an API stopped after %s, want its drain and little more", took)
		}
		f.again(m)
		localtest.CheckFor(t, 10*time.Second, 10*time.Millisecond, func() error {
			if !front.isHealthy(m.address) {
				return errors.New("the balancer has not seen it")
			}
			return nil
		})
	}
	for _, m := range ingesters {
		m.terminate()
		f.again(m)
	}
	asked := stop()
	if asked < 20 {
		t.Errorf("only %d requests were answered meanwhile", asked)
	}
	load.end()
	t.Logf("%d requests answered over restarts", asked)
}

// askOn has clients read and write by a URL, on connections that they keep, until stop, which tells how often they asked: every answer
// must be a good one.
func (f *fleet) askOn(t *testing.T, url string) (stop func() int64) {
	t.Helper()
	done := make(chan struct{})
	var clients sync.WaitGroup
	var answered atomic.Int64
	for i := range 4 {
		token := strings.TrimSpace(f.must("token", "--license", f.id, "--role", "owner"))
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}, Timeout: 20 * time.Second}
		clients.Go(func() {
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				case <-time.After(50 * time.Millisecond):
				}
				if err := askOnce(client, url, token, i, n); err != nil {
					t.Errorf("request %d of client %d: %v", n, i, err)
				}
				answered.Add(1)
			}
		})
	}
	return func() int64 { close(done); clients.Wait(); return answered.Load() }
}

// askOnce adds a mark, or reads names of metrics: what is answered soon also by a machine that starts processes.
func askOnce(client *http.Client, url, token string, i, n int) error {
	if n%2 == 0 {
		status, text, err := post(client, url+"/api/analytics/events", token, "", fields{"kind": "note", "title": fmt.Sprintf("%d of %d", n, i)})
		if err == nil && status != http.StatusCreated {
			err = fmt.Errorf("%d %s", status, text)
		}
		return err
	}
	request, err := http.NewRequest(http.MethodGet, url+"/api/analytics/metrics", http.NoBody) //nolint:noctx // bounded by the client
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", response.StatusCode, text)
	}
	return err
}
