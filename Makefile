# Every habit of the project as one command. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PYTHONDONTWRITEBYTECODE ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check check-quick lint types imports protos docs wasm wheel-riscv64 bench lock clean

help: ## list these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## the main job: a dispatcher, three agents, real tools, real placements
	@$(BIN)/sanderling demo

# What starts Python hundreds of times keeps its bytecode.
test test-all check-quick: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/.dev ## every test that needs nothing but PyPI
	$(BIN)/python -m pytest -n 5 -m "not oracle and not extended"

test-all: $(VENV)/.dev ## the wider suite: laws at length, Node, Rust and live oracles; says what it skips and why
	bash tests/prepare-all.sh
	$(BIN)/python -m pytest -n 2 -m "hypothesis and not oracle and not extended" --hypothesis-profile=full
	$(BIN)/python -m pytest -ra -m "oracle or extended" --hypothesis-profile=full

# Its tests: solver laws, every server in Wasm, policy and placement, and clients of a real `up`.
check-quick: lint types imports ## lint, types, contracts, and the tests that show it works: for a first look, under a minute
	$(BIN)/python -m pytest -n 3 $(QUICK)

QUICK := tests/integration/test_policy.py tests/integration/test_clients.py \
	tests/dispatcher/policy/test_constraints.py tests/dispatcher/placement/test_no_violation.py \
	tests/solver/sum/test_sum.py tests/solver/conflicts/test_conflict.py \
	tests/wasm_tools/test_manifest.py tests/wasm_tools/time/test_recorded.py

check: lint types imports protos-check ## lint, types, import contracts, generated code

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

protos: $(VENV)/.dev ## regenerate the code of protos/edge/v1
	$(BIN)/python protos/generate.py

.PHONY: protos-check
protos-check: $(VENV)/.dev
	$(BIN)/python protos/generate.py --check

docs: $(VENV)/.dev ## make the pages anew that are made from the code
	$(BIN)/python -m tests.docs.configuration

wasm: $(VENV)/.run ## rebuild the Wasm tool servers (rustup target, or a Debian chroot)
	$(BIN)/python -m wasm_tools build

wheel-riscv64: $(VENV)/.run ## cross-build wasmtime for riscv64 into dist/ (root on Debian; once, 15 minutes)
	$(BIN)/python -m edge_agent.board_images wheel --out dist

bench: $(VENV)/.dev ## the benchmarks, each against its alternative in the same run
	$(BIN)/python -m pytest bench --benchmark-only

lock: $(VENV)/.dev ## resolve requirements/*.lock anew from pyproject.toml
	$(PIP) install uv
	$(BIN)/uv pip compile pyproject.toml --extra all --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q -o requirements/run.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -c requirements/run.lock -q -o requirements/dev.lock

clean: ## remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# ---- environments -----------------------------------------------------------
# Locked with hashes. Each stamp is renewed when its lock or pyproject.toml is.
# The locks are whole, so pip need not resolve (--no-deps): it would look past a pin that
# another package wants with an extra, and refuse the newer release it finds.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Sanderling needs Python 3.11 or later; {sys.executable} is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Installing the locked packages into $(VENV) (once, about a minute) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/run.lock
	@$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing the locked development packages into $(VENV) (once, about a minute) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.lock
	@$(PIP) install --no-deps -e .
	@touch $@ $(VENV)/.run
