"""What a cell may say: a probability, a label, a piece of a report."""

from math import isnan, nan
from typing import Any, Final

from rect_core.errors import DataError

_UNKNOWN: Final = ("", "nan")
_NOT_GIVEN: Final = ("", "not given.", "not given")
"""What CT-RATE's tables hold where a section of the report is missing."""


def probability(value: Any, where: str, name: str) -> float:
    """A number from 0 to 1; DataError for anything else, NaN and empty cells included."""
    if _empty(value):
        raise DataError(f"{where}: {name!r} is empty or NaN: every case needs a probability from 0 to 1")
    number = _number(value)
    if number is None:
        hint = "divide percentages by 100" if "%" in str(value) else "give a probability from 0 to 1"
        raise DataError(f"{where}: {name!r} is {_short(value)}: {hint}")
    if not 0.0 <= number <= 1.0:
        raise DataError(
            f"{where}: {name!r} is {_short(value)}, which is outside 0 to 1: "
            "divide percentages by 100, put logits through a sigmoid"
        )
    return number


def label(value: Any, where: str, name: str) -> float:
    """0, 1, or NaN for an empty cell (unknown); DataError for anything else."""
    if _empty(value):
        return nan
    number = _number(value)
    if number not in (0.0, 1.0):
        raise DataError(f"{where}: {name!r} is {_short(value)}: give 0, 1 or an empty cell (unknown)")
    return number


def text(value: Any) -> str:
    """A cell as text without space around it; an empty cell is ""."""
    return "" if value is None or (isinstance(value, float) and isnan(value)) else str(value).strip()


def joined(findings: Any, impression: Any) -> str:
    """CT-RATE's two sections under their headings, without one that was not given; "" without both."""
    named = (("Findings", text(findings)), ("Impression", text(impression)))
    return "\n\n".join(f"{title}:\n{said}" for title, said in named if said.lower() not in _NOT_GIVEN)


def _empty(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _UNKNOWN
    return value is None or (isinstance(value, float) and isnan(value))


def _number(value: Any) -> float | None:
    """A number, or None for what only Python takes for one: True, "True", "0_1"."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 40 else f"{said[:37]}..."
