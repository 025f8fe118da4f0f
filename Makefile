# Two commands for a newcomer: `make demo` and `make test`. Everything else is for developers.
# Any Python from 3.11 on is found; `make PYTHON=/path/to/python3 …` names one. Nothing is kept outside this folder.
PYTHON ?=
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export npm_config_cache ?= $(CURDIR)/.cache/npm
VENV := .venv
BIN := $(VENV)/bin
# On two cores: some tests wait (for brokers that are away, for groups to form) while others work.
WORKERS ?= 4
SINCE ?= $(shell git rev-parse --verify --quiet main || echo HEAD)

.PHONY: install demo test quick kafka-faults bench check lint format types imports lock clean

$(VENV)/.installed: requirements.lock pyproject.toml
	@python=$$(sh tools/find_python.sh $(PYTHON)) && "$$python" tools/install.py $(VENV)
	@touch $@

install: $(VENV)/.installed

demo: install
	$(BIN)/hub demo $(if $(DEMO_ONCE),--once)

test: install
	$(BIN)/pytest -q -n $(WORKERS)

# A minute: what needs no processes, and the contract of the connectors that differ from $(SINCE).
quick: install
	$(BIN)/pytest -q -n 2 --changed-since $(SINCE) tests/unit tests/contract/test_connectors.py tests/docs

kafka-faults: install
	HUB_TEST_KAFKA_MESSAGES=50000 $(BIN)/pytest -q tests/faults/test_kafka.py

bench: install
	$(BIN)/python -m benchmarks

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The lock holds pins and hashes of every platform's files and no index address.
lock:
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
	  --no-emit-find-links --no-emit-trusted-host --no-header --all-build-deps --extra dev --extra postgres \
	  --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist .cache
