"""The scores of reports by label and by case."""

from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.findings import LABELS
from rect_eval.cases import Pairs
from rect_eval.reports.agreement import Agreement, Verdict
from rect_eval.reports.reference import Reference
from rect_eval.reports.statistic import ASPECTS, WORDING, ReportScores
from rect_eval.reports.written import Written
from rect_eval.scores import Cell, Table
from rect_eval.uncertainty import Interval

_CE: Final = ("precision", "recall", "f1")


def class_table(reference: Reference, own: Written, found: Interval) -> Table:
    """One row a label. found: precision, recall and F1 of all labels, label fastest."""
    known = ~np.isnan(reference.labels)
    ends = np.stack([found.value, found.low, found.high]).reshape(3, len(_CE), len(LABELS))
    rows: list[tuple[Cell, ...]] = []
    for k, label in enumerate(LABELS):
        there = known[:, k]
        numbers = (float(ends[end, score, k]) for score in range(len(_CE)) for end in range(3))
        counted = (int(there.sum()), int((reference.labels[:, k] == 1).sum()), int(own.decided[there, k].sum()))
        rows.append((label, *counted, *numbers))
    columns = (f"{name}{end}" for name in _CE for end in ("", "_low", "_high"))
    return Table(columns=("label", "n", "positives", "stated", *columns), rows=tuple(rows))


def case_table(pairs: Pairs, reference: Reference, own: Written, scores: ReportScores) -> Table:
    """One row a case."""
    counted = tuple(f"{aspect}_{end}" for aspect in ASPECTS for end in ("right", "stated"))
    ce = (f"ce_{name}" for name in _CE)
    first = ("case_id", "patient", "scan", "status", "words", "reference_words")
    last = (*counted, "mentions_without_lesion", "contradictions", "contradiction")
    each = np.concatenate([scores.each(), scores.efficacy.each], 1)
    rows = tuple(_row(i, pairs, reference, own, scores, each[i]) for i in range(len(pairs)))
    return Table(columns=(*first, *WORDING, *ce, *last), rows=rows)


def _row(
    i: int, pairs: Pairs, reference: Reference, own: Written, scores: ReportScores, numbers: Float[np.ndarray, " w"]
) -> tuple[Cell, ...]:
    truth, agreed, against = pairs.truths[i], scores.agreed[i], scores.contradictions[i]
    tallies: list[Cell] = [None] * 7 if reference.lesions[i] is None else list(_tallies(agreed))
    return (
        truth.case_id,
        truth.patient,
        truth.scan,
        _status(i, pairs, reference, own),
        len(own.tokens[i]),
        len(reference.tokens[i]),
        *numbers.tolist(),
        *tallies,
        len(against),
        f"{against[0].kind}: {against[0].first} / {against[0].second}" if against else None,
    )


def _status(i: int, pairs: Pairs, reference: Reference, own: Written) -> str:
    if not own.texts[i]:
        return "missing" if pairs.predictions[i] is None else "no report"
    return "scored" if reference.worded[i] else "no reference report"


def _tallies(agreed: tuple[Agreement, ...]) -> tuple[int, ...]:
    verdicts: list[tuple[Verdict, ...]] = [(a.side, a.zone, a.size) for a in agreed]
    counted: list[int] = []
    for aspect in range(len(ASPECTS)):
        said = [verdict[aspect] for verdict in verdicts]
        counted += [said.count("right"), said.count("right") + said.count("wrong")]
    return (*counted, sum(a.lost for a in agreed))
