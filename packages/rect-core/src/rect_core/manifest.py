"""A data set as one table: a row for each reconstruction, written as .parquet or .csv."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path, PurePosixPath
from typing import Any, Final

from rect_core.errors import DataError, ScanError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.masks import replacing
from rect_core.types import ManifestRow, Reasoning

_TEXT: Final = ("case_id", "volume", "patient", "scan", "split")
_SPACING: Final = ("spacing_d_mm", "spacing_h_mm", "spacing_w_mm")
_MORE: Final = ("regions", "lobes", "lesions", "report", "reasoning", "exclusion")
COLUMNS: Final = (*_TEXT, *_SPACING, *LABELS, *_MORE)
"""Columns of a manifest. `lesions` and `reasoning` hold JSON; an empty label is unknown."""

PARTIAL: Final = "partial:"
"""Before the name of a finding in `ManifestRow.lesions`: the mask holds some of the lesions only. What it marks is the
finding, what it leaves out is unknown; a reader that looks for the plain name finds nothing, which is right too."""


def write_manifest(path: Path, rows: Sequence[ManifestRow]) -> None:
    """Writes .parquet (pyarrow) or .csv, whole or not at all; paths in the rows are relative to its folder, POSIX.

    Raises DataError for a name that occurs twice, a label that is not 0, 1 or NaN, a path that is not relative, an
    unknown finding, and a patient in two splits.
    """
    for row in rows:
        _check(row, path)
    _check_all(rows, path)
    records = [_record(row) for row in rows]
    try:
        if path.suffix == ".parquet":
            _write_parquet(path, records)
        elif path.suffix == ".csv":
            _write_csv(path, records)
        else:
            raise DataError(f"{path.name}: a manifest ends in .parquet or .csv: rename it")
    except ScanError as error:
        raise DataError(str(error)) from error


def read_manifest(path: Path) -> list[ManifestRow]:
    """The rows of a manifest; raises DataError with file and row for what `write_manifest` would not have written."""
    if not path.is_file():
        raise DataError(f"{path.name}: no such manifest: give a .parquet or .csv file")
    records = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    rows = [_row(record, path, number) for number, record in enumerate(records, start=1)]
    _check_all(rows, path)
    return rows


def kept(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """The rows that are not excluded."""
    return [row for row in rows if not row.exclusion]


def check_patients(rows: Sequence[ManifestRow], name: str) -> None:
    """Raises DataError where a patient has rows in two splits (excluded rows do not count). name: of the table."""
    first: dict[str, ManifestRow] = {}
    for row in kept(rows):
        before = first.setdefault(row.patient, row)
        if before.split != row.split:
            raise DataError(
                f"{name}: patient {row.patient!r} is in split {before.split} ({before.case_id}) and in split "
                f"{row.split} ({row.case_id}): keep all of a patient in one split, or exclude one"
            )


def moved(rows: Sequence[ManifestRow], old: Path, new: Path) -> list[ManifestRow]:
    """The same rows with their paths relative to `new` instead of `old`, as for a manifest in another folder."""

    def path(text: str) -> str:
        place, mark, part = text.partition("#")
        return Path(os.path.relpath(old.resolve() / place, new.resolve())).as_posix() + mark + part if text else ""

    return [
        replace(
            row,
            volume=path(row.volume),
            regions=path(row.regions),
            lobes=path(row.lobes),
            lesions={finding: path(mask) for finding, mask in row.lesions.items()},
        )
        for row in rows
    ]


def _check_all(rows: Sequence[ManifestRow], path: Path) -> None:
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        if seen.setdefault(row.case_id, number) != number:
            raise DataError(
                f"{path.name}: case {row.case_id!r} stands in rows {seen[row.case_id]} and {number}: "
                "names must differ: rename one"
            )
    check_patients(rows, path.name)


def _check(row: ManifestRow, path: Path) -> None:
    where = f"{path.name}: case {row.case_id!r}"
    for label, value in zip(LABELS, row.labels, strict=True):
        if not (isnan(value) or value in (0.0, 1.0)):
            raise DataError(f"{where}: label {label!r} is {value:g}: give 0, 1 or NaN (unknown)")
    for finding in row.lesions:
        if finding.removeprefix(PARTIAL) not in LOCALIZED:
            raise DataError(f"{where}: no finding is named {finding!r}: give one of {', '.join(LOCALIZED)}")
    for text in (row.volume, row.regions, row.lobes, *row.lesions.values()):
        if PurePosixPath(text).is_absolute() or "\\" in text or text[1:2] == ":":
            raise DataError(f"{where}: path {Path(text).name!r} is not relative to the manifest: see moved")
    for name, text in _texts(row).items():
        if not text:
            raise DataError(f"{where}: {name} is empty: every row needs one")


def _texts(row: ManifestRow) -> dict[str, str]:
    values = (row.case_id, row.volume, row.patient, row.scan, row.split)
    return dict(zip(_TEXT, values, strict=True))


def _record(row: ManifestRow) -> dict[str, Any]:
    """One row as plain text and numbers, a NaN label as None."""
    numbers = dict(zip(_SPACING, row.spacing_mm, strict=True))
    labels = {label: None if isnan(v) else float(v) for label, v in zip(LABELS, row.labels, strict=True)}
    reasoning = "" if row.reasoning is None else json.dumps(row.reasoning.to_json())
    return {
        **_texts(row),
        **numbers,
        **labels,
        "regions": row.regions,
        "lobes": row.lobes,
        "lesions": json.dumps(row.lesions) if row.lesions else "",
        "report": row.report,
        "reasoning": reasoning,
        "exclusion": row.exclusion,
    }


def _row(record: Mapping[str, Any], path: Path, number: int) -> ManifestRow:
    where = f"{path.name}: row {number}"
    d, h, w = (_number(record[name], name, where) for name in _SPACING)
    try:
        lesions = {str(finding): str(mask) for finding, mask in json.loads(record["lesions"] or "{}").items()}
        reasoning = Reasoning.from_json(json.loads(record["reasoning"])) if record["reasoning"] else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{where}: lesions or reasoning is no JSON of ours ({error}): write it again") from error
    text = {name: str(record[name] or "") for name in (*_TEXT, "regions", "lobes", "report", "exclusion")}
    row = ManifestRow(
        case_id=text["case_id"],
        volume=text["volume"],
        patient=text["patient"],
        scan=text["scan"],
        split=text["split"],
        spacing_mm=(d, h, w),
        regions=text["regions"],
        lobes=text["lobes"],
        lesions=lesions,
        labels=tuple(_number(record[label], label, where) for label in LABELS),
        report=text["report"],
        reasoning=reasoning,
        exclusion=text["exclusion"],
    )
    _check(row, path)
    return row


def _number(value: Any, column: str, where: str) -> float:
    if value is None or value == "":
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {column} is {value!r}: give a number") from error


def _write_parquet(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    pa, pq = _pyarrow()
    kinds = [(name, pa.float64() if name in (*_SPACING, *LABELS) else pa.string()) for name in COLUMNS]
    table = pa.Table.from_pylist(list(records), schema=pa.schema(kinds))
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


def _read_parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    pa, pq = _pyarrow()
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: not a parquet file that can be read: write it again") from error
    _columns(table.column_names, path)
    records: list[Mapping[str, Any]] = table.to_pylist()
    yield from records


def _pyarrow() -> tuple[Any, Any]:
    """pyarrow and its parquet module; ImportError says how to get them."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError(
            "The `pyarrow` package reads and writes .parquet: pip install 'rect-core[parquet]', or use .csv"
        ) from error
    return pa, pq


def _write_csv(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    buffer = io.StringIO(newline="")
    # lines end as RFC 4180 has it, whereupon the writer quotes cells that hold a lone carriage return
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(records)
    with replacing(path) as file:
        file.write(buffer.getvalue().encode())


def _read_csv(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            _columns(header, path)
            for number, cells in enumerate(reader, start=1):
                if len(cells) != len(header):
                    raise DataError(f"{path.name}: row {number}: {len(cells)} cells under {len(header)} columns")
                yield dict(zip(header, cells, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: not a CSV file in UTF-8 ({error}): write it again") from error


def _columns(found: Sequence[str], path: Path) -> None:
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        raise DataError(f"{path.name}: column {missing[0]!r} is missing: is it a manifest that rect-data wrote?")
