"""The localization part of an evaluation: overlap, surfaces, lesions and sizes on the scans' own grids."""

from collections.abc import Callable, Sequence
from math import nan
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.frame import GridConfig
from rect_eval.cases import Pairs
from rect_eval.localization.case import score_case
from rect_eval.localization.froc import froc_of
from rect_eval.localization.matching import THRESHOLDS
from rect_eval.localization.notes import notes_of, warnings_of
from rect_eval.localization.plan import Plan, ordered, plan
from rect_eval.localization.pool import run
from rect_eval.localization.rates import rates_of
from rect_eval.localization.score import MEASURES, Result
from rect_eval.localization.summary import Summary
from rect_eval.scores import Cell, Section, Table
from rect_eval.uncertainty import bootstrap

COLUMNS: Final = ("case_id", "patient", "scan", "finding", *MEASURES, "status")


def localize_section(
    pairs: Pairs,
    *,
    grid: GridConfig | None,
    workers: int = 1,
    unit: str = "scan",
    resamples: int = 1000,
    interval: str = "percentile",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Section:
    """Scores masks of instance ids, case by case in `workers` processes; memory holds one case a process.

    grid: of the model, for the oracle Dice (None leaves it undefined). unit: "scan" (the reconstructions of a scan
    together count as one) or "reconstruction". progress: told how many cases are done, and of how many. Raises
    DataError that names the case for a mask that cannot be read or lies on another grid.
    """
    if unit not in ("scan", "reconstruction"):
        raise ValueError(f"unit {unit!r} is neither 'scan' nor 'reconstruction'")
    todo = plan(pairs, grid)
    done = run(todo.jobs, score_case, workers=workers, progress=progress)
    results = [done.get(truth.case_id, ()) for truth in pairs.truths]
    summary = _summary(pairs, todo, results, unit)
    found = bootstrap(summary, pairs.patients, resamples=resamples, seed=seed, interval=interval)
    return Section(
        name="localization",
        scores=summary.scores(found),
        classes=summary.classes(found),
        cases=_cases(pairs, todo, results),
        notes=notes_of(grid, unit),
        warnings=warnings_of(pairs, todo, results, asked_oracle=grid is not None),
        curves={"froc": {finding: summary.frocs[finding, "dice"].curve() for finding in todo.findings}},
    )


def _summary(pairs: Pairs, todo: Plan, results: Sequence[Sequence[Result]], unit: str) -> Summary:
    rates = rates_of(results, todo.findings)
    weights = {finding: _weights(pairs, results, finding, unit) for finding in todo.findings}
    frocs = {(f, rule): froc_of(results, f, rule, weights[f]) for f in todo.findings for rule in THRESHOLDS}
    return Summary(todo.findings, rates.by_scan(pairs.scans) if unit == "scan" else rates, frocs)


def _weights(pairs: Pairs, results: Sequence[Sequence[Result]], finding: str, unit: str) -> Float[np.ndarray, " n"]:
    """What a case counts in the FROC of a finding: 1, or its share of the reconstructions of its scan."""
    scored = np.array([any(r.finding == finding and not r.partial for r in case) for case in results], np.float64)
    if unit == "reconstruction":
        return scored
    together = np.bincount(pairs.scans, weights=scored)[pairs.scans]
    return np.asarray(scored / np.maximum(together, 1.0), np.float64)


def _cases(pairs: Pairs, todo: Plan, results: Sequence[Sequence[Result]]) -> Table:
    """A row a case and finding, those that were not scored among them."""
    rows: list[tuple[Cell, ...]] = []
    for truth, case, skipped in zip(pairs.truths, results, todo.skipped, strict=True):
        scored = {result.finding: result for result in case}
        for finding in ordered({*scored, *skipped}):
            result = scored.get(finding)
            values = [nan] * len(MEASURES) if result is None else [result.values[name] for name in MEASURES]
            status = skipped[finding] if result is None else result.status
            rows.append((truth.case_id, truth.patient, truth.scan, finding, *values, status))
    return Table(columns=COLUMNS, rows=tuple(rows))
