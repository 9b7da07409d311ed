# make demo       the main job on real data: formulas, pictures and reports in demo/
# make test       the tests
# make check      lint, format, types, and what the wheel holds
# make tutorials  write the notebooks from their paired sources and run them
# make format     format the code
# make clean      remove what the others made, .venv too
#
# Each makes .venv itself, with plain `python3 -m venv` and pip; name another Python with PYTHON=python3.12.
# pip's own settings are obeyed (PIP_INDEX_URL, PIP_FIND_LINKS, ...), for instance to prefer a CPU build of torch.

PYTHON ?= python3
RUN := .venv/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# One thread a worker: two workers, each with its own thread pool, only get in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(RUN) -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test check tutorials format clean

help:
	@sed -n 's/^# make /make /p' Makefile

# Two stamps: the demo needs the package only, everything else its tools too.
.venv/made: constraints.txt
	@echo "making .venv: once, a few minutes"
	test -x $(RUN) || $(PYTHON) -m venv .venv
	@touch $@

.venv/package: .venv/made pyproject.toml
	$(PIP) --editable .
	@touch $@

.venv/tools: .venv/made pyproject.toml
	$(PIP) --editable ".[dev]"
	@touch $@ .venv/package

demo: .venv/package
	$(RUN) tutorials/demo.py

test: .venv/tools
	$(PYTEST) -q -n 2 --dist loadgroup

check: .venv/tools
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	rm -rf build
	$(PIP) --no-deps --no-build-isolation --target build/types .
	MYPYPATH=build/types $(RUN) -m mypy -p kanlib
	$(PYTEST) -q tests/test_packaging.py

tutorials: .venv/tools
	$(RUN) tutorials/notebooks.py --execute

format: .venv/tools
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:
	rm -rf .venv build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
