"""FROC: the share of lesions found against the false lesions a scan, as the cut on a lesion's probability falls.

At every cut predictions are matched one to one and optimally. The score is the mean sensitivity at 1/8, 1/4, 1/2, 1, 2,
4 and 8 false lesions a scan, as in LUNA16 (Setio 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int64

from rect_eval.localization.matching import Rule
from rect_eval.localization.score import Result

FALSE_PER_SCAN: Final = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

_CELLS: Final = 1 << 20
"""Weights of predictions that are held at once: 8 MB, whatever the number of resamples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Froc:
    """The predicted lesions of one finding, surest first.

    case, hit: of each prediction; last: whether it is the last of its probability; lesions: true ones of each case;
    scored: 1 for a case that counts; why: the reason where no curve can be drawn.
    """

    case: Int64[np.ndarray, " p"]
    hit: Bool[np.ndarray, " p"]
    last: Bool[np.ndarray, " p"]
    lesions: Float[np.ndarray, " n"]
    scored: Float[np.ndarray, " n"]
    why: str = ""

    def __call__(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b 1"]:
        """The score under each weighting of the cases."""
        if self.why:
            return np.full((len(weights), 1), np.nan)
        parts = max(1, len(weights) * len(self.case) // _CELLS)
        return np.concatenate([self._score(part) for part in np.array_split(weights, parts)])[:, None]

    def _score(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        false, found = self._counts(weights)
        rates = np.stack([_reached(false, found, rate) for rate in FALSE_PER_SCAN])
        return np.asarray(rates.mean(axis=0), np.float64)

    def curve(self) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
        """False lesions a scan and sensitivity at each cut, from none upwards; empty where there is no curve."""
        if self.why:
            return np.zeros(0), np.zeros(0)
        false, found = self._counts(np.ones((1, len(self.scored))))
        return false[0], found[0]

    def _counts(self, weights: Float[np.ndarray, "b n"]) -> tuple[Float[np.ndarray, "b c"], Float[np.ndarray, "b c"]]:
        """False lesions a scan and sensitivity, for the first c cuts; the cut above everything comes first."""
        each = (weights * self.scored)[:, self.case]
        scans, lesions = weights @ self.scored, weights @ (self.lesions * self.scored)
        ends = np.flatnonzero(self.last)
        false, found = (np.cumsum(each * kind, axis=1)[:, ends] for kind in (~self.hit, self.hit))
        start = np.zeros((len(weights), 1))
        return _share(np.hstack([start, false]), scans), _share(np.hstack([start, found]), lesions)


def froc_of(results: Sequence[Sequence[Result]], finding: str, rule: Rule, scored: Float[np.ndarray, " n"]) -> Froc:
    """The curve of one finding. scored: weight of each case, 0 where the finding is not scored in it."""
    rows = [(i, r) for i, case in enumerate(results) for r in case if r.finding == finding and not r.partial]
    lesions, counted = np.zeros(len(results)), np.zeros(len(results))
    for i, r in rows:
        lesions[i], counted[i] = len(r.lesions), scored[i]
    case = np.concatenate([np.full(len(r.confidence), i) for i, r in rows] or [np.zeros(0)]).astype(np.int64)
    prob = np.concatenate([r.confidence for _, r in rows] or [np.zeros(0)])
    hit = np.concatenate([r.hits[rule] for _, r in rows] or [np.zeros(0, bool)]).astype(bool)
    order = np.argsort(-prob, kind="stable")
    last = np.append(np.diff(prob[order]) != 0, True)[: len(order)]
    return Froc(case=case[order], hit=hit[order], last=last, lesions=lesions, scored=counted, why=_why(prob, lesions))


def _why(prob: Float[np.ndarray, " p"], lesions: Float[np.ndarray, " n"]) -> str:
    if np.isnan(prob).any():
        return "the predicted lesions have no probability (findings.json gives one)"
    return "" if lesions.any() else "no true lesion"


def _share(counts: Float[np.ndarray, "b c"], of: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b c"]:
    """A resample without scans or lesions has no share of them."""
    whole = np.broadcast_to(of[:, None], counts.shape)
    return np.asarray(np.divide(counts, whole, out=np.full_like(counts, np.nan), where=whole > 0), np.float64)


def _reached(false: Float[np.ndarray, "b c"], found: Float[np.ndarray, "b c"], rate: float) -> Float[np.ndarray, " b"]:
    """The best sensitivity with at most `rate` false lesions a scan; both rise along a row."""
    at = np.maximum((false <= rate + 1e-9).sum(axis=1) - 1, 0)
    return np.asarray(found[np.arange(len(found)), at], np.float64)
