# The front door: no logic here, each target is a command that you could type.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.cryoweave-setup

.PHONY: setup demo test lint bench docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml Cargo.toml $(wildcard rust/*/Cargo.toml plugins/*/pyproject.toml) $(shell find rust plugins -name '*.rs' 2>/dev/null)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip 'maturin>=1.9,<2'
	$(BIN)/python -m pip install --quiet --group dev
	$(BIN)/maturin develop --release --quiet
	for plugin in plugins/*/; do $(BIN)/python -m pip install --quiet --no-build-isolation --editable $$plugin || exit 1; done
	touch $@
