"""Runs one benchmark: `python tools/bench.py NAME [--json]`. With --json it prints exactly one JSON object."""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Prints the table, or the object, of one benchmark."""
    names = sorted(path.stem for path in (ROOT / "benches").glob("*.py") if "def run(" in path.read_text("utf-8"))
    parser = argparse.ArgumentParser(description="Measure one thing against its rivals, on this machine, now.")
    parser.add_argument("name", choices=names)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in a training
    result = importlib.import_module(f"benches.{options.name}").run()
    print(json.dumps(result.to_json()) if options.json else result.table())


if __name__ == "__main__":
    main()
