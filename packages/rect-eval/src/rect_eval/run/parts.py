"""Which parts can be scored, and on which cases: those whose reference says something about it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isnan
from typing import Final

from rect_core.errors import DataError
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.run.options import PARTS, Options, Part


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """What a reference and a prediction need for a part, and their names."""

    truth: Callable[[Truth], bool]
    predicted: Callable[[Predicted], bool]
    wanted: str
    given: str


_STORED: Final = ".b2nd"
"""What a store writes: arrays on the grid of the model."""


def _labelled(truth: Truth) -> bool:
    return not all(isnan(value) for value in truth.labels)


_RULES: Final[dict[Part, _Rule]] = {
    "classification": _Rule(
        truth=_labelled, predicted=lambda p: p.prob is not None, wanted="labels", given="probabilities"
    ),
    "localization": _Rule(
        truth=lambda t: bool(t.lesions),
        predicted=lambda p: bool(p.assessed or p.lesions),
        wanted="masks",
        given="masks",
    ),
    "reports": _Rule(
        truth=lambda t: t.report is not None,
        predicted=lambda p: p.report is not None,
        wanted="reports",
        given="reports",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The cases of each part that is scored. notes: what is not, in sentences; silent: names of predictions that say
    nothing about a part and count as failures there."""

    found: dict[Part, Pairs]
    notes: tuple[str, ...]
    silent: tuple[str, ...]


def split_parts(pairs: Pairs, options: Options) -> Parts:
    """The cases of each part that can be scored.

    Raises DataError where nothing can be scored, where a part that was asked for cannot, and where some cases lack what
    the others have unless allow_missing is set: then those count as failures.
    """
    found: dict[Part, Pairs] = {}
    notes: list[str] = []
    for part in [part for part in PARTS if part in (options.only or options.parts)]:
        rule = _rule(part, options)
        lacking = _lacking(pairs, rule)
        if not lacking:
            if part == "localization":
                _check_grids(pairs)
            found[part] = _of_part(pairs, part, rule, allow_missing=options.allow_missing)
            notes += _left_out(pairs, found[part], part, rule)
        elif part in options.only:
            raise DataError(f"{part} cannot be scored: {lacking}: drop it from --only or give what is missing")
        else:
            notes.append(f"Not scored: {part} ({lacking}).")
    if not found:
        raise DataError("nothing can be scored: " + " ".join(note.removeprefix("Not scored: ") for note in notes))
    missing = set(pairs.missing)
    silent = [f"{case} ({part})" for part, cases in found.items() for case in cases.missing if case not in missing]
    return Parts(found=found, notes=tuple(notes), silent=tuple(silent))


def _rule(part: Part, options: Options) -> _Rule:
    """Reports may be scored against labels alone."""
    if part == "reports" and options.reference == "labels":
        return replace(_RULES["reports"], truth=_labelled, wanted="labels")
    return _RULES[part]


def _lacking(pairs: Pairs, rule: _Rule) -> str:
    if not any(map(rule.truth, pairs.truths)):
        return f"the truth has no {rule.wanted}"
    if not any(p is not None and rule.predicted(p) for p in pairs.predictions):
        return f"no prediction has {rule.given}"
    return ""


def _check_grids(pairs: Pairs) -> None:
    """Refuses the masks of a store, before the long work."""
    for truth in pairs.truths:
        stored = next((path for path in truth.lesions.values() if path.suffix == _STORED), None)
        if stored is not None:
            raise DataError(
                f"localization: case {truth.case_id!r}: {stored.name} lies in a store, on the model's grid, but masks "
                "are scored on the scan's own: give the manifest of the sources (prepare_ct_rate.py --manifest-only), "
                "or --only classification,reports"
            )


def _of_part(pairs: Pairs, part: Part, rule: _Rule, *, allow_missing: bool) -> Pairs:
    """The cases with a reference; a prediction that says nothing about the part is missing."""
    rows = [(t, p) for t, p in zip(pairs.truths, pairs.predictions, strict=True) if rule.truth(t)]
    silent = [t.case_id for t, p in rows if p is not None and not rule.predicted(p)]
    if silent and not allow_missing:
        names = ", ".join(silent[:10]) + (", ..." if len(silent) > 10 else "")
        raise DataError(
            f"{part}: {len(silent)} of {len(rows)} predictions have no {rule.given} ({names}): add them, or give "
            "--allow-missing to count them as failures"
        )
    return Pairs(
        truths=tuple(t for t, _ in rows),
        predictions=tuple(p if p is not None and rule.predicted(p) else None for _, p in rows),
        extra=pairs.extra,
    )


def _left_out(pairs: Pairs, found: Pairs, part: Part, rule: _Rule) -> list[str]:
    many = len(pairs) - len(found)
    return [f"{part}: {many} of {len(pairs)} cases have no reference {rule.wanted} and are not scored."] if many else []


def same_cases(pairs: Pairs, wanted: Pairs) -> Pairs:
    """The rows of some pairs that belong to the references of others, in their order."""
    rows = {t.case_id: p for t, p in zip(pairs.truths, pairs.predictions, strict=True)}
    return replace(pairs, truths=wanted.truths, predictions=tuple(rows.get(t.case_id) for t in wanted.truths))
