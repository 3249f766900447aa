# The front door: no logic here, each target is a command that you could type.
PYTHON ?= python3
BIN := .venv/bin
DEMO := examples/emd2566
PLUGINS := $(wildcard plugins/*/)
RUST_WANTED := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
RUST := Cargo.toml $(wildcard rust/*/Cargo.toml) $(shell find rust -name '*.rs')

.PHONY: setup demo test lint bench adapters wheels release-check clean

# Rust and Python >= 3.11 are all that must be there. What did not change since the last time is not made again.
setup: .venv/.core .venv/.plugins

.venv/.tools: pyproject.toml
	@cargo --version 2>/dev/null | awk -v wanted=$(RUST_WANTED) '{ split(wanted, w, "."); split($$2, f, "."); \
		exit !(f[1] > w[1] || f[1] == w[1] && f[2] >= w[2]) } END { if (!NR) exit 1 }' || { \
		echo "Rust >= $(RUST_WANTED) is needed; found: $$(cargo --version 2>/dev/null || echo 'no cargo that runs'). Get it from https://rustup.rs, or: rustup update stable" >&2; exit 1; }
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "$(PYTHON) is not Python >= 3.11 with venv (Debian: apt install python3-venv); name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' 'maturin>=1.9,<2'
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

.venv/.core: .venv/.tools $(RUST)
	PIP_QUIET=1 $(BIN)/maturin develop --release --quiet
	touch $@

.venv/.plugins: $(wildcard plugins/*/pyproject.toml) | .venv/.core
	$(BIN)/python -m pip install --quiet $(addprefix --editable ,$(PLUGINS))
	touch $@

demo: setup
	for one in mainmast-plus unet-mainmast; do \
		$(BIN)/cryoweave run $$one --map $(DEMO)/2566_3J6B_9.mrc.gz --sequence $(DEMO)/3J6B_9.fasta \
			--reference $(DEMO)/3J6B_9.pdb --output demo-run/$$one || exit 1; done
	$(BIN)/cryoweave compare demo-run/mainmast-plus demo-run/unet-mainmast
	@echo "reports: demo-run/mainmast-plus/report.html demo-run/unet-mainmast/report.html" >&2

test: setup
	cargo test --workspace --release --quiet
	$(BIN)/pytest

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy python/cryoweave $(wildcard plugins/*/src)
	cargo fmt --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings

bench: setup
	for one in peaks mean_shift spanning_tree trace refine thread; do $(BIN)/python benchmarks/$$one.py || exit 1; done

# In an environment of its own, for the pipeliner pins libraries; the program that it runs is this clone's.
adapters: setup
	$(PYTHON) -m venv .venv/adapters
	.venv/adapters/bin/python -m pip install --quiet --disable-pip-version-check pytest --editable adapters/ccpem-pipeliner
	cd adapters/ccpem-pipeliner && CRYOWEAVE="$(CURDIR)/$(BIN)/cryoweave" \
		$(CURDIR)/.venv/adapters/bin/python -m pytest -q -c /dev/null --rootdir . -p no:cacheprovider tests

# Host and plugins as wheels and sdists in one folder to install from; for Python >= 3.11 on Linux with glibc >= 2.28, whatever
# is here. The host's wheel is made from its sdist, so that this is known to be whole, and without the paths of this machine.
# All files of an sdist have one date, by which cargo would take our crates for unchanged: they are made anew.
wheels: .venv/.tools
	$(BIN)/python -m pip install --quiet hatchling ziglang
	rm -rf dist
	cargo clean --quiet --release --target $$(rustc -vV | sed -n 's/^host: //p') -p cryoweave-core -p cryoweave-py
	PATH="$(CURDIR)/$(BIN):$$PATH" CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-$(CURDIR)/target}" \
		RUSTFLAGS="$$RUSTFLAGS --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=cargo" \
		$(BIN)/maturin build --quiet --release --sdist --zig --compatibility manylinux_2_28 --out dist
	for one in $(PLUGINS) adapters/*/; do said=$$(cd $$one && $(CURDIR)/$(BIN)/hatchling build -d $(CURDIR)/dist 2>&1) || \
		{ echo "$$one: $$said" >&2; exit 1; }; done

# The wheels looked into, installed by name into a clean environment, and used far from the source.
release-check: wheels
	.ci/release-check

clean:
	rm -rf .venv target dist demo-run
