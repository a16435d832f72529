"""Scores of many cases as sums over sums, so that any weighting of the cases is one matrix product.

A mean is the sum of its values over the number of those defined; a pooled rate (lesions found of all lesions) has the
same shape. What resampling needs is then the numerator and the denominator of each case.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from typing import Final

import numpy as np
from jaxtyping import Float, Int64

from rect_eval.localization.matching import THRESHOLDS, Rule
from rect_eval.localization.score import Result
from rect_eval.localization.sizes import DIAMETER_BANDS_MM, VOLUME_BANDS_ML, Band, band_name

Part = tuple[float, float]
Rate = Callable[[Result], Part]
"""Numerator and denominator that one case adds."""

ALL: Final = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """keys: (finding, band, score) of each column; num, den: of each case."""

    keys: tuple[tuple[str, str, str], ...]
    num: Float[np.ndarray, "n c"]
    den: Float[np.ndarray, "n c"]

    def __call__(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b c"]:
        """Every score under each weighting, NaN where it rests on nothing."""
        num, den = weights @ self.num, weights @ self.den
        return np.asarray(np.divide(num, den, out=np.full_like(num, np.nan), where=den > 0), np.float64)

    def by_scan(self, scans: Int64[np.ndarray, " n"]) -> "Rates":
        """The reconstructions of a scan together count as one."""
        defined = (self.den > 0).astype(np.float64)
        many = np.zeros((int(scans.max(initial=-1)) + 1, len(self.keys)))
        np.add.at(many, scans, defined)
        share = defined / np.maximum(many[scans], 1.0)
        return Rates(keys=self.keys, num=self.num * share, den=self.den * share)

    def pooled(self, scores: Sequence[str]) -> "Rates":
        """Some scores over the cases of all findings together, under the finding ""."""
        at = [[i for i, (_, band, name) in enumerate(self.keys) if (band, name) == (ALL, score)] for score in scores]
        num, den = (np.stack([part[:, c].sum(1) for c in at], 1) for part in (self.num, self.den))
        return Rates(keys=tuple(("", ALL, score) for score in scores), num=num, den=den)


def rates_of(results: Sequence[Sequence[Result]], findings: Sequence[str]) -> Rates:
    """All scores of all findings. results: of each case, in the cases' order."""
    every = _rates()
    keys = [(finding, band, name) for finding in findings for band, name in every]
    column = {key: i for i, key in enumerate(keys)}
    num, den = np.zeros((len(results), len(keys))), np.zeros((len(results), len(keys)))
    for row, case in enumerate(results):
        for result in case:
            first = column[(result.finding, *next(iter(every)))]
            parts = np.array([rate(result) for rate in every.values()])
            num[row, first : first + len(parts)], den[row, first : first + len(parts)] = parts.T
    return Rates(keys=tuple(keys), num=num, den=den)


def _rates() -> dict[tuple[str, str], Rate]:
    rates: dict[tuple[str, str], Rate] = {(ALL, name): rate for name, rate in _OF_CASES.items()}
    for rule in THRESHOLDS:
        rates[ALL, f"lesion_sensitivity_{rule}"] = partial(_lesion_sensitivity, rule)
        rates[ALL, f"lesion_precision_{rule}"] = partial(_lesion_precision, rule)
        rates[ALL, f"lesion_f1_{rule}"] = partial(_lesion_f1, rule)
    for band in VOLUME_BANDS_ML:
        for name in ("dice", "oracle_dice", "sensitivity"):
            rates[band_name(band, "ml"), name] = partial(_in_volume_band, name, band)
    for band in DIAMETER_BANDS_MM:
        for place, name in ((1, "dice"), (2, "oracle_dice"), (3, "lesion_sensitivity_dice")):
            rates[f"lesions {band_name(band, 'mm')}", name] = partial(_in_diameter_band, place, band)
    return rates


def _mean(name: str, result: Result) -> Part:
    value = result.values[name]
    return (0.0, 0.0) if isnan(value) else (value, 1.0)


def _size(name: str, result: Result) -> Part:
    value, defined = _mean(name, result)
    return abs(value), defined


def _dice_present(result: Result) -> Part:
    return _mean("dice", result) if result.values["lesions_truth"] else (0.0, 0.0)


def _oracle(result: Result) -> Part:
    return (0.0, 0.0) if result.partial else _mean("oracle_dice", result)


def _hd95_undefined(result: Result) -> Part:
    counted = not isnan(result.values["dice"])
    return float(counted and isnan(result.values["hd95_mm"])), float(counted)


def _specificity(result: Result) -> Part:
    """A missing prediction is no negative."""
    empty = not result.values["lesions_truth"] and not result.partial
    return float(empty and result.status == "both empty"), float(empty)


def _lesion_sensitivity(rule: Rule, result: Result) -> Part:
    return float(result.matched[rule]), float(len(result.lesions))


def _lesion_precision(rule: Rule, result: Result) -> Part:
    return (0.0, 0.0) if result.partial else (float(result.matched[rule]), float(len(result.confidence)))


def _lesion_f1(rule: Rule, result: Result) -> Part:
    both = (len(result.lesions) + len(result.confidence)) / 2
    return (0.0, 0.0) if result.partial else (float(result.matched[rule]), both)


def _in_volume_band(name: str, band: Band, result: Result) -> Part:
    inside = result.values["lesions_truth"] and not result.partial and band[0] <= result.values["truth_ml"] < band[1]
    return _mean(name, result) if inside else (0.0, 0.0)


def _in_diameter_band(place: int, band: Band, result: Result) -> Part:
    lesions = result.lesions[(result.lesions[:, 0] >= band[0]) & (result.lesions[:, 0] < band[1]), place]
    defined = lesions[~np.isnan(lesions)]
    return float(defined.sum()), float(len(defined))


_OF_CASES: Final[Mapping[str, Rate]] = {
    "dice": partial(_mean, "dice"),
    "dice_present": _dice_present,
    "oracle_dice": _oracle,
    "iou": partial(_mean, "iou"),
    "hd95_mm": partial(_mean, "hd95_mm"),
    "hd95_undefined": _hd95_undefined,
    "nsd_2mm": partial(_mean, "nsd_2mm"),
    "sensitivity": partial(_mean, "sensitivity"),
    "precision": partial(_mean, "precision"),
    "specificity_of_empty": _specificity,
    "hit_rate": partial(_mean, "hit"),
    "volume_error_ml": partial(_mean, "volume_error_ml"),
    "volume_abs_error_ml": partial(_size, "volume_error_ml"),
    "diameter_error_mm": partial(_mean, "diameter_error_mm"),
    "diameter_abs_error_mm": partial(_size, "diameter_error_mm"),
}
