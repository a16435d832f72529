"""Which patient is in which split: nobody in two."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isclose
from typing import Final

from rect_core.errors import DataError
from rect_core.manifest import kept
from rect_core.types import ManifestRow

_LATER: Final = ("train", "valid", "test")
"""A patient of two splits belongs to the later one; other names come after these."""


def kfold(rows: Sequence[ManifestRow], k: int, seed: int) -> list[tuple[list[ManifestRow], list[ManifestRow]]]:
    """k pairs (training rows, held-out rows); a patient is held out once, with all of its scans and reconstructions.

    Excluded rows are in neither. The folds depend on the patients and the seed, not on the order of the rows. Raises
    DataError for k below 2 or above the number of patients.
    """
    usable = kept(rows)
    patients = _shuffled(usable, seed)
    if not 2 <= k <= len(patients):
        raise DataError(f"{k} folds of {len(patients)} patients: give 2 to {len(patients)} folds")
    fold = {patient: i % k for i, patient in enumerate(patients)}
    return [
        ([r for r in usable if fold[r.patient] != i], [r for r in usable if fold[r.patient] == i]) for i in range(k)
    ]


def split_by_patient(rows: Sequence[ManifestRow], shares: Mapping[str, float], seed: int) -> list[ManifestRow]:
    """The rows with new splits, such as {"train": 0.8, "valid": 0.2} of the patients; the order stays.

    Each split gets its share of the patients rounded, and at least one. Raises DataError for shares that do not add up
    to 1 and for fewer patients than splits.
    """
    if not shares or min(shares.values()) <= 0 or not isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise DataError(f"shares {dict(shares)}: give positive shares that add up to 1")
    patients = _shuffled(rows, seed)
    if len(patients) < len(shares):
        raise DataError(f"{len(patients)} patients for {len(shares)} splits: each split needs one")
    of, names, done, total = {}, list(shares), 0, 0.0
    for left, name in zip(range(len(names) - 1, -1, -1), names, strict=True):
        total += shares[name]
        end = len(patients) if not left else min(max(round(total * len(patients)), done + 1), len(patients) - left)
        of.update(dict.fromkeys(patients[done:end], name))
        done = end
    return [replace(row, split=of[row.patient]) for row in rows]


def without_leaks(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """The rows, with one split for each patient: a patient of split test stays there, one of valid is none of train;
    their rows in the earlier splits are excluded with that reason."""
    latest: dict[str, ManifestRow] = {}
    for row in kept(rows):
        before = latest.setdefault(row.patient, row)
        if _rank(row) > _rank(before):
            latest[row.patient] = row
    return [row if row.exclusion else _unless_leak(row, latest[row.patient]) for row in rows]


def _shuffled(rows: Sequence[ManifestRow], seed: int) -> list[str]:
    patients = sorted({row.patient for row in rows})
    random.Random(seed).shuffle(patients)
    return patients


def _rank(row: ManifestRow) -> int:
    return _LATER.index(row.split) if row.split in _LATER else len(_LATER)


def _unless_leak(row: ManifestRow, last: ManifestRow) -> ManifestRow:
    if _rank(row) >= _rank(last):
        return row
    return replace(row, exclusion=f"leak: patient {row.patient} is also in split {last.split} ({last.case_id})")
