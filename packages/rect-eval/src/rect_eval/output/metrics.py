"""metrics.json: every score with its interval and its controls, in strict JSON (an undefined number is null)."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite, nan
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError
from rect_eval.run.evaluation import Cohort, Evaluation
from rect_eval.scores import Cell, Control, Score, Section, Table

SCHEMA: Final = "rect-eval metrics"
SCHEMA_VERSION: Final = 1


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """The dict that metrics.json holds. Cases and curves are not in it: the CSV files have the cases."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "predictions": evaluation.predictions,
        "truth": evaluation.truth,
        "date": evaluation.date,
        "cohort": _lists(asdict(evaluation.cohort)),
        "settings": dict(evaluation.settings),
        "versions": dict(evaluation.versions),
        "warnings": list(evaluation.warnings),
        "notes": list(evaluation.notes),
        "sections": {section.name: _section(section) for section in evaluation.sections},
    }


def from_json(data: Mapping[str, Any]) -> Evaluation:
    """Inverse of `to_json`; sections come without cases and curves. Raises ValueError for another schema."""
    if data.get("schema") != SCHEMA:
        raise ValueError("not a metrics.json of rect-eval")
    if data["schema_version"] > SCHEMA_VERSION:
        raise ValueError(
            f"metrics.json has schema {data['schema_version']} but this rect-eval reads up to {SCHEMA_VERSION}: "
            "upgrade it"
        )
    cohort: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in data["cohort"].items()}
    return Evaluation(
        predictions=data["predictions"],
        truth=data["truth"],
        date=data["date"],
        cohort=Cohort(**cohort),
        settings=data["settings"],
        versions=data["versions"],
        sections=tuple(_read_section(name, section) for name, section in data["sections"].items()),
        warnings=tuple(data["warnings"]),
        notes=tuple(data["notes"]),
    )


def json_bytes(data: Mapping[str, Any]) -> bytes:
    """Strict JSON: NaN has no place in it and raises ValueError."""
    return (json.dumps(data, indent=2, allow_nan=False) + "\n").encode()


def load(path: Path) -> Evaluation:
    """Reads a metrics.json; DataError where it is none of ours."""
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"{path.name}: cannot be read as metrics.json ({why}): evaluate again") from error


def _section(section: Section) -> dict[str, Any]:
    return {
        "scores": {name: _score(score) for name, score in section.scores.items()},
        "classes": table_json(section.classes),
        "controls": [
            {
                "name": control.name,
                "kind": control.kind,
                "explained": control.explained,
                "scores": {name: _score(score) for name, score in control.scores.items()},
            }
            for control in section.controls
        ],
        "notes": list(section.notes),
        "warnings": list(section.warnings),
    }


def _score(score: Score) -> dict[str, Any]:
    """A score; one without a value always says why."""
    why = score.why or ("" if isfinite(score.value) else "not defined for these cases")
    ends = {"value": _number(score.value), "low": _number(score.low), "high": _number(score.high)}
    return {**ends, "n": int(score.n), "why": why}


def table_json(table: Table) -> dict[str, Any]:
    """Columns, and rows as objects: an undefined number is null, an empty cell is left out."""
    rows = [
        {name: _cell(cell) for name, cell in zip(table.columns, row, strict=True) if cell is not None}
        for row in table.rows
    ]
    return {"columns": list(table.columns), "rows": rows}


def _cell(cell: Cell) -> Cell:
    return _number(cell) if isinstance(cell, float) else cell


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _lists(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}


def _read_section(name: Any, data: Mapping[str, Any]) -> Section:
    columns = tuple(data["classes"]["columns"])
    rows = tuple(tuple(_read_cell(row, column) for column in columns) for row in data["classes"]["rows"])
    controls = tuple(
        Control(name=c["name"], kind=c["kind"], explained=c["explained"], scores=_read_scores(c["scores"]))
        for c in data["controls"]
    )
    return Section(
        name=name,
        scores=_read_scores(data["scores"]),
        classes=Table(columns=columns, rows=rows),
        cases=Table(columns=(), rows=()),
        controls=controls,
        notes=tuple(data["notes"]),
        warnings=tuple(data["warnings"]),
    )


def _read_scores(data: Mapping[str, Any]) -> dict[str, Score]:
    return {
        name: Score(value=_nan(s["value"]), low=_nan(s["low"]), high=_nan(s["high"]), n=s["n"], why=s["why"])
        for name, s in data.items()
    }


def _read_cell(row: Mapping[str, Any], column: str) -> Cell:
    if column not in row:
        return None
    cell: Cell = nan if row[column] is None else row[column]
    return cell


def _nan(value: float | None) -> float:
    return nan if value is None else value
