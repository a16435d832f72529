"""Pictures of a localization: Dice by finding, Dice against volume, FROC."""

from math import isfinite
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from rect_core.findings import LOCALIZED
from rect_eval.output.pictures.canvas import (
    ACCENT,
    CEILING,
    INK,
    MUTED,
    PAPER,
    Group,
    Picture,
    sheet,
    to_svg,
    unit_axes,
)
from rect_eval.output.words import count, number
from rect_eval.scores import Section, Table

_SIDE: Final = 190
_MOST: Final = 800
"""So many points of a finding are drawn, picked by chance where there are more."""


def localization_groups(section: Section) -> list[Group]:
    """The groups for which the section has cases and curves."""
    values = {name: _columns(section.cases, name) for name in _findings(section.cases)}
    values = {name: columns for name, columns in values.items() if len(columns)}
    groups = []
    if values:
        about = "Box: the middle half of the cases; line: median; whiskers: 5th and 95th percentile; dots: cases."
        box = Picture(svg=_boxes({name: v[:, 1] for name, v in values.items()}), title="")
        groups.append(Group(title="Dice by finding", about=about, pictures=(box,), kind="wide"))
        about = "A dot: the Dice of a case."
        if any(np.isfinite(v[:, 2]).any() for v in values.values()):
            about += (
                " A ring: its oracle Dice, which is what the truth itself keeps when it is pushed through the model's "
                "grid and back."
            )
        pictures = tuple(_volume(name, v) for name, v in values.items() if (v[:, 0] > 0).any())
        groups += [Group(title="Dice against volume", about=about, pictures=pictures)] if pictures else []
    froc = {name: curve for name, curve in section.curves.get("froc", {}).items() if len(curve[0]) > 1}
    if froc:
        about = "Share of the lesions that are found, against false lesions in a scan; dashed: one false lesion."
        pictures = tuple(_froc(name, curve) for name, curve in froc.items())
        groups.append(Group(title="FROC", about=about, pictures=pictures))
    return groups


def plain(finding: str) -> str:
    """A localized finding as words: "lung_nodule" is "Lung nodule"."""
    text = finding.replace("_", " ")
    return text[:1].upper() + text[1:]


def _findings(cases: Table) -> list[str]:
    if not {"finding", "truth_ml", "dice"} <= set(cases.columns):
        return []
    found = {str(row[cases.columns.index("finding")]) for row in cases.rows}
    return sorted(found, key=lambda name: (LOCALIZED.index(name) if name in LOCALIZED else len(LOCALIZED), name))


def _columns(cases: Table, finding: str) -> Float[np.ndarray, "n 3"]:
    """Volume, Dice and oracle Dice of the cases in which a finding was scored by overlap."""
    places = [
        cases.columns.index(name) if name in cases.columns else -1 for name in ("truth_ml", "dice", "oracle_dice")
    ]
    at = cases.columns.index("finding")
    rows = [[_float(row[p]) if p >= 0 else np.nan for p in places] for row in cases.rows if row[at] == finding]
    found = np.array([row for row in rows if isfinite(row[1])], np.float64).reshape(-1, 3)
    if len(found) > _MOST:
        found = found[np.sort(np.random.default_rng(0).choice(len(found), _MOST, replace=False))]
    return found


def _float(cell: Any) -> float:
    return float(cell) if isinstance(cell, int | float) else np.nan


def _boxes(dice: dict[str, Float[np.ndarray, " n"]]) -> str:
    figure, axes = sheet(440, 40 * len(dice) + 36, (126, 12, 4, 32))
    rng = np.random.default_rng(0)
    for row, values in enumerate(dice.values()):
        low, first, middle, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        spread = row + rng.uniform(-0.3, 0.3, len(values))
        axes.scatter(values, spread, s=7, color=ACCENT, alpha=0.35, linewidths=0)
        axes.plot([low, high], [row, row], color=INK, linewidth=1.0)
        axes.barh(row, third - first, 0.36, first, facecolor=PAPER, edgecolor=INK, linewidth=1.0, alpha=0.85, zorder=3)
        axes.plot([middle, middle], [row - 0.18, row + 0.18], color=ACCENT, linewidth=2.4, zorder=4)
    names = [f"{plain(name)}\nn = {len(values):,}" for name, values in dice.items()]
    axes.set_yticks(range(len(dice)), names, color=INK)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(dice) - 0.5, -0.5), xlabel="Dice")
    axes.tick_params("y", length=0)
    axes.spines["left"].set_visible(False)
    return to_svg(figure, "dice-boxes", "Box plots of Dice by finding")


def _volume(name: str, values: Float[np.ndarray, "n 3"]) -> Picture:
    values = values[values[:, 0] > 0]
    figure, axes = sheet(_SIDE, _SIDE, (32, 8, 6, 32))
    axes.set_xscale("log")
    low, high = values[:, 0].min() / 1.6, values[:, 0].max() * 1.6
    axes.set(xlim=(low, high), ylim=(-0.02, 1.02), xlabel="volume (ml), log scale", ylabel="Dice")
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    ticks = _decades(float(low), float(high))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.xaxis.labelpad = axes.yaxis.labelpad = 1.0
    axes.scatter(values[:, 0], values[:, 2], s=16, facecolor="none", edgecolor=CEILING, linewidths=0.9)
    axes.scatter(values[:, 0], values[:, 1], s=13, color=ACCENT, linewidths=0, alpha=0.8)
    return Picture(
        svg=to_svg(figure, f"volume-{name}", f"Dice against volume of {plain(name)}"),
        title=plain(name),
        note=f"{count(len(values), 'case')}, median Dice {number(float(np.median(values[:, 1])))}",
    )


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten within an axis; without one, its middle."""
    powers = [10.0**n for n in range(-6, 7) if low <= 10.0**n <= high]
    return powers or [float(f"{(low * high) ** 0.5:.1g}")]


def _froc(name: str, curve: Any) -> Picture:
    figure, axes = sheet(_SIDE, _SIDE, (32, 8, 6, 32))
    unit_axes(axes, "false lesions in a scan", "lesions found")
    x, y = (np.asarray(values, np.float64) for values in curve[:2])
    high = max(float(np.nanmax(x)) if np.isfinite(x).any() else 0.0, 1.0)
    axes.set_xlim(-0.02 * high, 1.02 * high)
    ticks = [0.0, high / 2, high]
    axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    axes.plot(x, y, color=ACCENT, linewidth=1.4, drawstyle="steps-post")
    axes.plot(x, y, color=ACCENT, linestyle="none", marker="o", markersize=2.5)
    axes.axvline(1.0, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    return Picture(svg=to_svg(figure, f"froc-{name}", f"FROC curve of {plain(name)}"), title=plain(name))
