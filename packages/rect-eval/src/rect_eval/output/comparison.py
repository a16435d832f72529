"""What a comparison of two systems leaves on disk: comparison.json and comparison.csv."""

import json
from dataclasses import asdict
from math import isfinite, isnan
from pathlib import Path
from typing import Any, Final

from rect_core.folders import whole_folder
from rect_eval.output.metrics import json_bytes
from rect_eval.output.tables import csv_bytes
from rect_eval.run.compare import Comparison, Difference
from rect_eval.scores import Cell, Table

SCHEMA: Final = "rect-eval comparison"
SCHEMA_VERSION: Final = 1
COLUMNS: Final = ("part", "score", "a", "b", "difference", "low", "high", "p")
_FILES: Final = ("comparison.json", "comparison.csv")


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The dict that comparison.json holds; an undefined number is null."""
    rows = [dict(zip(COLUMNS, map(_null, _row(difference)), strict=True)) for difference in found.differences]
    cohort = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(found.cohort).items()}
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "a": found.a,
        "b": found.b,
        "truth": found.truth,
        "date": found.date,
        "cohort": cohort,
        "settings": dict(found.settings),
        "versions": dict(found.versions),
        "notes": list(found.notes),
        "differences": rows,
    }


def write_comparison(found: Comparison, out: Path, *, force: bool = False) -> Path:
    """Writes comparison.json and comparison.csv to a folder, whole or not at all."""
    table = Table(columns=COLUMNS, rows=tuple(map(_row, found.differences)))
    contents = json_bytes(comparison_json(found)), csv_bytes(table)
    with whole_folder(out, force=force, ours=is_comparison) as folder:
        for name, content in zip(_FILES, contents, strict=True):
            (folder / name).write_bytes(content)
    return out


def is_comparison(folder: Path) -> bool:
    """Whether a folder holds a comparison.json of ours, and nothing that was not written with it."""
    try:
        data = json.loads((folder / _FILES[0]).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    mine = isinstance(data, dict) and data.get("schema") == SCHEMA
    return mine and {path.name for path in folder.iterdir()} <= set(_FILES)


def p_text(p: float) -> str:
    """A p-value as it is shown."""
    return "–" if isnan(p) else f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"


def _row(x: Difference) -> tuple[Cell, ...]:
    return (x.part, x.score, x.a, x.b, x.difference.value, x.difference.low, x.difference.high, x.p)


def _null(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not isfinite(cell) else cell
