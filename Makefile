# Everything runs in .venv, which each target sets up by itself. Needs Python ≥ 3.11 and the network
# for the first installation; PYTHON=python3.12 make … chooses another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := demo

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage lint bench torture clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(READY)  ## make .venv with mtkit and everything it needs

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mtkit needs Python 3.11 or newer: PYTHON=… make")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	touch $@

# By a number of updates, not by the clock: on a slow machine the network learns as much.
demo: $(READY)  ## train both translators on the embedded corpus, combine and compare them (5 minutes)
	@mkdir -p $(DEMO)
	cd $(DEMO) && ../$(BIN)/mtkit train-smt
	cd $(DEMO) && ../$(BIN)/mtkit train-nmt --preset quick --updates 5300
	cd $(DEMO) && ../$(BIN)/mtkit combine
	@cd $(DEMO) && for model in smt-en-de nmt-en-de combined; do \
	  printf 'Where is the next train to Berlin?\nI would like to pay by card, please.\n' \
	  | ../$(BIN)/mtkit translate --model models/$$model; done
	cd $(DEMO) && ../$(BIN)/mtkit compare --html report.html

TEST := -n auto --maxprocesses 4 --dist loadfile  # a file's tests share their models

test: $(READY)  ## run the tests (2 minutes; the first time, with all kernels to compile, more)
	$(BIN)/pytest -m 'not slow' $(TEST)

coverage: $(READY)  ## which branches the tests reach; kernels run as plain Python (5 minutes)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not slow' $(TEST)
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest tests/smt tests/nmt/training/test_bpe_dropout.py \
	  -m 'not slow and not compiled' -W ignore::RuntimeWarning $(TEST)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under 90

lint: $(READY)  ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)  ## measure quality and speed against floors and peers; PARTS="smt alignment" only these
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m tests.benchmarks $(PARTS)

torture: $(READY)  ## damage models, kill commands, fill disks, fuzz readers; PARTS="smt nmt"; FULL=--full all of it
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torture]'
	$(BIN)/python -m tests.torture $(FULL) $(PARTS)

clean:  ## remove the environment, caches and the demo
	rm -rf $(VENV) $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find mtkit tests -name __pycache__ -type d -prune -exec rm -rf {} +
