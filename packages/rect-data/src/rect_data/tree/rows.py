"""The rows of a phantom in CT-RATE's tables, and the tables put together from them."""

import csv
import io
import json
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any, Final

from rect_core.findings import LABELS
from rect_data import ct_rate
from rect_data.phantom.case import Case
from rect_data.phantom.facts import Fact
from rect_data.tree.disk import write_text

REPORT_COLUMNS: Final = ("ClinicalInformation_EN", "Technique_EN", "Findings_EN", "Impressions_EN")
CATEGORIES: Final = {
    "consolidation": "2b",
    "ground_glass_opacity": "2c",
    "lung_nodule": "2d",
    "pleural_effusion": "2e",
}
"""ReXGroundingCT's categories of our findings; it has none for pericardial effusion."""


def rows_of(case: Case, name: str) -> dict[str, Any]:
    """What the tables say of one case, as plain JSON."""
    texts = case.report
    return {
        "VolumeName": f"{name}.nii.gz",
        "metadata": dict(case.metadata),
        "labels": [int(value) for value in case.labels],
        "report": [texts.clinical_information, texts.technique, texts.findings, texts.impressions],
        "reasoning": case.reasoning.to_json(),
        "grounding": grounding(case, name),
        "warnings": list(case.warnings),
    }


def grounding(case: Case, name: str) -> dict[str, Any]:
    """An entry of ReXGroundingCT's `dataset.json`: one finding a fact that has a mask with voxels."""
    texts: dict[str, str] = {}
    categories: dict[str, str] = {}
    counts: dict[str, int] = {}
    pixels: dict[str, int] = {}
    for fact in case.facts:
        held = {lesion.instance: lesion.voxels for lesion in case.lesions if lesion.finding == fact.finding}
        numbers = [number for number in fact.instances if number in held]
        if fact.finding in CATEGORIES and numbers:
            key = str(len(texts))
            texts[key], categories[key] = describe(fact), CATEGORIES[fact.finding]
            counts[key], pixels[key] = len(numbers), sum(held[number] for number in numbers)
    w, h, d = case.volume.stored.shape
    return {
        "name": f"{name}.nii.gz",
        "findings": texts,
        "categories": categories,
        "entity_counts": counts,
        "pixels": pixels,
        "shape": [h, w, d],
    }


def describe(fact: Fact) -> str:
    """One finding as a short free text, such as "part-solid nodule of 8 mm in the right upper lobe"."""
    kind = fact.kind if len(fact.instances) == 1 else f"{len(fact.instances)} areas of {fact.kind}"
    size = "" if isnan(fact.size_mm) else f" of {fact.size_mm:.0f} mm"
    place = " and ".join(fact.lobes)
    side = f", {fact.side}" if fact.side in ("right", "left", "bilateral") and not place else ""
    return f"{kind}{size}{f' in the {place}' if place else side}"


def write_tables(root: Path, records: Sequence[dict[str, Any]]) -> None:
    """Metadata, reports, labels and reasoning of both splits and the grounding file, each replaced whole."""
    for split in ct_rate.SPLITS:
        mine = [record for record in records if record["VolumeName"].startswith(f"{split}_")]
        columns = list(mine[0]["metadata"]) if mine else []
        _table(
            root / ct_rate.METADATA[split],
            ["VolumeName", *columns],
            [[r["VolumeName"], *r["metadata"].values()] for r in mine],
        )
        _table(
            root / ct_rate.REPORTS[split],
            ["VolumeName", *REPORT_COLUMNS],
            [[r["VolumeName"], *r["report"]] for r in mine],
        )
        _table(root / ct_rate.LABELS[split], ["VolumeName", *LABELS], [[r["VolumeName"], *r["labels"]] for r in mine])
        lines = [{"VolumeName": r["VolumeName"], "reasoning": r["reasoning"]} for r in mine]
        write_text(root / ct_rate.REASONING[split], "".join(json.dumps(line) + "\n" for line in lines))
    entries = {
        key: [r["grounding"] for r in records if r["VolumeName"].startswith(f"{split}_")]
        for key, split in (("train", "train"), ("val", "valid"))
    }
    write_text(root / "dataset/grounding/dataset.json", json.dumps({**entries, "test": []}, indent=1) + "\n")


def _table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
