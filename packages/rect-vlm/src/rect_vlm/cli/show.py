"""How a terminal shows one prediction."""

import math
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rect_core.findings import LABEL_OF_LOCALIZED, LOCALIZED
from rect_core.types import SYNTHETIC, FindingScores, Lesion
from rect_vlm.prediction import Prediction

BANNERS = {
    "untrained": "UNTRAINED WEIGHTS: scores, masks and report are random and say nothing about this patient.",
    "synthetic": f"Weights {SYNTHETIC}.",
    "clinical-data": "Research software, not a medical device.",
}


def show_prediction(out: Prediction, folder: Path, console: Console) -> None:
    """Banner, findings table, lesions, report, and where the files are."""
    console.print(Panel(BANNERS[out.record.weights_status], style="bold yellow"))
    console.print(scores_table(out.classification, out.lesions.items, title=f"Findings of {out.record.case_id}"))
    if out.lesions.items:
        console.print(lesions_table(out.lesions.items))
    for warning in out.record.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    if out.report:
        console.print(Panel(escape(out.report.text), title="Report", title_align="left"))
    console.print(
        f"Files: {folder}/  ({', '.join(sorted(p.name for p in folder.iterdir()))})", markup=False, soft_wrap=True
    )


def scores_table(scores: FindingScores, lesions: tuple[Lesion, ...] = (), *, title: str = "Findings") -> Table:
    """A row a label: probability, threshold, decision, and how many lesions were outlined."""
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for name, side in (
        ("Finding", "left"),
        ("prob", "right"),
        ("cut", "right"),
        ("present", "center"),
        ("lesions", "right"),
    ):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    counts = _counts(lesions)
    for label, prob, cut, present in zip(scores.labels, scores.prob, scores.threshold, scores.present, strict=True):
        style = "bold" if present else "dim"
        count = str(counts[label]) if label in counts else ""
        table.add_row(escape(label), f"{prob:.3f}", f"{cut:.2f}", "yes" if present else "no", count, style=style)
    return table


def lesions_table(lesions: tuple[Lesion, ...], *, most: int = 12) -> Table:
    """The largest lesions with their measures; the caption counts the rest."""
    table = Table(title="Lesions", title_justify="left", title_style="bold")
    for name in ("Lesion", "Side", "Region", "mm", "ml", "slices"):
        right, whole = name in {"mm", "ml"}, name in {"Lesion", "mm", "ml"}
        table.add_column(name, justify="right" if right else "left", no_wrap=whole, overflow="fold")
    for x in sorted(lesions, key=lambda x: -x.volume_ml)[:most]:
        size = "-" if math.isnan(x.diameter_mm) else f"{x.diameter_mm:.0f} x {x.short_axis_mm:.0f}"
        table.add_row(x.id, x.side, x.region, size, f"{x.volume_ml:.2f}", f"{x.slices[0]}-{x.slices[1]}")
    if len(lesions) > most:
        table.caption = f"and {len(lesions) - most} smaller ones in findings.json"
    return table


def _counts(lesions: tuple[Lesion, ...]) -> dict[str, int]:
    found = Counter(lesion.finding for lesion in lesions)
    return {LABEL_OF_LOCALIZED[finding]: found[finding] for finding in LOCALIZED}
