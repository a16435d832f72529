"""What the reader of report scores has to know, in sentences."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from rect_core.findings import LABELS
from rect_eval.cases import Pairs
from rect_eval.controls import flag
from rect_eval.reports.agreement import LEAST_MM, SHARE
from rect_eval.reports.ce import CE_SCORES
from rect_eval.reports.reference import Reference
from rect_eval.reports.statistic import AGREEMENT, WORDING, ReportScores
from rect_eval.reports.written import Written
from rect_eval.scores import Control, Score

_RULES = (
    "Words are cut as pycocoevalcap's PTB tokenizer cuts them. BLEU (bleu_mean is the mean of BLEU-1 to 4) and METEOR "
    "pool the counts of all reports; ROUGE-L (beta 1.2) and CIDEr are means over reports, and rarity in CIDEr comes "
    "from the references.",
    "ce_..._macro is the plain mean over the labels for which a score is defined, ce_..._micro the score of all cells "
    "pooled, ce_f1_per_report the mean of the F1 within each report, which is 1 where a written report and its "
    "reference both state nothing; crg is pooled over all cells.",
    "agreement_... is the share of right statements among the mentions (found by the rules, whatever reads the labels) "
    "of a finding that the reference outlines: "
    "every stated side and zone must hold a lesion, and a stated size must be within "
    f"{LEAST_MM:g} mm or {SHARE:.0%} of a lesion's diameter there. Zones are thirds of a lung's height, and a lobe may "
    "lie in two of them. Findings without any lesion in the reference are judged by their label, not here.",
    "contradictions is the share of written reports in which one sentence denies what another states, with no "
    "difference of side, place or time, or whose impression goes against the findings. Less is better.",
)
_WHY = {
    "precision": "no label is stated by a report",
    "recall": "no label is present in a reference",
    "f1": "no label is present in a reference or stated by a report",
    "crg": "the known labels are all present or all absent",
}


def notes(
    pairs: Pairs, reference: Reference, *, reader: str, source: str, vlm3d: bool, unit: str, resamples: int
) -> tuple[str, ...]:
    """The rules that were applied."""
    patients = len(np.unique(pairs.patients))
    against = "read off the reference reports by the same labeler" if source == "report" else "the given ones"
    zero = "undefined scores are 0 by VLM3D's rules" if vlm3d else "undefined is NaN"
    drawn = f"95 % intervals come from {resamples} resamples of whole patients."
    found = [
        f"{len(pairs)} cases of {patients} patients; labels are read by: {reader}; those of the reference are "
        f"{against}; {zero}.",
        *_RULES,
        drawn if resamples and patients > 1 else "There are no intervals: they need resamples and two patients.",
    ]
    if unit == "scan":
        found.append("Reconstructions of one scan count as one case together: each weighs one over their number.")
    silent = len(pairs) - int((reference.worded > 0).sum())
    if silent:
        found.append(f"{silent} of {len(pairs)} cases have no reference report: their wording is not compared.")
    if patients < 2:
        found.append("There is no mismatched control: it needs the report of another patient.")
    return tuple(found)


def warnings(pairs: Pairs, own: Written, scores: ReportScores, by_label: Float[np.ndarray, "3 k"]) -> tuple[str, ...]:
    """Failures, contradictions and undefined scores."""
    return (*_failures(pairs, own), *_contradicting(pairs, scores), *_undefined(by_label))


def flags(scores: Mapping[str, Score], controls: Sequence[Control]) -> tuple[str, ...]:
    """One sentence for each score that a floor reaches."""
    found = (
        flag(name, scores[name], control.name, score)
        for control in controls
        if control.kind == "floor"
        for name, score in control.scores.items()
        if name != "contradictions"  # a report can go together without a look at the scan
    )
    return tuple(sentence for sentence in found if sentence)


def why(name: str, *, meteor: str, worded: bool, measured: bool) -> str:
    """Why a score is undefined."""
    if name in WORDING and not worded:
        return "no case has a reference report"
    if name == "meteor":
        return meteor
    if name == "cider":
        return "CIDEr weighs words by how rare they are among the references: it needs two or more"
    if name in CE_SCORES:
        return next((text for part, text in _WHY.items() if part in name), "no label is known")
    if name in AGREEMENT:
        said = name.removeprefix("agreement_")
        return (
            f"no report states the {said} of a finding whose lesions the reference outlines"
            if measured
            else "no reference has whole lesion masks with the scan and its regions"
        )
    return "no report was written"


def _failures(pairs: Pairs, own: Written) -> list[str]:
    names = [truth.case_id for truth, text in zip(pairs.truths, own.texts, strict=True) if not text]
    if not names:
        return []
    more = " and others" if len(names) > 5 else ""
    return [
        f"{len(names)} of {len(pairs)} cases have no report or an empty one and count as failures (no word right, "
        f"no label stated): {', '.join(names[:5])}{more}."
    ]


def _contradicting(pairs: Pairs, scores: ReportScores) -> list[str]:
    rows = [(truth, found[0]) for truth, found in zip(pairs.truths, scores.contradictions, strict=True) if found]
    if not rows:
        return []
    truth, one = rows[0]
    return [
        f"{len(rows)} of {len(pairs)} reports contradict themselves, the first that of {truth.case_id} "
        f"({one.kind}): “{one.first}” and “{one.second}”"
    ]


def _undefined(by_label: Float[np.ndarray, "3 k"]) -> list[str]:
    found = []
    for name, row in zip(("precision", "recall", "f1"), by_label, strict=True):
        gone = [label for label, value in zip(LABELS, row, strict=True) if np.isnan(value)]
        if gone:
            found.append(
                f"ce_{name} is undefined for {len(gone)} of {len(LABELS)} labels ({', '.join(gone)}); "
                f"ce_{name}_macro is over the other {len(LABELS) - len(gone)}."
            )
    return found
