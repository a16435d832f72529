"""The table of classes: a row a label or finding, each score with its interval below it."""

from math import isfinite

from rect_eval.output.html.text import safe, table, tag
from rect_eval.output.words import end_of, number, words
from rect_eval.scores import Cell, Section, Table


def class_table(section: Section) -> str:
    """All columns of the table of classes; `x_low` and `x_high` become the interval of `x`."""
    grid = section.classes
    if not grid.rows:
        return ""
    ends = {end_of(score, end) for score in grid.columns for end in ("_low", "_high")}
    shown = [name for name in grid.columns if name not in ends]
    rows = [_row(row, shown, grid) for row in grid.rows if not _is_empty_band(row, grid)]
    first = {"classification": "Every label", "localization": "Every finding", "reports": "Every label"}
    return table([safe(words(name)) for name in shown], rows, "classes", f"{first[section.name]}, with 95 % intervals")


def _is_empty_band(row: tuple[Cell, ...], grid: Table) -> bool:
    """Whether a row is of a size band in which there is no case: the CSV file has it, a reader does not miss it."""
    cells = dict(zip(grid.columns, row, strict=True))
    return cells.get("band", "all") != "all" and not cells.get("n") and not cells.get("lesions")


def _row(row: tuple[Cell, ...], shown: list[str], grid: Table) -> str:
    cells = dict(zip(grid.columns, row, strict=True))
    made = [tag("th", safe(_named(cells[shown[0]])), scope="row")]
    for name in shown[1:]:
        ends = _ends(cells.get(end_of(name, "_low")), cells.get(end_of(name, "_high")), name)
        kind = "text" if isinstance(cells[name], str) else ""
        small = tag("small", safe(ends)) if ends else ""
        made.append(tag("td", safe(cell_text(cells[name], name)) + small, kind=kind))
    return tag("tr", "".join(made))


def _named(cell: Cell) -> str:
    text = str(cell)
    return words(text) if text.islower() else text


def cell_text(cell: Cell, name: str) -> str:
    """A cell as it is shown: numbers rounded, counts with thousands, undefined a dash, empty nothing."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    return f"{cell:,}" if isinstance(cell, int) else number(float(cell), name)


def _ends(low: Cell, high: Cell, name: str) -> str:
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not isfinite(low + high):
        return ""
    return f"{number(float(low), name)} to {number(float(high), name)}"
