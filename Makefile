# The commands of the project; `.ci/run` calls the same ones.
#
#   make demo ARGS="--headless --seconds 120 --report var/demo.json"
#   make test ARGS="tests/unit -k session"
#   make setup PYTHON=/opt/python3.12/bin/python3

BIN := .venv/bin
STAMP := .venv/.made-from-pyproject
PYTHON ?=
ARGS ?=
# Two modules at a time; then, by itself, what is marked `alone`.
TOGETHER := -n 2 --dist loadfile
STARTING := tests/integration tests/e2e tests/faults

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench test-kafka clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /@/' | awk -F@ '{printf "%-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with all that demo and test need, once for each pyproject.toml

$(STAMP): pyproject.toml constraints.txt
	@.ci/make-venv .venv $(PYTHON)
	@touch $@

demo: setup ## Run all of it on real orders until Ctrl-C; options in ARGS
	@$(BIN)/storestream demo $(ARGS)

test: setup ## Run the tests that need nothing but this machine, or those that ARGS name
ifeq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest tests/unit tests/contract $(TOGETHER)
	@$(BIN)/python -m pytest $(STARTING) $(TOGETHER) -m "not kafka and not alone"
	@$(BIN)/python -m pytest $(STARTING) -m "not kafka and alone"
else
	@$(BIN)/python -m pytest $(ARGS)
endif

check: setup ## Lint, types, layers, schemas
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/storestream schemas check

format: setup ## Rewrite what ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup ## Compare with others doing the same work on one broker
	@$(BIN)/storestream bench stream $(ARGS)

test-kafka: setup ## Run the suites that need a broker on Apache Kafka itself (needs Java 17 and Maven)
	@$(BIN)/python -m tests.apache_kafka.run $(ARGS)

clean: ## Remove what was made, environment, models and logs included
	rm -rf .venv var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
