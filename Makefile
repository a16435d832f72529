SHELL := /bin/bash
export UV_NO_SYNC := 1
export OMP_WAIT_POLICY ?= PASSIVE
PYTHON := .venv/bin/python

.PHONY: setup demo lint test test-slow lock wheels bench train-demo tiny

setup:
	@bash tools/setup.sh

demo: setup
	@.venv/bin/rect predict sample:chest --config configs/demo.yaml --out demo --force

lint: setup
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy

test: lint
	@$(PYTHON) -m pytest -q

test-slow: setup
	@$(PYTHON) -m pytest -q -m slow

lock: setup
	@bash tools/lock.sh

bench: setup
	@$(PYTHON) tools/bench.py $(NAME)

train-demo: setup
	@bash tools/train_demo.sh

tiny: setup
	@bash tools/make_tiny.sh

wheels: setup
	@.venv/bin/uv build --quiet --all-packages --wheel --out-dir dist
