"""One evaluation, from files to sections: read, match, score each part, and say what was left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rect_core.errors import DataError
from rect_eval.cases import Pairs
from rect_eval.reports.ce import Reader
from rect_eval.run.decide import cuts, recalibrated
from rect_eval.run.evaluation import Cohort, Evaluation
from rect_eval.run.options import Options
from rect_eval.run.parts import Parts, same_cases, split_parts
from rect_eval.run.readers import reader
from rect_eval.run.weights import weights_warnings
from rect_eval.scores import Section

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much (0: not known)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What was read and matched. controls: name -> the same references with the predictions of a control; notes: what
    the reference itself leaves out."""

    pairs: Pairs
    controls: Mapping[str, Pairs] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def evaluate(
    predictions: Path,
    truth: Path,
    options: Options | None = None,
    controls: Mapping[str, Path] | None = None,
    *,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores predictions (folders, VLM3D JSON, CSV, parquet) against a truth (manifest, labels CSV, folder).

    controls: name -> predictions in any of these formats, scored beside the reports. Raises DataError, one line, for
    input that cannot be scored.
    """
    options, tell = options or Options(), progress or silent
    loaded = load(predictions, truth, options, controls or {}, progress=tell)
    parts = split_parts(loaded.pairs, options)
    if loaded.controls and "reports" not in parts.found:
        raise DataError(f"control {next(iter(loaded.controls))!r} is for reports, but no report is scored: drop it")
    sections = score_parts(parts, loaded, options, progress=tell)
    return Evaluation(
        predictions=predictions.absolute().name,
        truth=truth.absolute().name,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cohort=cohort_of(loaded.pairs, parts),
        settings=options.plain(),
        versions=versions(),
        sections=sections,
        warnings=_warnings(loaded.pairs, parts, options),
        notes=(*loaded.notes, *parts.notes),
        pairs=loaded.pairs,
    )


def load(
    predictions: Path, truth: Path, options: Options, controls: Mapping[str, Path], *, progress: Progress
) -> Loaded:
    """The cases of the truth with their predictions, and with those of each control."""
    from rect_eval.io import match, read_predictions, read_truth

    progress("reading", 0, 0)
    references = read_truth(truth, split=options.split)

    def matched(path: Path) -> Pairs:
        return match(references, read_predictions(path), allow_missing=options.allow_missing)

    pairs = recalibrated(matched(predictions), options.thresholds)
    out = len(references.excluded)
    notes = (f"{out} rows of the truth are excluded there and not scored.",) if out else ()
    return Loaded(pairs=pairs, controls={name: matched(path) for name, path in controls.items()}, notes=notes)


def score_parts(parts: Parts, loaded: Loaded, options: Options, *, progress: Progress) -> tuple[Section, ...]:
    """The sections. What can be wrong with the labeler is found before the long work."""
    read = reader(options.labeler) if "reports" in parts.found else None
    if read is not None and options.meteor:
        from rect_eval.reports.meteor import jar_at

        jar_at(Path(options.meteor))
    sections = []
    for part, pairs in parts.found.items():
        progress(part, 0, 0)
        if read is not None and part == "reports":
            others = {name: same_cases(other, pairs) for name, other in loaded.controls.items()}
            sections.append(_reports(pairs, options, others, *read))
        else:
            sections.append(
                _localization(pairs, options, progress) if part == "localization" else _labels(pairs, options)
            )
    return tuple(sections)


def versions() -> dict[str, str]:
    """Package -> version, Python included; optional libraries where they are installed."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("rect-eval", "rect-core", "numpy", "scipy", "matplotlib"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cohort_of(pairs: Pairs, parts: Parts) -> Cohort:
    """Who is scored."""
    return Cohort(
        cases=len(pairs),
        scans=len(set(pairs.scans.tolist())),
        patients=len(set(pairs.patients.tolist())),
        missing=pairs.missing,
        silent=parts.silent,
        extra=pairs.extra,
    )


def silent(what: str, done: int, total: int) -> None:
    """The progress that nobody sees."""
    del what, done, total


def _labels(pairs: Pairs, options: Options) -> Section:
    from rect_eval.classification import classify_section

    return classify_section(
        pairs,
        protocol=options.protocol,
        thresholds=cuts(pairs, options),
        fitted_here=bool(options.thresholds.fit_here),
        unit=options.counted,
        resamples=options.resamples,
        interval=options.interval,
        seed=options.seed,
    )


def _localization(pairs: Pairs, options: Options, progress: Progress) -> Section:
    from rect_eval.localization import localize_section

    return localize_section(
        pairs,
        grid=options.grid,
        workers=options.workers,
        unit=options.counted,
        resamples=options.resamples,
        interval=options.interval,
        seed=options.seed,
        progress=lambda done, total: progress("localization", done, total),
    )


def _reports(pairs: Pairs, options: Options, others: Mapping[str, Pairs], read: Reader, name: str) -> Section:
    from rect_eval.reports import reports_section

    return reports_section(
        pairs,
        reader=read,
        reader_name=name,
        reference=options.reference,
        protocol=options.protocol,
        unit=options.counted,
        resamples=options.resamples,
        interval=options.interval,
        seed=options.seed,
        controls=others,
        meteor=Path(options.meteor) if options.meteor else None,
    )


def _warnings(pairs: Pairs, parts: Parts, options: Options) -> tuple[str, ...]:
    """What must be known before a number is read."""
    found = weights_warnings(pairs)
    if pairs.missing:
        found.append(f"{len(pairs.missing)} of {len(pairs)} cases have no prediction; they count as failures.")
    if parts.silent:
        found.append(f"{len(parts.silent)} predictions lack a part that is scored, and count as failures there.")
    if options.thresholds.fit_here:
        found.append(
            f"Thresholds were fitted ({options.thresholds.fit_here}) on the cases that are scored: every score that "
            "rests on a decision is flattered and does not compare with one whose thresholds were fitted elsewhere."
        )
    return tuple(found)
