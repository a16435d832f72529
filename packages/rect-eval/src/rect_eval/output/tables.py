"""Tables as CSV that no spreadsheet takes for formulas."""

import csv
import io
from math import isinf, isnan
from typing import Final

import numpy as np

from rect_eval.scores import Cell, Table

_STARTS: Final = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")  # the last four are the wide forms


def csv_bytes(table: Table) -> bytes:
    """UTF-8, one header row; an undefined number is "NaN", an empty cell is empty.

    Text that a spreadsheet would run as a formula gets a quote before it; numbers stay numbers.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_text(name) for name in table.columns])
    writer.writerows([_cell(cell) for cell in row] for row in table.rows)
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return _text(cell)
    if isinstance(cell, bool | np.bool_):
        return "1" if cell else "0"
    return _number(float(cell)) if isinstance(cell, float | np.floating) else str(int(cell))


def _number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    if isnan(value):
        return "NaN"
    return ("inf" if value > 0 else "-inf") if isinf(value) else repr(value)


def _text(text: str) -> str:
    """Without carriage returns, which the writer leaves bare: a reader would take one for the end of the row."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_STARTS) else text
