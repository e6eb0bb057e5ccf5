# Every target is a line or two; CI calls only these. `make` alone lists them.

SHELL   := /bin/bash
VERSION := $(or $(shell git describe --tags --always --dirty 2>/dev/null),devel)

# A checkout without git (an unpacked archive) builds too.
export GOFLAGS := $(strip $(filter-out -buildvcs=%,$(GOFLAGS)) -buildvcs=false)

PREFIX ?= /usr/local

# Time for each fuzz target, and the benchmarks that `make bench` runs.
FUZZTIME ?= 30s
BENCH    ?= .

# Where goroutines meet: the packages that the race detector runs over.
RACE := ./chunk/... ./repo/... ./index/... ./verify/... ./cmd/... ./internal/adapt/... ./internal/miniotest/...

STATICCHECK := go tool -modfile=internal/tools/go.mod staticcheck

.DEFAULT_GOAL := help
.PHONY: help build install demo picture deps servers test quick race lint check fmt fmt-check tidy fuzz crash bench bench-peers cover clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## build ./bin/store, a static program
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/store ./cmd/store

install: build ## put the program into $(PREFIX)/bin
	install -D -m 755 bin/store $(DESTDIR)$(PREFIX)/bin/store

demo: build ## back up a small game world, play on, restore the first moment, drill, break a copy
	bash internal/demo/demo.sh bin/store

picture: build ## draw docs/pictures/demo.svg from what the demo shows
	unshare --uts --map-root-user bash -c 'hostname world-1 && exec bash internal/demo/demo.sh bin/store' > bin/demo.txt 2>&1
	go run ./internal/demo/picture -from "Everyone takes backups" -until "When was it" -title "make demo" < bin/demo.txt > docs/pictures/demo.svg

deps: ## install the Debian packages that the tests need (as root), or name them
	@bash internal/tools/deps.sh

servers: ## build MinIO, the Versity gateway and mc into .tools, once (STORE_TOOLS=folder)
	@bash internal/tools/servers.sh

test: deps servers ## everything; a test that cannot run here fails
	STORE_REQUIRE=all go test -timeout 40m ./...

quick: ## the short tests: under a minute, needs nothing but Go
	go test -short ./...

race: servers ## the short tests of what runs in parallel, under the race detector
	CGO_ENABLED=1 go test -race -short -timeout 30m $(RACE)

lint: fmt-check ## formatting, vet, staticcheck, modernizers, modules, import directions
	go vet ./...
	$(STATICCHECK) ./...
	go fix -diff ./...
	go mod tidy -diff
	go mod verify
	go test -count=1 ./internal/archtest

check: lint quick ## what to run before a push

fmt: ## format all Go files
	gofmt -w .

fmt-check:
	@out=$$(gofmt -l . 2>&1); [[ -z $$out ]] || { echo "gofmt: run make fmt for:"; echo "$$out"; exit 1; }

tidy: ## bring go.mod and go.sum up to date
	go mod tidy

fuzz: ## every fuzz target for FUZZTIME (30s)
	@bash internal/tools/fuzz.sh $(FUZZTIME)

crash: servers ## the crash walks in full: a stop after every single operation
	STORE_CRASH=all go test -count=1 -timeout 80m -run Crash ./...

bench: deps servers ## all benchmarks; BENCH=regexp chooses those of the packages
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 80m ./...
	@$(MAKE) --no-print-directory bench-peers

bench-peers: deps servers ## compare with restic on real input (40 minutes, 25 GB); PEERS=flags
	go run ./bench $(if $(filter 0,$(shell id -u)),-image) -md docs/benchmarks.md $(PEERS)

cover: ## coverage by function, to be read and not aimed at
	@mkdir -p bin
	go test -short -coverpkg=./... -coverprofile=bin/cover.out ./...
	go tool cover -func=bin/cover.out

clean: ## remove what was built
	rm -rf bin

distclean: clean ## remove the servers as well
	rm -rf .tools
