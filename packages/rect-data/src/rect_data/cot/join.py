"""Reasoning from JSON lines into the rows of a manifest."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rect_core.errors import DataError
from rect_core.findings import REGIONS
from rect_core.types import ManifestRow, Reasoning
from rect_data.cot.lines import read_lines


def read_reasoning(path: Path) -> dict[str, Reasoning]:
    """Case -> reasoning of a file of {"VolumeName", "reasoning"} lines, a phantom tree's or generate_cot's.

    Raises DataError with file and line for a line without them, an unknown region or a case that comes twice.
    """
    found: dict[str, Reasoning] = {}
    for number, line in read_lines(path):
        where = f"{path.name}, line {number}"
        case_id = str(line.get("VolumeName", "")).removesuffix(".nii.gz")
        if not case_id or case_id in found:
            raise DataError(f"{where}: VolumeName {case_id!r} is empty or was there before: keep one line a volume")
        found[case_id] = _reasoning(line.get("reasoning"), where)
    return found


def _reasoning(value: Any, where: str) -> Reasoning:
    try:
        made = Reasoning.from_json(value)
    except (KeyError, TypeError) as error:
        raise DataError(f"{where}: not reasoning (steps and conclusion): {error}") from error
    for step in made.steps:
        if step.region not in REGIONS:
            raise DataError(f"{where}: region {step.region!r} is not one of the {len(REGIONS)}: mend the line")
    return made


def join(rows: Sequence[ManifestRow], path: Path) -> list[ManifestRow]:
    """The rows in their order, with the reasoning of the file; a row that it does not name stays as it is.

    Raises DataError for reasoning of a case that no row has, and for a row that has other reasoning already.
    """
    found = read_reasoning(path)
    unknown = sorted(set(found) - {row.case_id for row in rows})
    if unknown:
        raise DataError(
            f"{path.name}: {unknown[0]!r} and {len(unknown) - 1} more are not in the manifest: give its own"
        )
    return [replace(row, reasoning=_one(row, found[row.case_id])) if row.case_id in found else row for row in rows]


def _one(row: ManifestRow, new: Reasoning) -> Reasoning:
    if row.reasoning is not None and row.reasoning != new:
        raise DataError(f"{row.case_id}: the row has other reasoning already: take that out of the manifest first")
    return new
