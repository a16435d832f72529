"""The scores of two systems on the same cases as one statistic of 2n cases: those of the first, then of the second."""

from dataclasses import dataclass, replace
from math import nan

import numpy as np
from jaxtyping import Float, Int64

from rect_core.findings import LABELS
from rect_eval.cases import Pairs
from rect_eval.reports.ce import Reader
from rect_eval.run.decide import cuts
from rect_eval.run.options import Options, Part
from rect_eval.scores import Statistic


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """names: of the scores; statistic: of 2n units; patients: of the n units of one system."""

    names: tuple[str, ...]
    statistic: Statistic
    patients: Int64[np.ndarray, " n"]

    def alone(self, weights: Float[np.ndarray, "b n"], *, second: bool) -> Float[np.ndarray, "b m"]:
        """The scores of one of the two systems."""
        nothing = np.zeros_like(weights)
        return self.statistic(np.concatenate([nothing, weights] if second else [weights, nothing], 1))


def both_of(part: Part, a: Pairs, b: Pairs, options: Options, read: Reader | None) -> Both:
    """The scores of one part. a, b: the same references. read: the labeler, for reports."""
    if part == "classification":
        return _classification(a, b, options)
    if part == "localization":
        return _localization(a, b, options)
    if read is None:
        raise ValueError("reports need a labeler")
    return _reports(a, b, options, read)


def _classification(a: Pairs, b: Pairs, options: Options) -> Both:
    from rect_eval.classification.gather import gather
    from rect_eval.classification.statistic import WHOLE, ClassificationScores

    vlm3d = options.protocol == "vlm3d"
    own = [np.full(len(LABELS), 0.5) if vlm3d else cuts(pairs, options) for pairs in (a, b)]
    found = [gather(pairs, thresholds=cut, unit=options.counted) for pairs, cut in zip((a, b), own, strict=True)]
    scores = ClassificationScores(
        np.concatenate([x.labels for x in found]),
        np.concatenate([x.prob for x in found]),
        np.concatenate([x.decided for x in found]),
        0.0 if vlm3d else nan,
    )

    # bins of equal mass would be those of both systems together
    kept = [k for k, name in enumerate(WHOLE) if name != "ece_equal_mass"]

    def statistic(weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        return scores(weights)[:, -len(WHOLE) :][:, kept]

    return Both(names=tuple(WHOLE[k] for k in kept), statistic=statistic, patients=found[0].patients)


def _localization(a: Pairs, b: Pairs, options: Options) -> Both:
    from rect_eval.localization.case import score_case
    from rect_eval.localization.plan import plan
    from rect_eval.localization.pool import run
    from rect_eval.localization.rates import rates_of
    from rect_eval.localization.summary import MACRO, POOLED, Summary

    doubled = _doubled(a, b)
    todo = plan(doubled, options.grid)
    done = run(todo.jobs, score_case, workers=options.workers)
    rates = rates_of([done.get(truth.case_id, ()) for truth in doubled.truths], todo.findings)
    summary = Summary(todo.findings, rates.by_scan(doubled.scans) if options.counted == "scan" else rates, {})
    names = (*MACRO, *POOLED)

    def statistic(weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        return summary(weights)[:, -len(names) :]

    return Both(names=names, statistic=statistic, patients=a.patients)


def _reports(a: Pairs, b: Pairs, options: Options, read: Reader) -> Both:
    from rect_eval.reports.reference import reference_of
    from rect_eval.reports.statistic import SCORES, ReportScores
    from rect_eval.reports.truth_lesions import measured
    from rect_eval.reports.written import texts_of, written

    once = reference_of(a, reader=read, source=options.reference, unit=options.counted)
    reference = once.with_lesions(measured(a.truths)).twice()
    reports = written(texts_of(a) + texts_of(b), reference.known, read)
    undefined = 0.0 if options.protocol == "vlm3d" else nan
    scores = ReportScores(reference, reports, np.arange(len(reference)), undefined=undefined)
    return Both(names=SCORES, statistic=scores, patients=a.patients)


def _doubled(a: Pairs, b: Pairs) -> Pairs:
    """The cases twice, with the predictions of both; names of the second half are its own, patients are shared."""
    again = tuple(replace(t, case_id=f"{t.case_id} (second)", scan=f"{t.scan} (second)") for t in b.truths)
    return Pairs(truths=(*a.truths, *again), predictions=(*a.predictions, *b.predictions))
