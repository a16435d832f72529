"""The rows of a manifest as references."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rect_core.errors import DataError
from rect_core.findings import LOCALIZED
from rect_core.manifest import PARTIAL, read_manifest
from rect_core.readers.names import suffix_of
from rect_core.types import ManifestRow
from rect_eval.cases import Truth

_LOG: Final = logging.getLogger(__name__)


def from_manifest(path: Path, split: str) -> tuple[list[Truth], dict[str, str]]:
    """The references of a manifest's rows of a split ("": of all), and its excluded cases with their reasons."""
    rows = list(enumerate(read_manifest(path), start=1))
    wanted = [(number, row) for number, row in rows if split in ("", row.split)]
    excluded = {row.case_id: row.exclusion for _, row in wanted if row.exclusion}
    if wanted and len(excluded) == len(wanted):
        why = next(iter(excluded.values()))
        raise DataError(
            f"{path.name}: all {len(wanted)} rows are excluded (the first: {why}): there is nothing to score"
        )
    check_split(path, split, [row.split for _, row in rows], wanted)
    if excluded:
        _LOG.info("%s: %d of %d rows are excluded and not scored", path.name, len(excluded), len(wanted))
    return [_of_row(path, number, row) for number, row in wanted if not row.exclusion], excluded


def check_split(path: Path, split: str, splits: Iterable[str], kept: Sequence[object]) -> None:
    """Raises DataError where no case is kept, with the splits that there are."""
    if not kept:
        known = ", ".join(sorted({repr(name) for name in splits}))
        why = f"no case of split {split!r}; its splits are {known}" if known else "has no rows"
        raise DataError(f"{path.name}: {why}: there is nothing to score")


def _of_row(path: Path, number: int, row: ManifestRow) -> Truth:
    where, root = f"{path.name}: row {number}: case {row.case_id!r}", path.parent
    whole = {name: mask for name, mask in row.lesions.items() if not name.startswith(PARTIAL)}
    parts = {name.removeprefix(PARTIAL): mask for name, mask in row.lesions.items() if name.startswith(PARTIAL)}
    lesions = {**parts, **whole}
    for finding, mask in lesions.items():
        if not file_and_part(root / mask)[0].is_file():
            raise DataError(f"{where}: the mask of {finding} is not there: {mask}: restore it or take it from the row")
    return Truth(
        case_id=row.case_id,
        patient=row.patient,
        scan=row.scan,
        labels=row.labels,
        report=row.report.strip() or None,
        lesions={finding: root / lesions[finding] for finding in LOCALIZED if finding in lesions},
        partial=frozenset(parts.keys() - whole.keys()),
        volume=_there(root, row.volume),
        regions=_there(root, row.regions),
        split=row.split,
    )


def _there(root: Path, place: str) -> Path | None:
    """A scan or map that may have stayed elsewhere: labels and reports are scored without."""
    return root / place if place and (root / place).exists() else None


def file_and_part(mask: Path) -> tuple[Path, str]:
    """A mask's file and what stands after the last "#" of its name ("value=2": the voxels of that value), or ""."""
    name, _, part = mask.name.rpartition("#")
    return (mask, "") if not name or suffix_of(part) else (mask.with_name(name), part)
