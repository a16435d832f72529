"""Scores as a terminal shows them: aligned, with their controls, and flags in words."""

import re
import shutil
import sys
from collections.abc import Sequence
from math import isnan
from textwrap import fill
from typing import Final

from rect_eval.controls import lower_is_better
from rect_eval.output.flags import flags, other_warnings, told
from rect_eval.output.html.head import cohort_line
from rect_eval.output.words import PARTS, interval, minor, number, words
from rect_eval.run import Evaluation
from rect_eval.scores import Control, Section

_PIPE: Final = 200


_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text without what a terminal would obey: names of cases are somebody else's."""
    return _CONTROL.sub("\ufffd", text)


def show(lines: Sequence[str]) -> None:
    """Prints lines."""
    print(printable("\n".join(lines)))


def width() -> int:
    """Columns of the terminal; a pipe has as many as are needed."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else _PIPE


def columns(rows: Sequence[Sequence[str]], *, left: int = 1, indent: str = "") -> list[str]:
    """Rows as lines; the first `left` columns are aligned left, the others right."""
    wide = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            f"{cell:<{w}}" if k < left else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(row, wide, strict=True))
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def evaluation_lines(evaluation: Evaluation, across: int) -> list[str]:
    """Head, warnings, and a table a section."""
    settings = evaluation.settings
    drawn = f"95 % intervals from {settings['resamples']:,} resamples of patients"
    rules = f"protocol {settings['protocol']}; a {settings['unit']} counts once"
    lines = [
        f"{evaluation.predictions} scored against {evaluation.truth}",
        wrapped(f"{cohort_line(evaluation)}; {rules}; {drawn if settings['resamples'] else 'no intervals'}", across),
    ]
    lines += [wrapped(f"warning: {text}", across) for text in evaluation.warnings]
    for section in evaluation.sections:
        lines += ["", *section_lines(section, across)]
    return lines


def section_lines(section: Section, across: int, *, controlled: bool = False) -> list[str]:
    """A table of the scores that matter most, each beside its controls; a flag stands below its score.

    controlled: only the scores that have a control.
    """
    flagged = flags(section)
    beside = {name for control in section.controls for name in control.scores}
    shown = [name for name in section.scores if name in flagged or not minor(name)]
    if controlled:
        shown = [name for name in shown if name in beside and not section.scores[name].why]
    if not shown:
        return [PARTS[section.name], "  no score has a control"]
    table = columns(_table(section, shown, across), left=1, indent="  ")
    lines = [_headed(table[0], PARTS[section.name])]
    for name, line in zip(shown, table[1:], strict=True):
        lines.append(("!" + line[1:]) if name in flagged else line)
        lines += [wrapped(told(name, flagged[name]), across, "    ")] if name in flagged else []
    left = len(section.scores) - len(shown)
    lines += [f"  ({left} more in metrics.json)"] if left and not controlled else []
    lines += [wrapped(text, across, "  ") for text in _reasons(section, shown)]
    return lines + [wrapped(f"warning: {text}", across, "  ") for text in other_warnings(section)]


def _reasons(section: Section, shown: Sequence[str]) -> list[str]:
    """Why scores are undefined; those of one reason stand together."""
    found: dict[str, list[str]] = {}
    for name in shown:
        if section.scores[name].why:
            found.setdefault(section.scores[name].why, []).append(words(name))
    return [f"{', '.join(names)}: {why}" for why, names in found.items()]


def _headed(line: str, title: str) -> str:
    """The head of a table with the section's name in its first column, which is empty."""
    return title + line[len(title) :] if not line[: len(title)].strip() else f"{title}\n{line}"


def _table(section: Section, shown: Sequence[str], across: int) -> list[list[str]]:
    """A column a control, or, where that is too wide, the best floor and ceiling by name, or the floor alone, or its
    number alone."""
    rows = [["", "value", "95 % interval", *(_control_name(c) for c in section.controls)]]
    for name in shown:
        score = section.scores[name]
        found = [number(c.scores[name].value, name) if name in c.scores else "" for c in section.controls]
        rows.append([words(name), number(score.value, name), interval(score, name), *found])
    if max(map(len, columns(rows, indent="  "))) <= across:
        return rows
    for kinds, named in ((("floor", "ceiling"), True), (("floor",), True), (("floor",), False)):
        there = [kind for kind in kinds if any(c.kind == kind for c in section.controls)]
        short = [["", "value", "95 % interval", *(f"best {kind}" for kind in there)]]
        short += [
            [*row[:3], *(_best(section, x, k, named=named) for k in there)]
            for x, row in zip(shown, rows[1:], strict=True)
        ]
        if max(map(len, columns(short, indent="  "))) <= across:
            break
    return short


def _control_name(control: Control) -> str:
    return f"{control.name} (ceiling)" if control.kind == "ceiling" else control.name


def _best(section: Section, name: str, kind: str, *, named: bool) -> str:
    found = [(c.scores[name].value, c) for c in section.controls if c.kind == kind and name in c.scores]
    known = [(value, control) for value, control in found if not isnan(value)]
    if not known:
        return ""
    pick = min if lower_is_better(name) else max
    value, control = pick(known, key=_first)
    return f"{control.name} {number(value, name)}" if named else number(value, name)


def _first(pair: tuple[float, Control]) -> float:
    return pair[0]


def wrapped(text: str, across: int, indent: str = "") -> str:
    """A sentence in lines of a width; those after the first stand further right."""
    return fill(text, max(across, 40), initial_indent=indent, subsequent_indent=indent + "  ")
