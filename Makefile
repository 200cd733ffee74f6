# `make demo` and `make test` do all of their set-up: a virtual environment in .venv, and, where they are
# missing and it is permitted, Icarus Verilog and a C++ compiler from the system's packages.

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
PYTEST_ARGS ?=
BENCH_ARGS ?=

.PHONY: demo test fuzz bench lint clean

demo: $(VENV)/system $(VENV)/all
	$(BIN)/lifline demo -o demo

test: $(VENV)/system $(VENV)/dev
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

# Odd command lines and files by the thousand; FUZZ_SEED=… makes others.
FUZZ_SEED ?= 0
fuzz: $(VENV)/system $(VENV)/dev
	LIFLINE_FUZZ=2000 LIFLINE_FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest -n $(JOBS) tests/app/test_fuzz.py

# Without GHDL the benchmark of Spiker's cycles leaves Spiker out; all others run.
bench: $(VENV)/system $(VENV)/bench
	@sudo='sudo -n'; test "$$(id -u)" != 0 || sudo=''; \
	command -v ghdl >/dev/null || $$sudo apt-get install -qq -y --no-install-recommends ghdl-mcode || \
		echo 'missing: ghdl, a simulator of VHDL'
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist demo src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: each is made once, and again when pyproject.toml changes.
$(VENV)/all $(VENV)/dev $(VENV)/bench: $(VENV)/%: pyproject.toml constraints.txt | $(VENV)/made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	touch $@

$(VENV)/made: | $(VENV)/system
	@test -n '$(PYTHON)' || { echo 'lifline needs Python 3.11 or later: install it, or make PYTHON=/path/to/python3'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/system:
	@missing=''; \
	command -v iverilog >/dev/null || missing="$$missing iverilog"; \
	command -v c++ >/dev/null || command -v clang++ >/dev/null || missing="$$missing g++"; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	sudo='sudo -n'; test "$$(id -u)" != 0 || sudo=''; \
	if test -z "$$missing"; then true; \
	elif command -v apt-get >/dev/null && $$sudo true 2>/dev/null; then \
		$$sudo apt-get update -qq && \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing; \
	else \
		echo "missing:$$missing.  Debian, Ubuntu: sudo apt-get install$$missing;" \
			"macOS: brew install icarus-verilog python && xcode-select --install"; exit 1; \
	fi
	@mkdir -p $(VENV)
	@touch $@
