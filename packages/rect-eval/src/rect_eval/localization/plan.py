"""Which findings of which cases are scored, and why the others are not."""

from collections.abc import Sequence
from dataclasses import dataclass

from rect_core.findings import LOCALIZED
from rect_core.frame import GridConfig
from rect_eval.cases import Pairs
from rect_eval.localization.case import Job, looked_for

UNKNOWN = "unknown truth"
NOT_ASSESSED = "not assessed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """jobs: by case, those with something to score; skipped: finding -> why, of each case; findings: of all jobs, in
    the order of LOCALIZED and then of their names."""

    jobs: dict[str, Job]
    skipped: tuple[dict[str, str], ...]
    findings: tuple[str, ...]

    def counted(self, why: str) -> int:
        """How many were left out for a reason."""
        return sum(reason == why for case in self.skipped for reason in case.values())


def plan(pairs: Pairs, grid: GridConfig | None) -> Plan:
    """A finding is scored where its truth is known and any prediction looked for it: one that did not is missing, or a
    system could choose the cases it is scored on."""
    ever = {finding for predicted in pairs.predictions for finding in looked_for(predicted)}
    jobs: dict[str, Job] = {}
    skipped: list[dict[str, str]] = []
    for truth, predicted in zip(pairs.truths, pairs.predictions, strict=True):
        scored = ordered([finding for finding in truth.lesions if finding in ever])
        others = {*truth.lesions, *(ever if predicted is None else looked_for(predicted))} - {*scored}
        skipped.append({finding: NOT_ASSESSED if finding in truth.lesions else UNKNOWN for finding in others})
        if scored:
            jobs[truth.case_id] = Job(truth=truth, predicted=predicted, findings=scored, grid=grid)
    findings = ordered({finding for job in jobs.values() for finding in job.findings})
    return Plan(jobs=jobs, skipped=tuple(skipped), findings=findings)


def ordered(findings: Sequence[str] | set[str]) -> tuple[str, ...]:
    """In the order of LOCALIZED, others behind by name."""
    known = [finding for finding in LOCALIZED if finding in findings]
    return (*known, *sorted(set(findings) - set(known)))
