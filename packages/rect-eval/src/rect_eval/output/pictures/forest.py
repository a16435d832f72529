"""Forest plots: scores with their intervals, and what the controls reach, on one axis."""

from dataclasses import dataclass
from math import isfinite
from typing import Final

from rect_eval.output.pictures.canvas import ACCENT, CEILING, FLOOR, INK, LINE, Group, Picture, sheet, to_svg
from rect_eval.output.words import minor, within_unit, words
from rect_eval.scores import Score, Section

_ROW: Final = 19
_BY_CLASS: Final = ("auroc", "dice", "f1")
"""The first of these that a table of classes has is drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """One score with the values of floors and ceilings."""

    name: str
    score: Score
    floors: tuple[float, ...] = ()
    ceilings: tuple[float, ...] = ()


def forest_groups(section: Section) -> list[Group]:
    """The scores between 0 and 1 of a section, without those of which there are many alike, and one of every class."""
    groups = []
    lines = [_line(name, score, section) for name, score in section.scores.items() if _fits(name, score)]
    if lines:
        about = "Dot and line: score and 95 % interval."
        about += " Tick: a control that does not know the scan." if any(x.floors for x in lines) else ""
        about += " Diamond: a ceiling." if any(x.ceilings for x in lines) else ""
        picture = Picture(svg=_draw(lines, f"forest-{section.name}", "Scores with their intervals"), title="")
        groups.append(Group(title="Scores on one axis", about=about, pictures=(picture,), kind="wide"))
    column = next((name for name in _BY_CLASS if name in section.classes.columns), "")
    by_class = [line for line in _class_lines(section, column) if _fits(column, line.score)] if column else []
    if len(by_class) > 1:
        picture = Picture(svg=_draw(by_class, f"forest-{section.name}-classes", f"{words(column)} by class"), title="")
        about = "Dot and line: score and 95 % interval, best first."
        groups.append(Group(title=f"{words(column)} by class", about=about, pictures=(picture,), kind="wide"))
    return groups


def _fits(name: str, score: Score) -> bool:
    """Whether a score has its place on an axis from 0 to 1: millimetres have none, even where they are few."""
    return (
        not minor(name)
        and not name.endswith(("_mm", "_ml"))
        and isfinite(score.value)
        and within_unit([score.value, score.low, score.high])
    )


def _line(name: str, score: Score, section: Section) -> _Line:
    found = [(c.kind, c.scores[name].value) for c in section.controls if name in c.scores]
    values = [(kind, value) for kind, value in found if isfinite(value) and within_unit([value])]
    return _Line(
        name=words(name),
        score=score,
        floors=tuple(value for kind, value in values if kind == "floor"),
        ceilings=tuple(value for kind, value in values if kind == "ceiling"),
    )


def _class_lines(section: Section, column: str) -> list[_Line]:
    columns = section.classes.columns
    places = [columns.index(name) if name in columns else -1 for name in (column, f"{column}_low", f"{column}_high")]
    lines = []
    band = columns.index("band") if "band" in columns else None
    for row in section.classes.rows:
        if band is not None and row[band] != "all":
            continue
        cells = [row[p] if p >= 0 else None for p in places]
        value, low, high = (float(x) if isinstance(x, int | float) else float("nan") for x in cells)
        lines.append(_Line(name=_name(str(row[0])), score=Score(value=value, low=low, high=high)))
    return sorted(lines, key=lambda line: -line.score.value if isfinite(line.score.value) else 1.0)


def _name(label: str) -> str:
    return words(label) if label.islower() else label


def _draw(lines: list[_Line], name: str, described: str) -> str:
    figure, axes = sheet(440, _ROW * len(lines) + 28, (182, 12, 2, 24))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    for row, line in enumerate(lines):
        axes.plot([line.score.low, line.score.high], [row, row], color=ACCENT, linewidth=2.0, solid_capstyle="butt")
        axes.plot([line.score.value], [row], color=ACCENT, marker="o", markersize=5.5, clip_on=False)
        for value in line.floors:
            axes.plot([value, value], [row - 0.32, row + 0.32], color=FLOOR, linewidth=2.0, solid_capstyle="butt")
        for value in line.ceilings:
            axes.plot([value], [row], color=CEILING, marker="D", markersize=4.5, clip_on=False)
    axes.set_yticks(range(len(lines)), [line.name for line in lines], color=INK)
    axes.tick_params(length=0)
    axes.set(xlim=(-0.01, 1.01), ylim=(len(lines) - 0.4, -0.6))
    axes.spines[["left", "bottom"]].set_visible(False)
    return to_svg(figure, name, described)
