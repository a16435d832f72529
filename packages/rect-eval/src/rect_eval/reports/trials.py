"""The controls of report scores: reports that were not written for the scan, and those that could hardly be better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Int64

from rect_core.errors import DataError
from rect_eval.cases import Pairs
from rect_eval.classification.ratio import once, only, ratio
from rect_eval.controls import mismatch
from rect_eval.reports.ce import Reader
from rect_eval.reports.constant import all_normal, common_labels, report_of
from rect_eval.reports.reference import Reference
from rect_eval.reports.statistic import SCORES, ReportScores
from rect_eval.reports.written import Written, texts_of, written
from rect_eval.scores import Control, Score

PERMUTATIONS: Final = 5
CEILINGS: Final = ("reference label round trip", "second report")
"""Controls that know the truth; any other that is given is a floor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A control before it is scored. rows: for each permutation, which of its reports each case gets; own: its reports
    are its own, so that contradictions in them are its own too."""

    name: str
    kind: Literal["floor", "ceiling"]
    explained: str
    reports: Written
    rows: tuple[Int64[np.ndarray, " n"], ...]
    own: bool = False


def trials(
    pairs: Pairs, reference: Reference, own: Written, *, reader: Reader, given: Mapping[str, Pairs], seed: int
) -> tuple[Trial, ...]:
    """All controls: another patient's report (with two patients or more), two constant reports, and what was given."""
    constants = (_prevalence(reference, reader), _normal(reference, reader))
    others = tuple(_given(name, pairs, other, reference, reader) for name, other in given.items())
    patients = pairs.patients
    if len(np.unique(patients)) < 2:
        return (*constants, *others)
    shuffled = Trial(
        name="mismatched scan",
        kind="floor",
        explained=f"Every case has the report of another patient's scan; mean of {PERMUTATIONS} permutations.",
        reports=own,
        rows=tuple(mismatch(patients, seed=seed, times=PERMUTATIONS)),
    )
    return (shuffled, *constants, *others)


def control(
    trial: Trial, reference: Reference, *, undefined: float, meteor: Float[np.ndarray, "n 23"] | None, why: str
) -> Control:
    """The scores of a control: the mean over its permutations. meteor: of the first one; why: where there is none."""
    found = [
        ReportScores(reference, trial.reports, rows, undefined=undefined, meteor=None if i else meteor)
        for i, rows in enumerate(trial.rows)
    ]
    values = np.stack([only(scores(once(len(reference)))) for scores in found])
    known = ~np.isnan(values)
    means = ratio(np.nan_to_num(values).sum(0), known.sum(0).astype(np.float64))
    counted = found[0].rests_on()
    return Control(
        name=trial.name,
        kind=trial.kind,
        explained=trial.explained,
        scores={
            name: Score(value=value, n=counted[name], why=_why(name, why) if isnan(value) else "")
            for name, value in zip(SCORES, means.tolist(), strict=True)
            if trial.own or name != "contradictions"
        },
    )


def _why(name: str, meteor: str) -> str:
    return meteor if name == "meteor" else "undefined for these reports"


def _prevalence(reference: Reference, reader: Reader) -> Trial:
    common = common_labels(reference.labels[reference.labelled > 0])
    named = ", ".join(common) or "none"
    return _constant(
        "prevalence report",
        f"Every case has the same report, which states the labels that are at least as common in the reference as all "
        f"labels pooled ({named}) and denies the others.",
        report_of(common),
        reference,
        reader,
    )


def _normal(reference: Reference, reader: Reader) -> Trial:
    told = "Every case has the same report, which denies all 18 labels."
    return _constant("all-normal report", told, all_normal(), reference, reader)


def _constant(name: str, explained: str, text: str, reference: Reference, reader: Reader) -> Trial:
    reports = written([text], reference.known, reader)
    rows = np.zeros(len(reference), np.int64)
    return Trial(name=name, kind="floor", explained=explained, reports=reports, rows=(rows,))


def _given(name: str, pairs: Pairs, other: Pairs, reference: Reference, reader: Reader) -> Trial:
    """A control that came as predictions of the same cases. Raises DataError where it has other cases or no report."""
    if [t.case_id for t in other.truths] != [t.case_id for t in pairs.truths]:
        raise DataError(
            f"control {name!r} has {len(other)} cases, not the {len(pairs)} that are scored, in their order"
        )
    reports = written(texts_of(other), reference.known, reader)
    if reports.failed.all():
        raise DataError(
            f"control {name!r} has no report for any of the {len(pairs)} scored cases: give one with reports"
        )
    gone = int(reports.failed.sum())
    kind: Literal["floor", "ceiling"] = "ceiling" if _plain(name) in CEILINGS else "floor"
    missing = f" {gone} of {len(pairs)} have no report there and count as failures." if gone else ""
    return Trial(
        name=name,
        kind=kind,
        explained=f"Reports that were given as a control ({kind}).{missing}",
        reports=reports,
        rows=(np.arange(len(pairs)),),
        own=True,
    )


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("-", " ").replace("_", " ").split())


def pairs_for_meteor(
    reference: Reference, jobs: Sequence[tuple[Written, Int64[np.ndarray, " n"]]]
) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """Reports and references of some jobs, one after the other, of the cases whose reference has words."""
    worded = np.flatnonzero(reference.worded)
    hypotheses = [reports.tokens[rows[i]] for reports, rows in jobs for i in worded]
    return hypotheses, [reference.tokens[i] for _ in jobs for i in worded]
