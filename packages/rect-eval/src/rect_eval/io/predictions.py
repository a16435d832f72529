"""Anybody's predictions: folders of `rect predict`, the VLM3D challenge's JSON, or a table."""

from pathlib import Path

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.cases import Predicted
from rect_eval.io.cells import probability
from rect_eval.io.folders import read_folders
from rect_eval.io.tables import NAMES, Row, is_table, read_table
from rect_eval.io.vlm3d import read_vlm3d


def read_predictions(path: Path) -> dict[str, Predicted]:
    """Predictions by case id: the name of the scan without folder and suffix.

    path: a folder of prediction folders (docs/OUTPUTS.md) or one of them; a VLM3D .json; a .csv or .parquet with a
    column VolumeName, AccessionNo or case_id and the 18 label columns (probabilities), a report (`report`, or
    CT-RATE's Findings_EN and Impressions_EN), or both; other columns are passed over. Raises DataError, one line with
    file, row and value, for what cannot be scored.
    """
    if not path.exists():
        raise DataError(f"{path.name}: no such file or folder of predictions")
    if path.is_dir():
        return read_folders(path)
    if path.suffix.lower() == ".json":
        return read_vlm3d(path)
    if is_table(path):
        return _from_table(path)
    raise DataError(f"{path.name}: predictions are a folder, a .json, a .csv or a .parquet: give one of these")


def _from_table(path: Path) -> dict[str, Predicted]:
    table = read_table(path)
    labelled, reported = table.labelled, table.reported
    if not (labelled or reported):
        raise DataError(
            f"{path.name}: header: beside {_named(table.columns)} there are neither the 18 label columns nor `report`: "
            "add them by name"
        )
    given = reported and (not labelled or any(row.report for row in table.rows.values()))
    return {
        case: Predicted(
            case_id=case, prob=_prob(row) if labelled else None, report=_report(row, case) if given else None
        )
        for case, row in table.rows.items()
    }


def _named(columns: tuple[str, ...]) -> str:
    return next(name for name in NAMES if name in columns)


def _prob(row: Row) -> tuple[float, ...]:
    return tuple(probability(row.cells[label], row.where, label) for label in LABELS)


def _report(row: Row, case: str) -> str:
    if not row.report:
        raise DataError(f"{row.where}: the report of {case!r} is empty: write it, or leave the case out")
    return row.report
