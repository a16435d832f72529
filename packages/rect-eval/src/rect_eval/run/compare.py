"""Two systems on the same cases: differences with their intervals, and permutation tests."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from rect_core.errors import DataError
from rect_eval.run.evaluate import Progress, cohort_of, load, silent, versions
from rect_eval.run.evaluation import Cohort, Settings
from rect_eval.run.options import Options, Part
from rect_eval.run.parts import Parts, split_parts
from rect_eval.run.readers import reader
from rect_eval.run.statistics import Both, both_of
from rect_eval.scores import Score


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One score of both systems. difference: b - a with its interval; p: two-sided, of "they are exchangeable"."""

    part: Part
    score: str
    a: float
    b: float
    difference: Score
    p: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All scores of two systems against one truth."""

    a: str
    b: str
    truth: str
    date: str
    cohort: Cohort
    settings: Settings
    versions: Settings
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


def compare(
    a: Path, b: Path, truth: Path, options: Options | None = None, *, progress: Progress | None = None
) -> Comparison:
    """Differences of all scores that both systems have. Raises DataError as `evaluate`, and with fewer than two
    patients."""
    options, tell = options or Options(), progress or silent
    loaded = [load(path, truth, options, {}, progress=tell).pairs for path in (a, b)]
    parts = [split_parts(pairs, options) for pairs in loaded]
    shared = [part for part in parts[0].found if part in parts[1].found]
    if not shared:
        raise DataError(
            f"{a.name} and {b.name} have no part in common: {', '.join(parts[0].found)} and {', '.join(parts[1].found)}"
        )
    cohort = cohort_of(loaded[0], parts[0])
    if cohort.patients < 2:
        raise DataError(f"{cohort.patients} patient: two systems are compared over patients: give two or more")
    read = reader(options.labeler)[0] if "reports" in shared else None
    found: list[Difference] = []
    for part in shared:
        tell(part, 0, 0)
        found += _differences(part, both_of(part, parts[0].found[part], parts[1].found[part], options, read), options)
    return Comparison(
        a=a.absolute().name,
        b=b.absolute().name,
        truth=truth.absolute().name,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cohort=cohort,
        settings=options.plain(),
        versions=dict(versions()),
        differences=tuple(found),
        notes=_notes(parts, [a.absolute().name, b.absolute().name]),
    )


def _differences(part: Part, both: Both, options: Options) -> list[Difference]:
    from rect_eval.uncertainty import paired_bootstrap, permutation_test

    first, second = (partial(both.alone, second=which) for which in (False, True))
    once = np.ones((1, len(both.patients)))
    a, b = first(once)[0], second(once)[0]
    found = paired_bootstrap(
        first, second, both.patients, resamples=options.resamples, seed=options.seed, interval=options.interval
    )
    p = permutation_test(both.statistic, both.patients, permutations=max(options.resamples, 1), seed=options.seed)
    return [
        Difference(
            part=part,
            score=name,
            a=float(a[k]),
            b=float(b[k]),
            difference=Score(value=float(found.value[k]), low=float(found.low[k]), high=float(found.high[k])),
            p=float(p[k]),
        )
        for k, name in enumerate(both.names)
        if np.isfinite(a[k]) or np.isfinite(b[k])
    ]


def _notes(parts: list[Parts], names: list[str]) -> tuple[str, ...]:
    """What is not compared, and how to read the p-values."""
    found = []
    for mine, other, name in zip(parts, reversed(parts), names, strict=True):
        found += [f"{part}: only {name} has it; it is not compared." for part in mine.found if part not in other.found]
        if mine.silent:
            found.append(f"{len(mine.silent)} predictions of {name} lack a part and count as failures there.")
    return (*found, "p-values are not corrected for the number of scores.")
