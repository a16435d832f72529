"""How names and numbers are written for people."""

import re
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Final

from rect_eval.scores import Score

_WORDS: Final[Mapping[str, str]] = {
    **{x: x.upper() for x in ("ap", "auc", "auroc", "bleu", "ce", "crg", "ece", "f1", "froc", "hd95", "meteor", "nsd")},
    "abs": "absolute",
    "cider": "CIDEr",
    "dice": "Dice",
    "id": "ID",
    "iou": "IoU",
    "mm": "(mm)",
    "ml": "(ml)",
    "90": "90 %",
    "rouge": "ROUGE",
}
PARTS: Final = {"classification": "Classification", "localization": "Localization", "reports": "Reports"}
_DECIMALS: Final = {"_mm": 1, "_ml": 2}


def words(name: str) -> str:
    """A score's or column's name as words: "macro_auroc" is "Macro AUROC", "hd95_mm" is "HD95 (mm)"."""
    base, remark = split_name(name)
    text = re.sub(r"nsd_(\d+)mm", r"nsd_at_\1 mm", base)
    text = re.sub(r"(bleu|rouge)_(\d|l)(?=_|$)", lambda m: f"{m[1].upper()}-{m[2].upper()}", text)
    joined = " ".join(_WORDS.get(word, word) for word in text.split("_"))
    shown = joined if joined == "n" else joined[:1].upper() + joined[1:]
    return f"{shown} ({remark.partition(':')[0]})" if remark else shown


def split_name(name: str) -> tuple[str, str]:
    """A score's name and the remark that stands behind it in brackets, as of thresholds fitted on the scored cases."""
    base, _, remark = name.partition(" (")
    return base, remark.removesuffix(")")


def end_of(name: str, end: str) -> str:
    """The column that holds an end ("_low", "_high") of the interval of a score."""
    base, remark = split_name(name)
    return f"{base}{end} ({remark})" if remark else f"{base}{end}"


def minor(name: str) -> bool:
    """Whether a score is one of many alike, which a short table leaves out."""
    return name.startswith(("micro_", "weighted_")) or (
        name.startswith(("lesion_", "froc_")) and split_name(name)[0].endswith(("_iou", "_distance"))
    )


def number(value: float, name: str = "") -> str:
    """A number as it is shown: one decimal for mm, two for ml, three for the rest; a dash for undefined."""
    if not isfinite(value):
        return "–"
    decimals = next((many for unit, many in _DECIMALS.items() if split_name(name)[0].endswith(unit)), 3)
    shown = f"{value:.{decimals}f}"
    return shown.replace("-", "−") if float(shown) else shown.removeprefix("-")


def interval(score: Score, name: str = "") -> str:
    """The 95 % interval of a score, or nothing where it has none."""
    if not (isfinite(score.low) and isfinite(score.high)):
        return ""
    return f"{number(score.low, name)} to {number(score.high, name)}"


def count(many: int, noun: str) -> str:
    """A number with its noun: "1 case", "1,304 patients"."""
    return f"{many:,} {noun}" + ("" if many == 1 else "s")


def within_unit(values: Sequence[float]) -> bool:
    """Whether the finite ones of some numbers lie in 0..1."""
    finite = [value for value in values if isfinite(value)]
    return min(finite, default=inf) >= 0 and max(finite, default=0.0) <= 1
