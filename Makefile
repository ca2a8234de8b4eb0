# Everything that is done with this project. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint bench peers soak bento lock picture clean

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PORT ?= 3000
MINUTES ?= 10

# One thread a process: the processes themselves use the cores.
export OMP_NUM_THREADS := 1
# BentoML reports usage to its makers unless told not to; this project reports nothing to anybody.
export BENTOML_DO_NOT_TRACK := True

help: ## list what can be done
	@echo "seedrate: the price of an early-stage loan, explained in basis points."
	@echo
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
	  awk -F'\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'
	@echo
	@echo "  Everything is installed into $(VENV) on the first use, and all that a run writes lies in var/."

demo: $(READY) ## train, promote, serve and ask for three quotes; ONCE=1 ends it, PORT=3000
	@PY=$(PY) PORT=$(PORT) examples/demo.sh

test: $(READY) ## run every test, on all cores
	@deploy/postgresql.sh || true # without it those tests are skipped, and say so
	@deploy/packages.sh || true # likewise
	@PY=$(PY) deploy/tools.sh || true # nginx, validators, a generator of clients: likewise
	@$(PY) -m pytest -n auto --dist worksteal -q -rs

lint: $(READY) ## ruff, its formatter, mypy --strict
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

check: lint test ## what a change must pass: lint, then test

bench: $(READY) ## accuracy, references, explanation, throughput, batch, ledger: 17 minutes; needs wrk
	@command -v wrk >/dev/null || { echo "wrk is missing: apt-get install wrk"; exit 1; }
	@$(PY) -m benchmarks.accuracy
	@$(PY) -m benchmarks.references
	@$(PY) -m benchmarks.explanation
	@$(PY) -m benchmarks.audit
	@$(PY) -m benchmarks.throughput
	@$(PY) -m benchmarks.batch
	@$(PY) -m benchmarks.ledger

peers: $(READY) ## our models beside those of other libraries that are installed: .[peers]; an hour
	@$(PY) -m benchmarks.peers

soak: $(READY) ## a steady load on a server, MINUTES=10, four times too much, 20 changes of the champion, 10,000 wrong bodies, kills, outages, a ledger's every byte altered
	@$(PY) -m benchmarks.soak $(MINUTES)
	@$(PY) -m benchmarks.overload
	@$(PY) -m benchmarks.swaps
	@$(PY) -m benchmarks.fuzz
	@$(PY) -m benchmarks.restarts
	@$(PY) -m benchmarks.outages
	@$(PY) -m benchmarks.crashes
	@$(PY) -m benchmarks.tampering

bento: $(READY) ## pack what a server needs, as `bentoml build` does, into var/bentoml
	@mkdir -p var/bentoml
	@BENTOML_HOME=var/bentoml $(PY) -m bentoml build -o tag

lock: $(READY) ## resolve pyproject.toml into requirements.lock and serving/requirements.txt
	@$(PY) deploy/lock.py

picture: $(READY) ## draw docs/quote.svg from the model of the last demo
	@$(PY) -m serving quote examples/poor.json --json | $(PY) -m docs.picture

clean: ## remove what tools leave; the environment and var/ stay
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(READY): requirements.lock
	@deploy/environment.sh $(VENV) requirements.lock
	@touch $@
