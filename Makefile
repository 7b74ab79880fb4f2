# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.ready

.PHONY: demo test test-all faults bench gpu lint docs setup leaderboard clean

demo: $(STAMP)
	$(PY) -m bench demo

test: $(STAMP)
	$(PY) -m pytest -n 2 --dist loadscope --no-loadscope-reorder

# And every method from end to end on a pretend GPU of each kind: ten minutes more.
test-all: test
	$(PY) -m pytest -n 2 tests/cuda -m thorough

# Two hundred kills, a full disk at every write, every cheat alone: an hour. `make test` runs a
# bounded form of each.
faults: $(STAMP)
	$(PY) -m pytest tests/faults -m long
	$(PY) -m pytest tests/faults -k fuzz --hypothesis-profile=long
	$(PY) -m pytest tests/cheats -m long

lint: $(STAMP)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

# Every speed figure of this project: paired ratios, written into docs/performance.md. A file at a
# time, so that one can be measured again: make bench PERF=tests/perf/test_perf_store.py
PERF ?= $(wildcard tests/perf/test_perf_*.py)
bench: $(STAMP)
	mkdir -p .benchmarks
	for file in $(PERF); do \
	  $(PY) -m pytest $$file -o addopts="-q --import-mode=importlib" --benchmark-only \
	    --benchmark-json=.benchmarks/$$(basename $$file .py).json || exit 1; \
	done
	$(PY) -m tests.perf.report .benchmarks docs/performance.md

# For whoever has a GPU, ten minutes at most: doctor, tests on the card, speed and memory, written into
# docs/performance.md in this machine's section.
gpu: $(STAMP)
	$(PY) -m tests.gpu

# The site, into build/site: pages of docs/, methods and results, and the API reference. A broken link,
# or a page that the navigation lacks, fails it.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

$(VENV)/.docs: $(STAMP)
	$(PY) -m pip install --quiet -c constraints.txt --editable ".[docs]"
	touch $@

leaderboard: $(STAMP)
	$(PY) -m bench board

setup: $(STAMP)

# torch first, then sam2 against it: sam2's own build would otherwise fetch a second torch.
$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip -c constraints.txt
	$(PY) -m pip install --quiet -c constraints.txt setuptools wheel torch torchvision
	SAM2_BUILD_CUDA=0 $(PY) -m pip install --quiet -c constraints.txt --no-build-isolation sam2
	$(PY) -m pip install --quiet -c constraints.txt --editable ".[dev]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) .demo
