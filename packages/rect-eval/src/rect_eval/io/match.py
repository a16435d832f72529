"""References and predictions of the same cases."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from rect_core.errors import DataError
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.io.names import case_of

_SHOWN: Final = 10
_SUFFIX: Final = re.compile(r"(.+)\.[A-Za-z][A-Za-z0-9]*")
"""A last suffix that a file could have: in the accession number "1.2.840" the last part is none."""


def match(truth: Mapping[str, Truth], predictions: Mapping[str, Predicted], *, allow_missing: bool) -> Pairs:
    """Every reference with its prediction, in the order of the truth.

    Names must be equal; what finds no partner so is matched without its last suffix, as VLM3D does. Raises DataError
    where references have no prediction (unless allow_missing, which leaves None), and where none has.
    """
    partners = {case: case for case in truth if case in predictions}
    partners |= _without_suffix(
        [case for case in truth if case not in partners], [name for name in predictions if name not in partners]
    )
    if not partners:
        raise DataError(
            f"no prediction belongs to a reference: predictions are called {_example(predictions)}, references "
            f"{_example(truth)}: give both the same names"
        )
    missing = [case for case in truth if case not in partners]
    if missing and not allow_missing:
        raise DataError(
            f"{len(missing)} of {len(truth)} cases have no prediction: {_some(missing)}: predict them, or give "
            "--allow-missing to count them as failures"
        )
    used = set(partners.values())
    return Pairs(
        truths=tuple(truth.values()),
        predictions=tuple(predictions[partners[case]] if case in partners else None for case in truth),
        extra=tuple(sorted(name for name in predictions if name not in used)),
    )


def _without_suffix(cases: list[str], names: list[str]) -> dict[str, str]:
    """Case -> name of those that are equal without the suffix of a scan, or without any suffix on one side, where that
    leaves no choice. Two unknown suffixes tell two cases apart: "p1.ct1" is not "p1.ct2"."""
    found: dict[str, str] = {}
    for ours, theirs in ((case_of, case_of), (str, _stem), (_stem, str)):
        used = set(found.values())
        left = _single(ours, [case for case in cases if case not in found])
        right = _single(theirs, [name for name in names if name not in used])
        found |= {left[key]: right[key] for key in left.keys() & right.keys()}
    return found


def _single(key: Callable[[str], str], names: list[str]) -> dict[str, str]:
    """Names by their keys, without those that share one."""
    keys = {name: key(name) for name in names}
    count = Counter(keys.values())
    return {short: name for name, short in keys.items() if count[short] == 1}


def _stem(name: str) -> str:
    found = _SUFFIX.fullmatch(name)
    return found[1] if found else name


def _example(names: Mapping[str, object]) -> str:
    return repr(next(iter(names))) if names else "nothing (there are none)"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
