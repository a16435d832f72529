"""The reference: a manifest, tables of labels and reports, or folders of masks."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from rect_core.errors import DataError
from rect_core.findings import LABELS, LOCALIZED
from rect_eval.cases import Truth
from rect_eval.io import cells
from rect_eval.io.files import masks_in
from rect_eval.io.manifest import check_split, from_manifest
from rect_eval.io.names import case_of, origin_of
from rect_eval.io.tables import SUFFIXES, Row, Table, is_table, read_columns, read_table
from rect_eval.io.vlm3d import read_vlm3d

_BESIDE: Final = ("volume", "regions")
"""Files that may stand beside the masks of a case."""


class Truths(dict[str, Truth]):
    """References by case id. excluded: cases of the manifest that are not scored, with the manifest's reason."""

    def __init__(self, found: Iterable[Truth], excluded: Mapping[str, str]) -> None:
        super().__init__((truth.case_id, truth) for truth in found)
        self.excluded = dict(excluded)


def read_truth(path: Path, *, split: str = "") -> Truths:
    """References by case id. split: only the cases of this split.

    path: a manifest (rect_core.manifest); a table with VolumeName, AccessionNo or case_id and the 18 labels (0, 1 or
    empty; columns patient, scan and split count where they are there), a report, or both; VLM3D's JSON of reference
    reports; or a folder with manifest.parquet or .csv, else with any of labels.csv (or *_labels.csv), reports.csv (or
    *_reports.csv) and masks as <case>/<finding>.nii.gz with an optional <case>/volume.nii.gz.
    Without such columns CT-RATE's names tell patient and scan; any other case is a patient of its own.
    Raises DataError, one line with file, row and value, for what cannot be a reference.
    """
    if not path.exists():
        raise DataError(f"{path.name}: no such file or folder of references")
    path = _manifest_of(path) or path
    if is_table(path) and {"volume", "spacing_d_mm"} & set(read_columns(path)):
        return Truths(*from_manifest(path, split))
    found = _from_folder(path) if path.is_dir() else _from_file(path)
    kept = [truth for truth in found.values() if split in ("", truth.split)]
    check_split(path, split, [truth.split for truth in found.values()], kept)
    _check_patients(path, found.values())
    return Truths(kept, {})


def _check_patients(path: Path, truths: Iterable[Truth]) -> None:
    """Raises DataError for a patient in two splits, as of manifests: what was fitted on one would flatter the other."""
    first: dict[str, Truth] = {}
    for truth in truths:
        before = first.setdefault(truth.patient, truth)
        if before.split != truth.split:
            raise DataError(
                f"{path.name}: patient {truth.patient!r} is in split {before.split!r} ({before.case_id}) and in split "
                f"{truth.split!r} ({truth.case_id}): keep all of a patient in one split"
            )


def _manifest_of(path: Path) -> Path | None:
    names = ("manifest.parquet", "manifest.csv") if path.is_dir() else ()
    return next((path / name for name in names if (path / name).is_file()), None)


def _from_file(path: Path) -> dict[str, Truth]:
    if path.suffix.lower() == ".json":
        found = read_vlm3d(path)
        if any(predicted.prob is not None for predicted in found.values()):
            raise DataError(f"{path.name}: holds probabilities, so it is a prediction, not a reference")
        return {case: _truth(case, None, predicted.report) for case, predicted in found.items()}
    if not is_table(path):
        raise DataError(f"{path.name}: a reference is a manifest, a .csv, a .parquet, a .json or a folder")
    table = read_table(path)
    if not (table.labelled or table.reported):
        raise DataError(f"{path.name}: header: neither the 18 label columns nor a report: add them by name")
    return _merged(table if table.labelled else None, table if table.reported else None, {})


def _from_folder(folder: Path) -> dict[str, Truth]:
    labels, reports = (_one_table(folder, name) for name in ("labels", "reports"))
    for table, needed in ((labels, "the 18 label columns"), (reports, "a report")):
        if table and not (table.labelled if table is labels else table.reported):
            raise DataError(f"{table.name}: header: {needed} is missing: add it by name")
    masks = _case_masks(folder)
    if not (labels or reports or masks):
        raise DataError(
            f"{folder.absolute().name}: no reference in this folder: give one with a manifest, labels.csv, "
            "reports.csv, or masks as <case>/<finding>.nii.gz"
        )
    return _merged(labels, reports, masks)


def _one_table(folder: Path, name: str) -> Table | None:
    """The table of a folder that is called so, "labels.csv" or "valid_predicted_labels.csv"."""
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
        and not path.name.startswith(".")
        and (path.stem == name or path.stem.endswith(f"_{name}"))
    ]
    if len(found) > 1:
        raise DataError(
            f"{folder.name}: {found[0].name} and {found[1].name} are both {name}: keep one or give the file"
        )
    return read_table(found[0]) if found else None


def _case_masks(folder: Path) -> dict[str, dict[str, Path]]:
    """Masks by case and finding; a folder without any is passed over."""
    places = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    found = {path.name: masks_in(path, path.name, _BESIDE) for path in places}
    return {case_of(name): masks for name, masks in found.items() if masks}


def _merged(labels: Table | None, reports: Table | None, masks: Mapping[str, dict[str, Path]]) -> dict[str, Truth]:
    """One reference a case that any of them names. Raises DataError where two tables have no case in common."""
    first = labels.rows if labels else {}
    second = reports.rows if reports else {}
    if labels and reports and not first.keys() & second.keys():
        raise DataError(
            f"{reports.name}: names no case of {labels.name}, such as {next(iter(first))!r}: its first is "
            f"{next(iter(second))!r}: use the same names"
        )
    return {
        case: _truth(
            case,
            first.get(case),
            (second[case].report or None) if case in second else None,
            masks.get(case, {}),
        )
        for case in dict.fromkeys((*first, *second, *masks))
    }


def _truth(case: str, row: Row | None, report: str | None, masks: Mapping[str, Path] | None = None) -> Truth:
    origin, masks = origin_of(case), masks or {}

    def cell(name: str, otherwise: str) -> str:
        return cells.text(row.cells.get(name)) or otherwise if row else otherwise

    known = (cells.label(row.cells[label], row.where, label) for label in LABELS) if row else ()
    return Truth(
        case_id=case,
        patient=cell("patient", origin.patient),
        scan=cell("scan", origin.scan),
        labels=tuple(known) or (float("nan"),) * len(LABELS),
        report=report,
        lesions={finding: masks[finding] for finding in LOCALIZED if finding in masks},
        volume=masks.get("volume"),
        regions=masks.get("regions"),
        split=cell("split", origin.split),
    )
