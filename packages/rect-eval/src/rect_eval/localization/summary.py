"""All scores of a localization as one statistic, and the tables that its values fill."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_eval.localization.froc import Froc
from rect_eval.localization.matching import THRESHOLDS, Rule
from rect_eval.localization.rates import ALL, Rates
from rect_eval.scores import Cell, Score, Table
from rect_eval.uncertainty import Interval

FROC: Final[Mapping[Rule, str]] = {"dice": "froc", "iou": "froc_iou", "distance": "froc_distance"}

MACRO: Final[Mapping[str, str]] = {
    "macro_dice": "dice",
    "macro_dice_present": "dice_present",
    "oracle_dice": "oracle_dice",
    "macro_iou": "iou",
    "hd95_mm": "hd95_mm",
    "hd95_undefined": "hd95_undefined",
    "macro_nsd_2mm": "nsd_2mm",
    "macro_sensitivity": "sensitivity",
    "macro_precision": "precision",
    "specificity_of_empty": "specificity_of_empty",
    **{
        f"lesion_{kind}_{rule}": f"lesion_{kind}_{rule}"
        for rule in THRESHOLDS
        for kind in ("sensitivity", "precision", "f1")
    },
    **{name: name for name in FROC.values()},
    "volume_error_ml": "volume_error_ml",
    "volume_abs_error_ml": "volume_abs_error_ml",
    "diameter_error_mm": "diameter_error_mm",
    "diameter_abs_error_mm": "diameter_abs_error_mm",
}
"""Scores that are means over the findings where they are defined, and the score of a finding that they are means of."""

POOLED: Final[Mapping[str, str]] = {
    "mean_dice": "dice",
    "hit_rate": "hit_rate",
    "instance_precision": "lesion_precision_dice",
    "instance_recall": "lesion_sensitivity_dice",
    "instance_f1": "lesion_f1_dice",
}
"""Scores over the cases and lesions of all findings together, as ReXGroundingCT gives them."""

_NOTHING: Final = "nothing to score it on"


class Summary:
    """Every score of every finding, then the macro and the pooled ones, under any weighting of the cases."""

    def __init__(self, findings: Sequence[str], rates: Rates, frocs: Mapping[tuple[str, Rule], Froc]) -> None:
        self.findings = tuple(findings)
        self.rates = rates
        self.pooled = rates.pooled(tuple(POOLED.values()))
        self.frocs = frocs
        self.keys = (*rates.keys, *((finding, ALL, FROC[rule]) for finding, rule in frocs))

    def __call__(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        """The scores of `keys`, of MACRO and of POOLED, in this order."""
        own = np.hstack([self.rates(weights), *(froc(weights) for froc in self.frocs.values())])
        macro = np.stack([_mean(own[:, self._of(score)]) for score in MACRO.values()], -1)
        return np.hstack([own, macro, self.pooled(weights)])

    def scores(self, found: Interval) -> dict[str, Score]:
        """The scores of the whole."""
        counts, own = self._counts(), found.value[: len(self.keys)]
        defined = np.where(np.isnan(own), 0.0, counts)
        n = [round(float(defined[self._of(score)].sum())) for score in MACRO.values()]
        n += [round(float(total)) for total in self.pooled.den.sum(axis=0)]
        return {
            name: _score(found, len(self.keys) + place, n[place], self._why(name))
            for place, name in enumerate((*MACRO, *POOLED))
        }

    def classes(self, found: Interval) -> Table:
        """One row a finding, and one a finding and band."""
        place = {key: i for i, key in enumerate(self.keys)}
        rows = list(dict.fromkeys((finding, band) for finding, band, _ in self.keys))
        names = list(dict.fromkeys(name for _, _, name in self.keys))
        counts = self._counts()

        def count(finding: str, band: str, name: str) -> Cell:
            at = place.get((finding, band, name))
            return None if at is None else round(float(counts[at]))

        def cells(finding: str, band: str) -> tuple[Cell, ...]:
            at = [place.get((finding, band, name)) for name in names]
            ends = (found.value, found.low, found.high)
            return tuple(None if i is None else float(end[i]) for i in at for end in ends)

        first = [
            (f, band, count(f, band, "dice"), count(f, band, "dice_present"), count(f, band, "lesion_sensitivity_dice"))
            for f, band in rows
        ]
        columns = [column for name in names for column in (name, f"{name}_low", f"{name}_high")]
        return Table(
            columns=("finding", "band", "n", "positives", "lesions", *columns),
            rows=tuple((*head, *cells(str(head[0]), str(head[1]))) for head in first),
        )

    def _of(self, score: str) -> list[int]:
        """The columns of a score, one a finding."""
        return [i for i, (_, band, name) in enumerate(self.keys) if (band, name) == (ALL, score)]

    def _counts(self) -> Float[np.ndarray, " c"]:
        """What each of `keys` rests on: cases, or lesions."""
        lesions = [float((froc.lesions * froc.scored).sum()) for froc in self.frocs.values()]
        return np.concatenate([self.rates.den.sum(axis=0), lesions])

    def _why(self, name: str) -> str:
        rule = next((rule for rule, score in FROC.items() if score == name), None)
        reasons = [froc.why for (_, by), froc in self.frocs.items() if by == rule and froc.why]
        return "; ".join(dict.fromkeys(reasons)) or _NOTHING


def _mean(values: Float[np.ndarray, "b f"]) -> Float[np.ndarray, " b"]:
    """The mean over the findings that are defined."""
    known = ~np.isnan(values)
    many = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, many, out=np.full(len(values), np.nan), where=many > 0), np.float64)


def _score(found: Interval, at: int, n: int, why: str) -> Score:
    value = float(found.value[at])
    low, high = float(found.low[at]), float(found.high[at])
    return Score(value=value, low=low, high=high, n=n, why=why if np.isnan(value) else "")
