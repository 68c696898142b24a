# What a developer runs. `make help` lists it; `make test` is what has to pass.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Tests are linked without LTO: every test program would pay for it. `make build` makes the optimised binary.
TEST_ENV := CARGO_PROFILE_RELEASE_LTO=off CARGO_TERM_COLOR=never
# Optimising the engine's generic actors takes minutes a program, and the tests mostly wait.
TEST_FLAGS := --release --locked --config profile.release.package.braid-consensus.opt-level=0
VENV := target/venv
SLITHER := target/slither
KILLS = 100
ROUNDS ?= 5
FUZZ_SECONDS ?= 300
FUZZ_RUNS ?= 10000
SUITE ?= .
FORGE := ../node_modules/.bin/forge
SEEDS ?= 0..2000
STEPS ?= 48
BLOCKS ?= 20000
SCHEDULES ?= 60
LOANS ?= 1000000
SUITES ?= ../legacytests/Cancun
THREADS ?= 2
PLOT_THREADS ?= 1 2 3 4

## build      the optimised binary, target/release/braid
.PHONY: build
build:
	cargo build --release --locked

## test       everything that has to pass: format, lints, unit, property and oracle tests, end to end, crash
.PHONY: test
test: KILLS = 8
test: lint deps test-rust test-binary run-pictures check-artifacts contracts-test coverage run-bench run-e2e run-crash run-network-short

# Every run draws the same cases, so that a change decides whether it passes; `make properties` draws others.
.PHONY: test-rust
test-rust:
	$(TEST_ENV) PROPTEST_RNG_SEED=1 cargo test $(TEST_FLAGS) --workspace

## properties  the Rust tests with other random cases, PROPTEST_CASES=1000 for each property that names no number; SEED=
.PHONY: properties
properties:
	export $(TEST_ENV) PROPTEST_CASES=$(or $(PROPTEST_CASES),1000) PROPTEST_RNG_SEED=$${SEED:-$${RANDOM}}
	echo "SEED=$$PROPTEST_RNG_SEED"
	cargo test $(TEST_FLAGS) --workspace

## lint       rustfmt and clippy, warnings refused
.PHONY: lint
lint:
	export $(TEST_ENV)
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings

## fmt        format the code
.PHONY: fmt
fmt:
	cargo fmt --all

## e2e        real clients against the binary: viem, ethers, cast, web3.py, Uniswap, raw JSON-RPC
.PHONY: e2e
e2e: deps test-binary run-e2e

## crash      SIGKILL at random moments under load, KILLS=100 times
.PHONY: crash
crash: deps-node test-binary run-crash

## network    four validators through SIGKILL, wiped disks, restarts and partitions, with each scheme; SEED=, ROUNDS=5
.PHONY: network
network: deps-node test-binary
	node tests/network/network.mjs --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))
	node tests/network/network.mjs --rounds 1 --scheme bls12381-threshold $(if $(SEED),--seed $(SEED))
	node tests/network/network.mjs --rounds 1 --dissemination coded $(if $(SEED),--seed $(SEED))
	node tests/network/group.mjs
	node tests/network/partition.mjs

.PHONY: run-network-short
run-network-short:
	node tests/network/network.mjs --short
	node tests/network/group.mjs
	node tests/network/partition.mjs --rounds 1 --seconds 4

# Asked for as a part of a test, so that the dependencies are those that the tests have compiled, with the same features.
.PHONY: test-binary
test-binary:
	$(TEST_ENV) cargo test $(TEST_FLAGS) --workspace --test house --no-run

.PHONY: run-e2e
run-e2e:
	node --test --test-reporter=spec --test-concurrency=2 --test-timeout=180000 tests/e2e/*.test.mjs

.PHONY: run-crash
run-crash:
	node tests/crash/crash.mjs --kills $(KILLS)

## sim        whole networks, simulated: SEEDS=0..2000 of STEPS=48 each; a failure prints how to replay it
.PHONY: sim
sim:
	$(TEST_ENV) cargo build $(TEST_FLAGS) --package braid-sim
	target/release/braid-sim run --seeds $(SEEDS) --steps $(STEPS)

## interleave  the parallel executor under BLOCKS=20000 × SCHEDULES=60 schedules of each kind that a checker chooses; SEED=
.PHONY: interleave
interleave:
	export $(TEST_ENV) BRAID_INTERLEAVE_BLOCKS=$(BLOCKS) BRAID_INTERLEAVE_SCHEDULES=$(SCHEDULES) BRAID_INTERLEAVE_SEED=$(or $(SEED),1)
	cargo test $(TEST_FLAGS) --workspace --test interleave -- --nocapture

## mutants    whether that check notices it when a step of the executor is left out, one after the other
.PHONY: mutants
mutants:
	node tests/interleave/mutants.mjs

## tsan       the parallel executor's oracle under ThreadSanitizer, CASES=2500 random blocks; needs a nightly toolchain with rust-src
.PHONY: tsan
tsan:
	export $(TEST_ENV) CARGO_TARGET_DIR=target/tsan RUSTFLAGS=-Zsanitizer=thread BRAID_ORACLE_CASES=$(or $(CASES),2500)
	cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu --release -p braid-exec --test oracle random -- --nocapture

## loans      random micro-loans with random histories, LOANS=1000000 for each property
.PHONY: loans
loans:
	$(TEST_ENV) BRAID_LOANS=$(LOANS) cargo test --release --locked --package braid-microloans-arithmetic --test random_loans

## disaster-day  micro-loans on a bad day: LOANS=1000, a third of the callbacks disturbed, SIGKILL at every step; the books end as on a calm one
.PHONY: disaster-day
disaster-day: LOANS = 1000
disaster-day:
	$(TEST_ENV) BRAID_DISASTER_LOANS=$(LOANS) cargo test $(TEST_FLAGS) --workspace --test disaster -- --exact the_books_end_as_on_a_calm_day --nocapture

## pictures   the journeys of micro-loans in a headless Chromium of 360 pixels, with pictures under target/tmp/faces
.PHONY: pictures
pictures: deps-debian run-pictures

# By itself, because a browser beside other tests takes its time.
.PHONY: run-pictures
run-pictures:
	$(TEST_ENV) cargo test $(TEST_FLAGS) --workspace --test pages -- --ignored --nocapture

## twin       the contracts' schedules beside the crate's, on CASES=10000 random terms
.PHONY: twin
twin: deps-node
	$(TEST_ENV) BRAID_TWIN_CASES=$(or $(CASES),10000) cargo test $(TEST_FLAGS) --workspace --test twin -- --nocapture

## deps       what the tests need besides Rust: from npm and PyPI as locked, and two programs of Debian's
.PHONY: deps deps-node deps-python deps-debian
deps: deps-debian deps-node deps-python
deps-node: node_modules/.package-lock.json
deps-python: $(VENV)/.installed

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund
	touch $@

# Who may not install packages goes without: the tests that need them say that they are skipped.
deps-debian:
	missing=()
	command -v chromium chromium-browser google-chrome > /dev/null || missing+=(chromium)
	compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || missing+=(postgresql)
	if [ $${#missing[@]} -gt 0 ] && [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
		export DEBIAN_FRONTEND=noninteractive
		{ apt-get update -qq && apt-get install -qq --no-install-recommends "$${missing[@]}" > /dev/null; } ||
			echo "not installed: $${missing[*]}"
	fi

$(VENV)/.installed: tests/e2e/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-virtualenv -r $<
	touch $@

## fuzz       every libFuzzer target for FUZZ_SECONDS=300 each; needs a nightly toolchain and cargo-fuzz
.PHONY: fuzz
fuzz:
	cd fuzz
	for target in $$(cargo +nightly fuzz list); do
		cargo +nightly fuzz run "$$target" -- -max_total_time=$(FUZZ_SECONDS) -timeout=10
	done

## conformance  Ethereum's own tests from a checkout: SUITES=path of legacytests/Cancun
.PHONY: conformance
conformance: build
	target/release/braid statetest $(SUITES)/GeneralStateTests
	target/release/braid blocktest $(SUITES)/BlockchainTests

## bench      Braid against anvil on this machine
.PHONY: bench
bench: build deps-node
	tests/bench/against-anvil

## bench-validators  four validators on this machine under token payments
.PHONY: bench-validators
bench-validators: build deps-node
	tests/bench/validators

## soak       a fresh node with MEMORY=512 MiB under payments for SOAK_SECONDS=600 at RATE=1000 a second; memory, money and every payment are counted
.PHONY: soak
soak: build deps-node
	tests/bench/soak --node="--memory $(or $(MEMORY),512)" -- --soak --max-growth 512 --seconds $(or $(SOAK_SECONDS),600) --rate $(or $(RATE),1000) --accounts 1000

## burst      PAYMENTS=1000000 at once to a fresh node that may hold 4 GiB: nothing lost, answers in time
.PHONY: burst
burst: build deps-node
	tests/bench/soak -- --burst $(or $(PAYMENTS),1000000) --accounts 2000 --batch 500 --conns 8 --timeout 900 --max-memory 4096

## disk       the store on disks that tear, reorder, lie, fail and fill up: CUTS=2000 power cuts; SEED=
.PHONY: disk
disk:
	$(TEST_ENV) $(if $(wildcard /dev/shm),TMPDIR=/dev/shm) BRAID_DISK_CUTS=$(or $(CUTS),2000) BRAID_DISK_SEED=$(or $(SEED),1) cargo test $(TEST_FLAGS) --workspace --test disk

## bench-sync  a node that joins a chain of 100,000 blocks late, by state sync
.PHONY: bench-sync
bench-sync: build deps-node
	tests/bench/state-sync --full

## bench-microloans  how long replies and pages of micro-loans take at 200 borrowers at once
.PHONY: bench-microloans
bench-microloans: build
	tests/bench/microloans

## bench-exec  the executor beside a plain loop over revm, on every workload; THREADS=2
.PHONY: bench-exec
bench-exec: deps-node
	cargo build --release --locked --package braid-bench
	target/release/braid-bench exec --workload all --threads $(THREADS) --ceiling

## bench-chain  blocks of payments and swaps from execution to disk, senders known
.PHONY: bench-chain
bench-chain:
	cargo build --release --locked --package braid-bench
	for workload in erc20-random-oz erc20-hot-oz erc20-independent-solady uniswap-v2-64-pools; do
		target/release/braid-bench chain --workload $$workload --chain-length 60
		target/release/braid-bench chain --workload $$workload --chain-length 60 --history 0
	done

## plot-exec  docs/executor.svg: the executor's speed-up over PLOT_THREADS="1 2 3 4", on every workload
.PHONY: plot-exec
plot-exec: deps-node
	cargo build --release --locked --package braid-bench
	lines=()
	for threads in $(PLOT_THREADS); do
		lines+=("target/exec-$$threads.jsonl")
		target/release/braid-bench exec --workload all --threads "$$threads" --runs 5 --json > "$${lines[-1]}"
	done
	target/release/braid-bench plot --out docs/executor.svg "$${lines[@]}"

# Short blocks of every workload: the results must be those of the plain loop.
.PHONY: run-bench
run-bench:
	$(TEST_ENV) cargo test $(TEST_FLAGS) --workspace --test mainnet --no-run
	target/release/braid-bench exec --workload all --threads 3 --transactions 300 --runs 2

# Whether the benchmarks' byte code is what their sources compile to.
.PHONY: check-artifacts
check-artifacts: deps-node
	node crates/bench/contracts/build.mjs --check

## contracts-test  the contracts: format, unit, fuzz and invariant suites, gas, and whether the artefacts are what the sources compile to
.PHONY: contracts-test
contracts-test: deps-node
	cd contracts
	$(FORGE) fmt --check
	$(FORGE) test
	$(FORGE) snapshot --match-contract GasTest --check gas-snapshot --tolerance 2
	node tools/artefacts.mjs --check

## contracts-build  compile the contracts, and write their artefacts and gas figures
.PHONY: contracts-build
contracts-build: deps-node
	cd contracts
	$(FORGE) fmt
	$(FORGE) build
	$(FORGE) snapshot --match-contract GasTest --snap gas-snapshot
	node tools/artefacts.mjs

## fuzz-contracts  the contracts' fuzz and invariant suites with FUZZ_RUNS=10000 runs each, of those named by SUITE=; SEED=
# Invariants are looked at every sixteen calls and after the last of a run, and values are drawn from types alone: handlers bound them.
.PHONY: fuzz-contracts
fuzz-contracts: deps-node
	cd contracts
	export FOUNDRY_FUZZ_SEED=$${SEED:-$${RANDOM}} FOUNDRY_FUZZ_RUNS=$(FUZZ_RUNS) FOUNDRY_INVARIANT_RUNS=$(FUZZ_RUNS)
	export FOUNDRY_INVARIANT_CHECK_INTERVAL=16 FOUNDRY_INVARIANT_INCLUDE_STORAGE=false FOUNDRY_INVARIANT_INCLUDE_PUSH_BYTES=false
	echo "SEED=$$FOUNDRY_FUZZ_SEED"
	$(FORGE) test --match-contract '$(SUITE)'

## coverage   which lines of the contracts the suites reach, by part; fails under 95 in a hundred
# Passkeys are left out: their curve's arithmetic does not compile without the optimiser, which coverage does without.
.PHONY: coverage
coverage: deps-node
	cd contracts
	FOUNDRY_PROFILE=coverage $(FORGE) coverage --report lcov --report-file ../target/contracts/lcov.info --no-match-contract 'GasTest|RiskTest' \
		--skip '*/PasskeyAccount*.sol' '*/microloans/Accounts.t.sol'
	node tools/coverage.mjs ../target/contracts/lcov.info 95

## slither    static analysis of the contracts; fails on a finding that docs/security-analysis.md does not answer
.PHONY: slither
slither: deps-node $(SLITHER)/.installed
	cd contracts
	rm -f ../target/contracts/slither.json
	export PATH="$$PWD/../node_modules/.bin:$$PATH" FOUNDRY_PROFILE=slither
	../$(SLITHER)/bin/slither . --fail-none --json ../target/contracts/slither.json > ../target/contracts/slither.log 2>&1
	node tools/slither.mjs ../target/contracts/slither.json

$(SLITHER)/.installed: contracts/tools/requirements.txt
	python3 -m venv $(SLITHER)
	$(SLITHER)/bin/python -m pip install --quiet --disable-pip-version-check --require-virtualenv -r $<
	touch $@

## deny       licences, advisories and sources of all dependencies; needs cargo-deny
.PHONY: deny
deny:
	cargo deny --all-features check

## clean      remove what was built and installed
.PHONY: clean
clean:
	cargo clean
	rm -rf node_modules

## help       this list
.PHONY: help
help:
	@sed -n 's/^## //p' Makefile
