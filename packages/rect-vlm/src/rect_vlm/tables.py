"""The two files that sum up a batch: findings.csv (CT-RATE's columns) and vlm3d.json (the VLM3D challenge's format)."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rect_core.findings import LABELS
from rect_core.masks import replacing
from rect_core.types import PredictionRecord
from rect_vlm.outputs import json_bytes, read_record


def write_tables(root: Path, case_ids: Iterable[str]) -> None:
    """Reads the predictions of these cases below root and writes both tables beside them, each atomically."""
    folders = [root / case_id for case_id in case_ids]
    records = [read_record(folder) for folder in folders]
    reports = [_report(folder) for folder in folders]
    with replacing(root / "findings.csv") as file:
        file.write(_csv(records).encode())
    with replacing(root / "vlm3d.json") as file:
        file.write(json_bytes(vlm3d(records, reports)))


def vlm3d(records: list[PredictionRecord], reports: list[str]) -> dict[str, Any]:
    """Predictions and reports as the challenge's evaluation reads them."""
    names = [f"{record.case_id}.nii.gz" for record in records]
    predictions = [
        {"input_image_name": name, "probabilities": record.scores.probabilities}
        for name, record in zip(names, records, strict=True)
    ]
    written = [{"input_image_name": name, "report": text} for name, text in zip(names, reports, strict=True)]
    return {"data": [{"outputs": [{"value": {"predictions": predictions, "generated_reports": written}}]}]}


def _report(folder: Path) -> str:
    path = folder / "report.txt"
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _csv(records: list[PredictionRecord]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["VolumeName", *LABELS])
    for record in records:
        probabilities = record.scores.probabilities
        writer.writerow([f"{record.case_id}.nii.gz", *(f"{probabilities[label]:.6f}" for label in LABELS)])
    return text.getvalue()
