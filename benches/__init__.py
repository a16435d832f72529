"""Measurements: one module a benchmark, each with `run() -> Result`; `python tools/bench.py NAME` runs one."""
