"""Folders of predictions as `rect predict` writes them: findings.json, lesions/, report.json or report.txt."""

import os
from math import isfinite, isnan
from pathlib import Path
from typing import Final, TypeAlias

from rect_core.errors import DataError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.types import PredictionRecord
from rect_eval.cases import Predicted
from rect_eval.io.cells import probability
from rect_eval.io.files import masks_in, read_json, read_text
from rect_eval.io.names import case_of, nearest
from rect_eval.io.tables import labels_error

Numbers: TypeAlias = tuple[float, ...]

_PARTS: Final = frozenset({"findings.json", "report.json", "report.txt", "lesions"})


def read_folders(root: Path) -> dict[str, Predicted]:
    """Predictions by case: of the folders below root, or of root itself if it is one.

    A folder is a prediction if it holds findings.json, a report or lesions/; others and hidden ones (half-written) are
    passed over. No mask is opened. Raises DataError.
    """
    here = _held(root)
    folders = {} if "findings.json" in here else _below(root)
    if not folders and here & _PARTS:
        folders = {root: here}
    if not folders:
        tables = sorted(name for name in here if name.lower().endswith((".csv", ".parquet", ".json")))
        hint = f"; to score {tables[0]}, give that file" if tables else ""
        raise DataError(
            f"{root.absolute().name}: no prediction in this folder: give one that holds <case>/findings.json{hint}"
        )
    found: dict[str, Predicted] = {}
    for folder, held in folders.items():
        predicted = _read(folder, held)
        before = found.setdefault(predicted.case_id, predicted)
        if before is not predicted and before.folder:
            raise DataError(
                f"{root.absolute().name}: folders {before.folder.name} and {folder.name} are both case "
                f"{predicted.case_id!r}: keep one"
            )
    return found


def _below(root: Path) -> dict[Path, frozenset[str]]:
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
    held = {root / name: _held(root / name) for name in names}
    return {folder: names for folder, names in held.items() if names & _PARTS}


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle leads nowhere
        return False


def _held(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208  3,000 times, and only names are wanted
    except OSError as error:
        raise DataError(f"{folder.absolute().name}: cannot be read ({error.strerror}): check its rights") from error


def _read(folder: Path, held: frozenset[str]) -> Predicted:
    name = folder.absolute().name
    masks = masks_in(folder / "lesions", f"{name}/lesions") if "lesions" in held else {}
    report = _report(folder, held, name)
    if "findings.json" not in held:
        return Predicted(
            case_id=case_of(name), report=report, lesions=masks, assessed=tuple(masks), measured=(), folder=folder
        )
    where = f"{name}/findings.json"
    record = _record(folder / "findings.json", where)
    _check_masks(where, record, masks)
    prob, logits, threshold = _scores(where, record)
    return Predicted(
        case_id=record.case_id,
        prob=prob,
        logits=logits,
        threshold=threshold,
        report=report,
        lesions=masks,
        assessed=tuple(finding for finding in LOCALIZED if finding in record.assessed_masks or finding in masks),
        measured=record.lesions,
        folder=folder,
    )


def _record(path: Path, where: str) -> PredictionRecord:
    data = read_json(path, where)
    try:
        record = PredictionRecord.from_json(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise DataError(f"{where}: not as docs/OUTPUTS.md describes it ({why}): predict this case again") from error
    if not isinstance(record.case_id, str) or not record.case_id:
        raise DataError(f"{where}: case_id is {record.case_id!r}: give the case's name")
    return record


def _check_masks(where: str, record: PredictionRecord, masks: dict[str, Path]) -> None:
    for finding in record.assessed_masks:
        if finding not in LOCALIZED:
            raise DataError(f"{where}: assessed_masks has {finding!r}{nearest(finding, LOCALIZED)}: give findings")
    for lesion in record.lesions:
        if lesion.finding not in masks:
            raise DataError(
                f"{where}: lists {lesion.id} but lesions/{lesion.finding}.nii.gz is not there: copy it or predict again"
            )


def _scores(where: str, record: PredictionRecord) -> tuple[Numbers, Numbers | None, Numbers | None]:
    """Probabilities, logits and thresholds in the order of LABELS; logits or thresholds that are all null are None."""
    scores = record.scores
    if len(set(scores.labels)) < len(scores.labels):
        raise DataError(f"{where}: scores: a label stands twice: keep one")
    if error := labels_error(f"{where}: scores", scores.labels):
        raise error
    order = [scores.labels.index(label) for label in LABELS]
    prob, logits, threshold = (tuple(v[i] for i in order) for v in (scores.prob, scores.logits, scores.threshold))
    return (
        _probabilities(prob, where, "prob of "),
        None if _all_null(logits) else _finite(logits, where),
        None if _all_null(threshold) else _probabilities(threshold, where, "threshold of "),
    )


def _all_null(values: Numbers) -> bool:
    return all(isinstance(v, float) and isnan(v) for v in values)


def _finite(values: Numbers, where: str) -> Numbers:
    for label, v in zip(LABELS, values, strict=True):
        if not isinstance(v, int | float) or not isfinite(v):
            raise DataError(f"{where}: logit of {label} is {v!r}: give a number, or null for all labels")
    return tuple(map(float, values))


def _probabilities(values: Numbers, where: str, what: str) -> Numbers:
    return tuple(probability(v, where, f"{what}{label}") for v, label in zip(values, LABELS, strict=True))


def _report(folder: Path, held: frozenset[str], name: str) -> str | None:
    """The text of report.json, else of report.txt, else None."""
    file = next((file for file in ("report.json", "report.txt") if file in held), "")
    if not file:
        return None
    where = f"{name}/{file}"
    if file == "report.json":
        data = read_json(folder / file, where)
        said = data.get("text") if isinstance(data, dict) else None
        if not isinstance(said, str):
            raise DataError(f"{where}: has no text: write the report under the key 'text'")
    else:
        said = read_text(folder / file, where)
    if not said.strip():
        raise DataError(f"{where}: the report is empty: write it again, or remove the file (no report)")
    return said.strip()
