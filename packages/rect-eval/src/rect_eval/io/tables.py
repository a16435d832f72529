"""Tables with one row a case, as .csv or .parquet; columns count by name, wherever they stand."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.io import cells
from rect_eval.io.files import read_text
from rect_eval.io.names import case_of, nearest, resembles

SUFFIXES: Final = (".csv", ".parquet")
NAMES: Final = ("VolumeName", "AccessionNo", "case_id")
"""Columns that may name the case; the first of them that is there does."""

REPORT: Final = "report"
SECTIONS: Final = ("Findings_EN", "Impressions_EN")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. where: "file.csv: row 7", as a spreadsheet counts (the header of a CSV is row 1)."""

    where: str
    cells: Mapping[str, Any]

    @property
    def report(self) -> str:
        """The text of `report`, or of CT-RATE's two sections; "" where nothing is given."""
        if REPORT in self.cells:
            return cells.text(self.cells[REPORT])
        return cells.joined(*(self.cells[name] for name in SECTIONS))


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table by case. labelled, reported: whether it has the 18 columns, and a report."""

    name: str
    columns: tuple[str, ...]
    rows: Mapping[str, Row]

    @property
    def labelled(self) -> bool:
        """Whether the 18 labels are columns. Raises DataError where only some are, or one is misspelt."""
        if not any(resembles(column, LABELS) for column in self.columns):
            return False
        _need(self, LABELS)
        return True

    @property
    def reported(self) -> bool:
        """Whether there is a column `report`, or CT-RATE's two. Raises DataError where one of the two is missing."""
        if REPORT in self.columns:
            return True
        if not any(resembles(column, SECTIONS) for column in self.columns):
            return False
        _need(self, SECTIONS)
        return True


def is_table(path: Path) -> bool:
    """Whether a file's name ends like that of a table."""
    return path.suffix.lower() in SUFFIXES


def read_table(path: Path) -> Table:
    """A .csv (UTF-8, commas) or .parquet file.

    Raises DataError for an empty file, another separator or encoding, a column that is there twice, a row with more or
    fewer cells than the header, no column that names the case, a row without a name, a name that occurs twice.
    """
    header, rows = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    _check_header(path.name, header)
    named = next((name for name in NAMES if name in header), "")
    if not named:
        hint = next((near for name in NAMES if (near := nearest(name, header))), "")
        raise DataError(f"{path.name}: header: no column names the case: call it one of {', '.join(NAMES)}{hint}")
    found: dict[str, Row] = {}
    for row in rows:
        case = case_of(cells.text(row.cells[named]))
        if not case:
            raise DataError(f"{row.where}: {named} is empty: give the case's name or delete the row")
        if found.setdefault(case, row) is not row:
            before = found[case].where.rpartition(": ")[2]
            raise DataError(f"{row.where}: case {case!r} stands already in {before}: keep one")
    if not found:
        raise DataError(f"{path.name}: has a header but no rows: give a row for each case")
    return Table(path.name, tuple(header), found)


def read_columns(path: Path) -> tuple[str, ...]:
    """The names of a table's columns. Raises DataError for a file that cannot be read."""
    header, _ = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    return tuple(header)


def labels_error(where: str, found: Sequence[str], needed: Sequence[str] = LABELS) -> DataError | None:
    """What is wrong with a list of names that should hold all the needed ones, in any order; None if nothing is."""
    for name in needed:
        if name not in found:
            rest = [other for other in found if other not in needed]
            return DataError(f"{where}: {name!r} is missing{nearest(name, rest)}: give all {len(needed)} by name")
    return None


def _need(table: Table, names: Sequence[str]) -> None:
    if error := labels_error(f"{table.name}: header", table.columns, names):
        raise error


def _check_header(name: str, header: Sequence[str]) -> None:
    if not any(header):
        raise DataError(f"{name}: the file is empty: give a table with a header")
    for sign, word in ((";", "semicolons"), ("\t", "tabs")):
        if sign in header[0]:
            raise DataError(f"{name}: header: columns are separated by {word}: save it with commas (CSV UTF-8)")
    twice = next((column for column in header if column and header.count(column) > 1), None)
    if twice is not None:
        raise DataError(f"{name}: header: column {twice!r} is there {header.count(twice)} times: keep one")


def _csv(path: Path) -> tuple[list[str], Iterator[Row]]:
    lines = _lines(path)
    header = [name.strip() for name in next(lines, ("", []))[1]]

    def rows() -> Iterator[Row]:
        for where, found in lines:
            if len(found) != len(header):
                raise DataError(
                    f"{where}: {len(found)} cells under {len(header)} columns: put texts with commas in quotes"
                )
            yield Row(where, dict(zip(header, found, strict=True)))

    return header, rows()


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and cells of every row that is not blank; line breaks inside quotes are part of a cell."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    number = 0
    try:
        for number, found in enumerate(reader, start=1):
            if found:
                yield f"{path.name}: row {number}", found
    except csv.Error as error:
        raise DataError(f"{path.name}: row {number + 1}: {error}: save it as CSV with commas and quotes") from error


def _parquet(path: Path) -> tuple[list[str], Iterator[Row]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError(
            "The `pyarrow` package reads .parquet: pip install 'rect-eval[parquet]', or save the table as .csv"
        ) from error
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: not a parquet file that can be read: write it again") from error

    def rows() -> Iterator[Row]:
        for number, record in enumerate(table.to_pylist(), start=1):
            yield Row(f"{path.name}: row {number}", record)

    return list(table.column_names), rows()
