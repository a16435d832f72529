"""The output folder of one evaluation."""

import json
from pathlib import Path
from typing import Final

from rect_core.folders import whole_folder
from rect_eval.output.html import page
from rect_eval.output.metrics import SCHEMA, json_bytes, to_json
from rect_eval.output.tables import csv_bytes
from rect_eval.run.evaluation import Evaluation
from rect_eval.run.options import PARTS

METRICS: Final = "metrics.json"
REPORT: Final = "report.html"
_NAMES: Final = frozenset({METRICS, REPORT, *(f"{part}_{kind}.csv" for part in PARTS for kind in ("classes", "cases"))})


def write(evaluation: Evaluation, out: Path, *, force: bool = False) -> Path:
    """Writes metrics.json, <part>_classes.csv, <part>_cases.csv and report.html to a folder, whole or not at all.

    An existing folder is replaced only with force, and only where all that it holds came from here.
    """
    files = {METRICS: json_bytes(to_json(evaluation))}
    for section in evaluation.sections:
        files[f"{section.name}_classes.csv"] = csv_bytes(section.classes)
        files[f"{section.name}_cases.csv"] = csv_bytes(section.cases)
    files[REPORT] = page(evaluation).encode("utf-8", "backslashreplace")
    with whole_folder(out, force=force, ours=is_ours) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return out


def is_ours(folder: Path) -> bool:
    """Whether a folder holds a metrics.json of ours, and nothing that was not written with it."""
    try:
        data = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    mine = isinstance(data, dict) and data.get("schema") == SCHEMA
    return mine and {path.name for path in folder.iterdir()} <= _NAMES
