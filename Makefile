# Everything runs in .venv, which each target creates if needed. Needs Python ≥ 3.11 and the network
# for the first installation; PYTHON=python3.12 make … chooses another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SUPPLY := $(VENV)/.supply
DEMO := demo

# All packages and build tools come from constraints.txt, by their hashes. Not torch: its build
# differs by machine, and so do its packages for CUDA.
TORCH := torch==2.13.0
PIP := $(BIN)/pip --disable-pip-version-check install --quiet
PINNED = $(BIN)/python -m tests.support.pins $(1) >$(VENV)/pins.txt && PATH="$(CURDIR)/$(BIN):$$PATH" \
  $(PIP) --require-hashes --no-deps --no-build-isolation -r $(VENV)/pins.txt

.DEFAULT_GOAL := help
.PHONY: help install demo lecture test elsewhere oldest proofs coverage lint bench torture mutants lock audit
.PHONY: docs wheel sbom clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(READY)  ## create .venv with mtkit and all that it needs

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mtkit needs Python 3.11 or newer: PYTHON=… make")'
	$(PYTHON) -m venv $(VENV)
	$(call PINNED,build)
	$(call PINNED,run test lint)
	$(PIP) $(TORCH)
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(SUPPLY): $(READY)
	$(call PINNED,supply)
	touch $@

# A number of updates instead of a time: the network learns as much on a slow machine.
demo: $(READY)  ## train both translators on the embedded corpus, combine and compare them (5 minutes)
	@mkdir -p $(DEMO)
	cd $(DEMO) && ../$(BIN)/mtkit train-smt
	cd $(DEMO) && ../$(BIN)/mtkit train-nmt --preset quick --updates 5300
	cd $(DEMO) && ../$(BIN)/mtkit combine
	@cd $(DEMO) && for model in smt-en-de nmt-en-de combined; do \
	  printf 'Where is the next train to Berlin?\nI would like to pay by card, please.\n' \
	  | ../$(BIN)/mtkit translate --model models/$$model; done
	cd $(DEMO) && ../$(BIN)/mtkit compare --html report.html

# Numbers of updates, too. The comparison is cached, so that a lecture does not wait for it.
lecture: $(READY)  ## train the models of docs/lecture.md in lecture/ (15 minutes)
	@mkdir -p lecture
	cd lecture && ../$(BIN)/mtkit train-smt --corpus textbook --tune none --out models/textbook --force
	cd lecture && ../$(BIN)/mtkit train-smt --weights channel --out models/channel --force
	cd lecture && ../$(BIN)/mtkit train-smt --weights noisy-channel --out models/noisy-channel --force
	cd lecture && ../$(BIN)/mtkit train-smt
	cd lecture && ../$(BIN)/mtkit train-nmt --preset quick --updates 5300
	cd lecture && ../$(BIN)/mtkit train-nmt --preset quick --attention none --updates 5300 --out models/no-attention --force
	cd lecture && ../$(BIN)/mtkit gradients --html laboratory.html
	cd lecture && ../$(BIN)/mtkit watch house --corpus textbook --html em.html >/dev/null
	cd lecture && ../$(BIN)/mtkit compare models/nmt-en-de models/no-attention --html attention.html >/dev/null
	cd lecture && ../$(BIN)/mtkit explain "Where is the next train to Berlin?" --model models/nmt-en-de \
	  --html why.html >/dev/null
	cd lecture && ../$(BIN)/mtkit compare models/smt-en-de models/nmt-en-de --html report.html >/dev/null

TEST := -n auto --maxprocesses 4 --dist loadfile  # tests of one file share their models

test: $(READY)  ## run the tests (2 minutes; longer the first time, when all kernels are compiled)
	$(BIN)/pytest -m 'not slow' $(TEST)

elsewhere: $(READY)  ## run the commands' tests with functions disabled that macOS or Windows lacks (5 minutes)
	PYTHONPATH="$(CURDIR)/tests/support/elsewhere" $(BIN)/pytest -m 'not slow' tests/cli $(TEST)

# Versions without hashes, which users may have; their own dependencies are the newest.
oldest:  ## run the tests with the oldest versions that pyproject.toml allows, in .venv-oldest (15 minutes, 7 GB)
	$(PYTHON) -m venv --clear $(VENV)-oldest
	$(PYTHON) -m tests.support.oldest run formats test build >$(VENV)-oldest/oldest.txt
	$(VENV)-oldest/bin/pip --disable-pip-version-check install --quiet -r $(VENV)-oldest/oldest.txt
	$(VENV)-oldest/bin/pip install --quiet --no-deps --no-build-isolation -e .
	$(VENV)-oldest/bin/pytest -m 'not slow' $(TEST) --ignore tests/test_supply_chain.py --ignore tests/test_docs.py

proofs: $(READY)  ## run the slow tests: real text, simulations, README and docs, LaTeX if installed (40 minutes)
	$(call PINNED,docs)
	$(BIN)/pytest -m slow $(TEST)

coverage: $(READY)  ## measure branch coverage of the tests; kernels run as plain Python (5 minutes)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not slow' $(TEST)
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest tests/smt tests/nmt/training/test_segmented.py \
	  -m 'not slow and not compiled' -W ignore::RuntimeWarning $(TEST)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under 90

lint: $(READY)  ## check format, style, and types for Linux, macOS and Windows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32

bench: $(READY)  ## measure quality and speed, beside minimum values and other systems; PARTS="smt alignment": only these
	$(call PINNED,bench)
	$(BIN)/python -m tests.benchmarks $(PARTS)

torture: $(READY)  ## damage models, kill commands, fill disks, fuzz readers; PARTS="smt nmt": only these; FULL=--full: all
	$(call PINNED,torture)
	$(BIN)/python -m tests.torture $(FULL) $(PARTS)

mutants: $(READY)  ## insert faults into the code, list those that the tests miss; PARTS="hmm decoder": only these
	$(call PINNED,mutants)
	$(BIN)/python -m tests.mutants $(PARTS)

# Strict: a link, an anchor or an equation that Sphinx does not understand is an error.
docs: $(READY)  ## regenerate the generated pages of docs/ and build the site: build/docs/index.html
	$(call PINNED,docs)
	$(BIN)/python -m tests.support.pages
	$(BIN)/python -m sphinx -W --keep-going --quiet -b html docs build/docs

lock: $(SUPPLY)  ## write constraints.txt from pyproject.toml; NEWER=--upgrade takes newer versions
	$(BIN)/uv --config-file lock.toml pip compile --quiet $(NEWER) pyproject.toml -o constraints.txt

audit: $(SUPPLY)  ## look up known vulnerabilities of all pinned packages; fails if the service does not answer
	@{ sed -n 's/^\([a-z0-9-]*==[^ ]*\).*/\1/p' constraints.txt; echo $(TORCH); } \
	| $(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off $(SERVICE) -r /dev/stdin \
	  >$(VENV)/audit 2>&1 && tail -n 1 $(VENV)/audit || { grep -A 999 '^Found' $(VENV)/audit \
	  || echo "Not checked, no answer of the advisory service: $$(tail -n 1 $(VENV)/audit)"; exit 1; }

wheel: $(READY)  ## build dist/mtkit-….whl; the same source gives the same bytes
	$(BIN)/hatchling build -t wheel

sbom: $(READY)  ## list all dependencies with versions and licences: dist/mtkit.cdx.json (CycloneDX)
	@mkdir -p dist
	$(BIN)/python -m tests.support.sbom > dist/mtkit.cdx.json

clean:  ## remove the environment, caches, the demo and build results
	rm -rf $(VENV) $(VENV)-oldest $(DEMO) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find mtkit tests -name __pycache__ -type d -prune -exec rm -rf {} +
