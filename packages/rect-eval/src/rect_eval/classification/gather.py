"""From pairs to arrays: what is scored, decided how, for whom."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int64

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.classification.ratio import only
from rect_eval.uncertainty import first_rows, to_scans

DEFAULT_CUT = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """n scored units (reconstructions or scans), one row each.

    missing: nothing was predicted, so that every known label is decided wrongly, whatever the threshold; warnings: what
    happened on the way.
    """

    truths: tuple[Truth, ...]
    patients: Int64[np.ndarray, " n"]
    labels: Float[np.ndarray, "n k"]
    prob: Float[np.ndarray, "n k"]
    threshold: Float[np.ndarray, "n k"]
    decided: Bool[np.ndarray, "n k"]
    missing: Bool[np.ndarray, " n"]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.truths)

    @property
    def known(self) -> Bool[np.ndarray, "n k"]:
        """Cells whose label is known."""
        known: Bool[np.ndarray, "n k"] = ~np.isnan(self.labels)
        return known

    @property
    def prevalence(self) -> Float[np.ndarray, " k"]:
        """Share of positives among the known cells of each label; NaN without one."""
        return only(to_scans(self.labels, np.zeros(len(self), np.int64)))


def gather(pairs: Pairs, *, thresholds: Float[np.ndarray, " k"] | None, unit: str) -> Scored:
    """What is scored, by reconstruction or by scan.

    Raises DataError where there is no case, no probability at all, or one that is not within 0..1; ValueError for an
    unknown unit or for thresholds that are not one probability a label.
    """
    if unit not in ("scan", "reconstruction"):
        raise ValueError(f"unit {unit!r} is neither 'scan' nor 'reconstruction'")
    if thresholds is not None:
        _check_thresholds(thresholds)
    missing = np.array([p is None or p.prob is None for p in pairs.predictions], np.bool_)
    if missing.all():
        raise DataError(f"none of the {len(pairs)} cases has predicted probabilities: there is nothing to score")
    labels = pairs.labels
    prob = np.where(missing[:, None], _wrong(labels), _rows(pairs, "prob"))
    threshold = _rows(pairs, "threshold") if thresholds is None else np.tile(thresholds, (len(pairs), 1))
    threshold[~missing] = np.nan_to_num(threshold[~missing], nan=DEFAULT_CUT)
    scored = Scored(
        truths=pairs.truths,
        patients=pairs.patients,
        labels=labels,
        prob=prob,
        threshold=threshold,
        decided=_decide(labels, prob, threshold, missing),
        missing=missing,
        warnings=_missing_words(pairs, missing),
    )
    return _by_scan(scored, pairs.scans) if unit == "scan" else scored


def _by_scan(scored: Scored, scans: Int64[np.ndarray, " n"]) -> Scored:
    """One row a scan: mean probability, and the label its reconstructions agree on."""
    first = first_rows(scans)
    labels = to_scans(scored.labels, scans)
    torn = (labels > 0) & (labels < 1)
    labels = np.where(torn, np.nan, labels)
    prob, threshold = to_scans(scored.prob, scans), to_scans(scored.threshold, scans)
    missing = to_scans(scored.missing[:, None].astype(np.float64), scans)[:, 0] == 1
    warnings = scored.warnings
    if torn.any():
        where = scored.truths[first[np.flatnonzero(torn.any(1))[0]]]
        warnings += (
            f"In {torn.sum()} cells the reconstructions of one scan have different reference labels (first: scan "
            f"{where.scan} of patient {where.patient}): these cells are left out as unknown.",
        )
    return replace(
        scored,
        truths=tuple(scored.truths[i] for i in first),
        patients=scored.patients[first],
        labels=labels,
        prob=prob,
        threshold=threshold,
        decided=_decide(labels, prob, threshold, missing),
        missing=missing,
        warnings=warnings,
    )


def _rows(pairs: Pairs, name: str) -> Float[np.ndarray, "n k"]:
    """Probabilities or thresholds as they were predicted, NaN where nothing was."""
    rows = np.full((len(pairs), len(LABELS)), np.nan)
    for i, predicted in enumerate(pairs.predictions):
        if predicted is None or predicted.prob is None:
            continue
        values = predicted.prob if name == "prob" else predicted.threshold
        if values is not None:
            rows[i] = _checked(predicted, name, values)
    return rows


def _checked(predicted: Predicted, name: str, values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) != len(LABELS):
        raise DataError(
            f"{predicted.case_id}: {len(values)} values of {name} for {len(LABELS)} labels: give one a label"
        )
    for label, value in zip(LABELS, values, strict=True):
        if not 0 <= value <= 1:
            raise DataError(f"{predicted.case_id}: {name} {value} of {label!r} is not within 0..1: give probabilities")
    return values


def _check_thresholds(thresholds: Float[np.ndarray, " k"]) -> None:
    if len(thresholds) != len(LABELS):
        raise ValueError(f"{len(thresholds)} thresholds for {len(LABELS)} labels: give one a label")
    if not ((thresholds >= 0) & (thresholds <= 1)).all():
        raise ValueError(f"thresholds {thresholds.min()} to {thresholds.max()} are not all within 0..1")


def _wrong(labels: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    return np.where(np.isnan(labels), DEFAULT_CUT, 1 - labels)


def _decide(
    labels: Float[np.ndarray, "n k"],
    prob: Float[np.ndarray, "n k"],
    threshold: Float[np.ndarray, "n k"],
    missing: Bool[np.ndarray, " n"],
) -> Bool[np.ndarray, "n k"]:
    """Present at a probability that reaches its threshold; the opposite of the label where nothing was predicted,
    whatever the threshold."""
    return np.where(missing[:, None], labels == 0, prob >= threshold)


def _missing_words(pairs: Pairs, missing: Bool[np.ndarray, " n"]) -> tuple[str, ...]:
    if not missing.any():
        return ()
    names = [truth.case_id for truth, gone in zip(pairs.truths, missing, strict=True) if gone]
    more = ", ..." if len(names) > 5 else ""
    return (
        f"{len(names)} of {len(pairs)} cases have no predicted probabilities and count as wrong on every label: "
        f"{', '.join(names[:5])}{more}.",
    )
