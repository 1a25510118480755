# `make demo` and `make test` need a Python >= 3.12 somewhere, a C compiler and a network; nothing else.
SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
WITH_PYTORCH := tests/cli/test_training_verbs.py
# MPICH would probe for network fabrics that a workstation has not.
export UCX_TLS ?= self,sm,tcp

.PHONY: demo test test-fem test-training test-others check environment clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed-fem  ## Run the plate with a hole on the database that ships.
	$(PYTHON) solvers/plate_with_hole.py

# Three processes: DOLFINx, PyTorch and what else the tests import (VTK) bring libraries that clash in one.
# Two cores run two of them at a time.
test: check  ## Style, types, import contracts and all tests.
	@echo "Tests run in three processes, two at a time; what each says comes when it is done."
	@$(MAKE) --no-print-directory --jobs=2 --output-sync --keep-going test-fem test-training test-others

test-fem: $(VENV)/.installed-dev
	$(PYTHON) -m pytest tests/fem tests/bridges

test-training: $(VENV)/.installed-dev
	$(PYTHON) -m pytest tests/training $(WITH_PYTORCH)

test-others: $(VENV)/.installed-dev
	$(PYTHON) -m pytest --ignore=tests/fem --ignore=tests/bridges --ignore=tests/training --ignore=$(WITH_PYTORCH)

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

environment: $(VENV)/.installed-dev  ## Everything, for development.

$(VENV)/.installed-%: pyproject.toml constraints.txt bootstrap.sh
	./bootstrap.sh $(VENV) $*
	touch $@

clean:
	rm -rf $(VENV) results
