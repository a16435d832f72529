"""The reports part of an evaluation."""

from collections.abc import Mapping
from math import isnan, nan
from pathlib import Path

import numpy as np
from jaxtyping import Float

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.cases import Pairs
from rect_eval.reports.agreement import counts
from rect_eval.reports.ce import Reader
from rect_eval.reports.meteor import NOT_ASKED, MeteorUnavailable, count_matches, jar_at
from rect_eval.reports.reference import Reference, reference_of
from rect_eval.reports.statistic import SCORES, ReportScores
from rect_eval.reports.tables import case_table, class_table
from rect_eval.reports.trials import Trial, control, pairs_for_meteor, trials
from rect_eval.reports.truth_lesions import measured
from rect_eval.reports.words import flags, notes, warnings, why
from rect_eval.reports.written import Written, texts_of, written
from rect_eval.scores import Score, Section
from rect_eval.uncertainty import Interval, bootstrap


def reports_section(
    pairs: Pairs,
    *,
    reader: Reader,
    reader_name: str,
    reference: str = "report",
    protocol: str = "rect",
    unit: str = "scan",
    resamples: int = 1000,
    interval: str = "percentile",
    seed: int = 0,
    controls: Mapping[str, Pairs] | None = None,
    meteor: Path | None = None,
) -> Section:
    """Scores of reports with intervals, tables and controls.

    reader: finds the 18 labels of reports; reference: "report" (it reads the references too) or "labels" (they are
    given). protocol "vlm3d": undefined is 0, and every reconstruction counts, whatever `unit` says. controls: name ->
    predictions of the same cases. meteor: a jar, a folder with it, or "pycocoevalcap". Mentions, and so agreement and
    contradictions, are always found by the rules of `rect_eval.label`. Raises DataError where there is nothing to score
    and ValueError for an unknown protocol, unit or reference.
    """
    _check(pairs, reference=reference, protocol=protocol, unit=unit)
    jar = jar_at(meteor) if meteor else None
    vlm3d = protocol == "vlm3d"
    unit, undefined = ("reconstruction", 0.0) if vlm3d else (unit, nan)
    truth, own = _read(pairs, reader, reference, unit)
    others = trials(pairs, truth, own, reader=reader, given=controls or {}, seed=seed)
    counted, reason = _meteor(jar, truth, own, others)
    scores = ReportScores(truth, own, np.arange(len(pairs)), undefined=undefined, meteor=counted[0])
    whole, labels = (
        bootstrap(statistic, pairs.patients, resamples=resamples, seed=seed, interval=interval)
        for statistic in (scores, _ByLabel(scores))
    )
    found = _scores(scores, whole, truth, reason)
    beside = tuple(
        control(trial, truth, undefined=undefined, meteor=part, why=reason)
        for trial, part in zip(others, counted[1:], strict=True)
    )
    rules = notes(pairs, truth, reader=reader_name, source=reference, vlm3d=vlm3d, unit=unit, resamples=resamples)
    by_label = labels.value.reshape(3, len(LABELS))
    return Section(
        name="reports",
        scores=found,
        classes=class_table(truth, own, labels),
        cases=case_table(pairs, truth, own, scores),
        controls=beside,
        notes=rules,
        warnings=(*warnings(pairs, own, scores, by_label), *flags(found, beside)),
    )


class _ByLabel:
    """Precision, recall and F1 of each label as a `Statistic`, label fastest."""

    def __init__(self, scores: ReportScores) -> None:
        self._scores = scores

    def __call__(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        return self._scores.by_label(weights).reshape(len(weights), -1)


def _check(pairs: Pairs, *, reference: str, protocol: str, unit: str) -> None:
    choices = {"protocol": (protocol, ("rect", "vlm3d")), "unit": (unit, ("scan", "reconstruction"))}
    choices["reference"] = (reference, ("report", "labels"))
    for name, (value, known) in choices.items():
        if value not in known:
            raise ValueError(f"{name} {value!r} is neither {known[0]!r} nor {known[1]!r}")
    if not any(texts_of(pairs)):
        raise DataError(f"none of the {len(pairs)} cases has a predicted report: there is nothing to score")
    if reference == "report" and not any((truth.report or "").strip() for truth in pairs.truths):
        raise DataError(
            f"none of the {len(pairs)} cases has a reference report: give reports, or compare with the labels"
        )
    if reference == "labels" and np.isnan(pairs.labels).all():
        raise DataError(f"none of the {len(pairs)} cases has a known label: give labels, or compare with the reports")


def _read(pairs: Pairs, reader: Reader, source: str, unit: str) -> tuple[Reference, Written]:
    """References and reports; lesions are measured only where a report says something about one."""
    truth = reference_of(pairs, reader=reader, source=source, unit=unit)
    own = written(texts_of(pairs), truth.known, reader)
    spoken = any(counts(m) and m.finding and (m.sides or m.places or m.sizes_mm) for said in own.mentions for m in said)
    return (truth.with_lesions(measured(pairs.truths)) if spoken else truth), own


def _meteor(
    jar: Path | None, truth: Reference, own: Written, others: tuple[Trial, ...]
) -> tuple[list[Float[np.ndarray, "n 23"] | None], str]:
    """What METEOR counts for the reports and for each control (of the mismatched one the first permutation), and why
    it does not."""
    jobs = [(own, np.arange(len(truth))), *((trial.reports, trial.rows[0]) for trial in others)]
    if jar is None or not truth.worded.any():
        return [None] * len(jobs), NOT_ASKED
    try:
        counted = count_matches(jar, *pairs_for_meteor(truth, jobs))
    except MeteorUnavailable as unavailable:
        return [None] * len(jobs), str(unavailable)
    parts: list[Float[np.ndarray, "n 23"] | None] = []
    for part in np.split(counted, len(jobs)):
        rows = np.zeros((len(truth), counted.shape[1]))
        rows[truth.worded > 0] = part
        parts.append(rows)
    return parts, ""


def _scores(scores: ReportScores, found: Interval, truth: Reference, meteor: str) -> dict[str, Score]:
    counted = scores.rests_on()
    worded, known = bool(truth.worded.any()), any(lesions is not None for lesions in truth.lesions)
    ends = zip(*(part.tolist() for part in (found.value, found.low, found.high)), strict=True)
    return {
        name: Score(
            value=value,
            low=low,
            high=high,
            n=counted[name],
            why=why(name, meteor=meteor, worded=worded, measured=known) if isnan(value) else "",
        )
        for name, (value, low, high) in zip(SCORES, ends, strict=True)
    }
