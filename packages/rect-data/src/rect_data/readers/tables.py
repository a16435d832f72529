"""CSV tables of a data set, read so that no mistake in them becomes a silent zero."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.readers.names import suffix_of

NAME: Final = "VolumeName"
REPORT_COLUMNS: Final = ("Findings_EN", "Impressions_EN")
UNKNOWN: Final = (float("nan"),) * len(LABELS)
"""The labels of a scan of which nothing is known."""

_NOTHING: Final = ("", "not given.", "not given")
"""What CT-RATE's tables hold where a section of the report is missing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table. where: "file: row 7", as a spreadsheet counts (the header is row 1)."""

    where: str
    cells: Mapping[str, str]

    @property
    def labels(self) -> tuple[float, ...]:
        """The 18 labels: 0, 1, or NaN for an empty cell. Raises DataError for anything else."""
        return tuple(self._label(name) for name in LABELS)

    @property
    def report(self) -> str:
        """Findings and impression under their headings, without a section that was not given; "" without both."""
        named = zip(("Findings", "Impression"), (self.cells[c].strip() for c in REPORT_COLUMNS), strict=True)
        return "\n\n".join(f"{title}:\n{text}" for title, text in named if text.lower() not in _NOTHING)

    def number(self, column: str) -> float:
        """A cell that must be a number."""
        try:
            return float(self.cells[column])
        except ValueError as error:
            raise DataError(f"{self.where}: {column} is {self.cells[column]!r}: give a number") from error

    def _label(self, name: str) -> float:
        value = self.cells[name].strip()
        known = {"": float("nan"), "0": 0.0, "0.0": 0.0, "1": 1.0, "1.0": 1.0}
        if value not in known:
            raise DataError(f"{self.where}: {name!r} is {value!r}: give 0, 1 or an empty cell (unknown)")
        return known[value]


def read_table(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Line]:
    """The lines of a CSV file by the name of their scan (VolumeName), without its suffix.

    needed: columns that must be there besides it; optional: columns that are kept where they are there. Raises
    DataError for a file that is not there, a column that is missing or there twice, a row with more or fewer cells than
    the header, a row without a name, a name that occurs twice.
    """
    found: dict[str, Line] = {}
    for line in _lines(path, (NAME, *needed), optional):
        text = line.cells[NAME].strip()
        case = text[: len(text) - len(suffix_of(text))]
        if not case:
            raise DataError(f"{line.where}: {NAME} is empty: give the scan's file name")
        if case in found:
            raise DataError(
                f"{line.where}: {case!r} stands already in {found[case].where.rpartition(': ')[2]}: keep one"
            )
        found[case] = line
    return found


def near(name: str, names: Iterable[str]) -> str:
    """ "; the nearest is 'x'", or "" where nothing is like it."""
    like = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; the nearest is {like[0]!r}" if like else ""


def refuse_unmatched(table: Mapping[str, Line], names: Iterable[str], place: str) -> None:
    """Raises DataError for the first line whose scan does not exist. place: where scans were looked for."""
    known = set(names)
    for name, line in table.items():
        if name not in known:
            raise DataError(f"{line.where}: no scan {name!r} in {place}{near(name, known)}: correct the name")


def _lines(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Line]:
    if not path.is_file():
        raise DataError(f"{path.name}: no such table: it was looked for in {path.parent.name}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            check_columns(path.name, header, needed)
            kept = [(i, column) for i, column in enumerate(header) if column in (*needed, *optional)]
            for number, cells in enumerate(reader, start=2):
                where = f"{path.name}: row {number}"
                if not cells:
                    continue  # a blank line
                if len(cells) != len(header):
                    raise DataError(f"{where}: {len(cells)} cells under {len(header)} columns: quote texts with commas")
                yield Line(where, {column: cells[i] for i, column in kept})
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path.name}: not a CSV file in UTF-8 ({error}): save it again as one") from error


def check_columns(name: str, header: Sequence[str], needed: Sequence[str]) -> None:
    """Raises DataError for a needed column that is missing, and for any that is there twice."""
    for column in needed:
        if column not in header:
            rest = [c for c in header if c not in needed]
            raise DataError(
                f"{name}: column {column!r} is missing{near(column, rest)}: name it so"
                + (", or add it with empty cells (unknown)" if column in LABELS else "")
            )
    twice = next((c for c in header if c and header.count(c) > 1), None)
    if twice is not None:
        raise DataError(f"{name}: column {twice!r} is there {header.count(twice)} times: keep one")
