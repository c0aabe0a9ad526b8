# `make devnet` and `make test` are all one needs; both set the clone up first. `make setup` does only that part.
PYTHON ?= python3
VENV   := .venv
STAMP  := $(VENV)/.installed
ARGS   ?=

.PHONY: setup devnet test check clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@PYTHON=$(PYTHON) sh .ci/machine
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies into $(VENV)" >&2
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@# trio-typing, which py-libp2p brings, shadows trio's own types with stubs of an old version
	@rm -rf $(VENV)/lib/python3*/site-packages/trio-stubs
	@$(VENV)/bin/python -m compileall -q genesis execution p2p settlement node devnet
	@$(VENV)/bin/python -m node.compiled
	@touch $(STAMP)

devnet: $(STAMP)
	@$(VENV)/bin/tenor devnet $(ARGS)

check: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: check
	$(VENV)/bin/python -m pytest -n 2 $(ARGS)

clean:
	rm -rf .build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
