"""Rows of a manifest inside the records of a store, and the manifest put together from the records."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError
from rect_core.manifest import moved, read_manifest, write_manifest
from rect_core.types import ManifestRow, Reasoning
from rect_data.store.layout import CASES, HU, LESIONS, MANIFEST, QUARANTINE, RECORD, TRUE

QUARANTINED: Final = "quarantined: "
"""How the exclusion of a row begins whose scan could not be prepared."""


def row_to_json(row: ManifestRow) -> dict[str, Any]:
    """A plain dict; an unknown label is None."""
    return {**asdict(row), "labels": [None if isnan(value) else value for value in row.labels]}


def row_from_json(said: dict[str, Any]) -> ManifestRow:
    """Inverse of `row_to_json`."""
    d, h, w = said["spacing_mm"]
    labels = tuple(float("nan") if value is None else value for value in said["labels"])
    reasoning = None if said["reasoning"] is None else Reasoning.from_json(said["reasoning"])
    return ManifestRow(**{**said, "spacing_mm": (d, h, w), "labels": labels, "reasoning": reasoning})


def stored_row(row: ManifestRow, files: Sequence[str]) -> ManifestRow:
    """The row of a prepared case, its paths those of its files in the store."""
    place = f"{CASES}/{row.case_id}/"
    return replace(
        row,
        volume=place + HU,
        regions=place + TRUE if TRUE in files else "",
        lobes="",
        lesions=dict.fromkeys(row.lesions, place + LESIONS),
    )


def gather(out: Path, rows: Sequence[ManifestRow], root: Path) -> list[ManifestRow]:
    """Writes the manifest of everything in a store and returns it, sorted by case.

    rows: what this run was given, with paths relative to root: an exclusion in them counts more than a case that was
    prepared before, and goes on counting until a run is given the row without it. Shards may do this at the same time:
    each writes until nothing new appeared meanwhile, so the last one to write has seen all.
    """
    given = {row.case_id for row in rows}
    while True:
        seen = _listing(out)
        before = {row.case_id: row for row in _excluded_before(out)}
        found = before | {row.case_id: row for row in _prepared(out)}
        found |= {row.case_id: row for row in _quarantined(out, root)}
        found |= {case_id: row for case_id, row in before.items() if case_id not in given}
        found |= {row.case_id: row for row in moved([row for row in rows if row.exclusion], root, out)}
        table = [found[case_id] for case_id in sorted(found)]
        write_manifest(out / MANIFEST, table)
        if _listing(out) == seen:
            return table


def _listing(out: Path) -> set[tuple[str, int]]:
    found = set()
    for path in (*out.glob(f"{CASES}/[!.]*/{RECORD}"), *out.glob(f"{QUARANTINE}/[!.]*.json")):
        with suppress(FileNotFoundError):
            found.add((str(path), path.stat().st_mtime_ns))
    return found


def _records(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """What the files say; one that another shard has just replaced or removed is left to the next round."""
    for path in paths:
        try:
            said: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise DataError(f"{path.parent.name}/{path.name}: damaged: remove it and prepare the case again") from error
        yield said


def _prepared(out: Path) -> Iterator[ManifestRow]:
    for said in _records(out.glob(f"{CASES}/[!.]*/{RECORD}")):
        yield stored_row(row_from_json(said["row"]), list(said["files"]))


def _quarantined(out: Path, root: Path) -> Iterator[ManifestRow]:
    for said in _records(out.glob(f"{QUARANTINE}/[!.]*.json")):
        row = moved([row_from_json(said["row"])], root, out)[0]
        yield replace(row, exclusion=QUARANTINED + said["reason"])


def _excluded_before(out: Path) -> list[ManifestRow]:
    path = out / MANIFEST
    rows = read_manifest(path) if path.is_file() else []
    return [row for row in rows if row.exclusion and not row.exclusion.startswith(QUARANTINED)]
