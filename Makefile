# make demo    builds three networks from a fresh clone; needs Python 3.10 or newer, no torch
# make test    runs all tests; installs torch and the public implementations they compare with
# make lint    ruff, mypy and the layout of the specs
# make fuzz    tries random specs for MINUTES=30
# make bench   times the compiler against torch, timm and torch's ONNX exporters
# make clean   removes what the others made

PYTHON ?= python3
VENV ?= .venv
PYTEST ?= -n auto --dist loadgroup

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
DEMO := mnasnet_a1 mobilenet_v2 resnext50

.PHONY: help demo test lint fuzz bench clean

help:
	@sed -n 's/^# make/make/p' Makefile

demo: $(VENV)/core.stamp
	@mkdir -p demo
	@set -e; for name in $(DEMO); do \
	    echo "$$ archdsl build specs/$$name.arch -o demo/$$name.py"; \
	    $(BIN)/archdsl build specs/$$name.arch -o demo/$$name.py; \
	done
	@echo
	@echo "$$ archdsl summary specs/mnasnet_a1.arch"
	@$(BIN)/archdsl summary specs/mnasnet_a1.arch
	@echo
	@echo "$$ cat demo/resnext50.py"
	@cat demo/resnext50.py
	@echo
	@wc -l $(DEMO:%=specs/%.arch) $(DEMO:%=demo/%.py)

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check archdsl tests benchmarks
	$(BIN)/mypy
	$(BIN)/archdsl fmt --check specs

fuzz: $(VENV)/test.stamp
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),30)

bench: $(VENV)/test.stamp
	$(BIN)/python benchmarks/build.py
	$(BIN)/python benchmarks/onnx.py
	$(BIN)/python benchmarks/forward.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("archdsl needs Python 3.10 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/core.stamp: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable .
	@$(BIN)/python -m compileall -q archdsl  # as pip does for what is not editable
	@touch $@

$(VENV)/test.stamp: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable '.[test]'
	@touch $@ $(VENV)/core.stamp

clean:
	rm -rf $(VENV) demo dist build
