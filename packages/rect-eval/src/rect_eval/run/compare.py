"""Two systems on the same cases: differences with their intervals, and permutation tests."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from rect_core.errors import DataError
from rect_eval.cases import Pairs
from rect_eval.run.evaluate import Progress, cohort_of, load, silent, versions
from rect_eval.run.evaluation import Cohort, Settings
from rect_eval.run.options import Options, Part
from rect_eval.run.parts import Parts, split_parts
from rect_eval.run.readers import reader
from rect_eval.run.statistics import Both, both_of
from rect_eval.run.weights import weights_warnings
from rect_eval.scores import Score


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One score of both systems. difference: b - a with its interval; p: two-sided, of "they are exchangeable", NaN
    without resamples."""

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
    cohort = _cohort(loaded, parts)
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
        notes=_notes(loaded, parts, [a.absolute().name, b.absolute().name], options),
    )


def _cohort(loaded: list[Pairs], parts: list[Parts]) -> Cohort:
    """Who is compared; what is missing of a system has its letter behind its name."""
    first, second = (cohort_of(pairs, found) for pairs, found in zip(loaded, parts, strict=True))

    def both(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name} ({letter})" for letter, names in (("A", a), ("B", b)) for name in names)

    return replace(
        first,
        missing=both(first.missing, second.missing),
        silent=both(first.silent, second.silent),
        extra=both(first.extra, second.extra),
    )


def _differences(part: Part, both: Both, options: Options) -> list[Difference]:
    from rect_eval.classification.statistic import inflated
    from rect_eval.uncertainty import paired_bootstrap, permutation_test

    first, second = (partial(both.alone, second=which) for which in (False, True))
    once = np.ones((1, len(both.patients)))
    a, b = first(once)[0], second(once)[0]
    found = paired_bootstrap(
        first,
        second,
        both.patients,
        resamples=options.resamples,
        seed=options.seed,
        interval=options.interval,
        inflated=inflated(both.names),
    )
    p = np.full(len(both.names), np.nan)
    if options.resamples:
        p = permutation_test(both.statistic, both.patients, permutations=options.resamples, seed=options.seed)
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


def _notes(loaded: list[Pairs], parts: list[Parts], names: list[str], options: Options) -> tuple[str, ...]:
    """What is not compared, what counts as a failure, what the weights are, and how to read the p-values."""
    found = []
    for pairs, mine, other, name in zip(loaded, parts, reversed(parts), names, strict=True):
        found += [f"{name}: {text}" for text in weights_warnings(pairs)]
        found += [f"{part}: only {name} has it; it is not compared." for part in mine.found if part not in other.found]
        if pairs.missing:
            found.append(
                f"{len(pairs.missing)} of {len(pairs)} cases have no prediction of {name} and count as failures."
            )
        if mine.silent:
            found.append(f"{len(mine.silent)} predictions of {name} lack a part and count as failures there.")
    if not options.resamples:
        return (*found, "There are no intervals and no p-values: they need resamples.")
    return (*found, "p-values are not corrected for the number of scores.")
