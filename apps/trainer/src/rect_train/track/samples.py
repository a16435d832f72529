"""A few cases of the validation split, the same ones every time: their outlines as a picture, and their reports."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8

from rect_classifier import to_scores
from rect_core.anatomy import RegionMap
from rect_core.findings import LABEL_OF_LOCALIZED, LABELS, LOCALIZED
from rect_core.types import ManifestRow, MaskCrop, PredictionRecord, Report, WeightsStatus
from rect_core.volume import Volume
from rect_data.store import StoreReader
from rect_localizer import measure
from rect_reporter import write_report
from rect_train.grid import crop_of, grid_frame, grid_lesions, grid_volume
from rect_vlm.render.choose import choose_slices, view_box, voxels_of
from rect_vlm.render.panel import Layer, View, panel
from rect_vlm.render.plane import Box, flat_crop
from rect_vlm.render.sheet import GAP, Entry, Sheet
from rect_vlm.render.style import colour_of, name_of
from rect_vlm.render.window import LUNG

Origin = Literal["unknown", "phantoms", "clinical"]

MANY: Final = 2
COLUMNS: Final = 4
WIDTH: Final = 960
"""Pixels of the slices beside each other."""

IDS: Final = 8
"""Evidence of a sentence that is written out."""

STATUS: Final[Mapping[Origin, WeightsStatus]] = {
    "unknown": "untrained",
    "phantoms": "synthetic",
    "clinical": "clinical-data",
}
"""What pictures and reports of weights in training say of them; of scans that nobody vouches for, the least."""


def chosen(rows: Sequence[ManifestRow], split: str) -> tuple[str, ...]:
    """Cases of a split to show: those with masks, and of these the ones with most of the findings that are outlined."""

    def worth(row: ManifestRow) -> tuple[bool, int]:
        present = [row.labels[LABELS.index(label)] == 1 for label in LABEL_OF_LOCALIZED.values()]
        return not row.lesions, -sum(present)

    mine = [row for row in rows if row.split == split]
    return tuple(row.case_id for row in sorted(mine, key=worth)[:MANY])


def page(
    reader: StoreReader, case_id: str, prob: Float[np.ndarray, "k d h w"], step: int, origin: Origin
) -> UInt8[np.ndarray, "r c 3"]:
    """Axial slices of a case with the true outlines, and below them the same slices with the predicted ones.

    The slices are chosen by the truth, so that they stay the same from one validation to the next.
    """
    volume = grid_volume(reader, case_id)
    regions = RegionMap(labels=reader.read(case_id).regions_classical, origin="classical")
    truth = {name: crop_of(mask) for name, mask in grid_lesions(reader, case_id).items()}
    predicted = {name: crop_of((one > 0.5).astype(np.uint8)) for name, one in zip(LOCALIZED, prob, strict=True)}
    box = view_box(volume, truth, regions.lungs_box)
    (_, _), (_, _), (w0, w1) = box
    scale = (WIDTH - GAP * (COLUMNS - 1)) / COLUMNS / ((w1 - w0) * volume.spacing_mm[2])
    view = View(plane="axial", box=box, window=LUNG, px_per_mm=scale)
    slices = choose_slices(volume, truth, "axial", COLUMNS, regions.lungs_box)
    rows = [
        (name, [panel(volume, view, index, _layers(crops, index, box)) for index in slices])
        for name, crops in (("Truth", truth), ("Predicted", predicted))
    ]
    sheet = Sheet(
        title=case_id,
        subtitle=f"after step {step}",
        status=STATUS[origin],
        rows=rows,
        columns=COLUMNS,
        legend=[_entry(volume, name, truth, predicted) for name in LOCALIZED],
        legend_columns=2,
        notes=["On the model grid; R and L mark the patient's right and left."],
    )
    return np.asarray(sheet.draw())


def written(
    reader: StoreReader,
    case_id: str,
    logits: Float[np.ndarray, " k"],
    prob: Float[np.ndarray, "f d h w"],
    origin: Origin,
) -> str:
    """The report of a case as Markdown, each sentence with what it rests on, and below it the one that a radiologist
    wrote, where the store holds one."""
    volume = grid_volume(reader, case_id)
    regions = RegionMap(labels=reader.read(case_id).regions_classical, origin="classical")
    frame = grid_frame(reader, case_id)
    lesions = measure(torch.from_numpy(prob), frame, volume, regions, findings=LOCALIZED)
    record = PredictionRecord(
        case_id=case_id,
        weights_status=STATUS[origin],
        scores=to_scores(torch.from_numpy(logits)),
        assessed_masks=lesions.asked,
        lesions=lesions.items,
        warnings=lesions.warnings,
    )
    report = write_report(record, lung_outside=frame.lung_outside)
    return _table(report) + _reference(reader.row(case_id))


def _layers(crops: Mapping[str, MaskCrop], index: int, box: Box) -> list[Layer]:
    masks = {name: flat_crop(crop, "axial", index, box) > 0 for name, crop in crops.items()}
    return [Layer(mask=mask, colour=colour_of(name, LOCALIZED)) for name, mask in masks.items()]


def _entry(volume: Volume, name: str, truth: Mapping[str, MaskCrop], predicted: Mapping[str, MaskCrop]) -> Entry:
    def amount(crop: MaskCrop) -> str:
        return f"{voxels_of(crop).sum() * volume.voxel_ml:.1f} ml"

    true = amount(truth[name]) if name in truth else "not known"
    return Entry(
        colour=colour_of(name, LOCALIZED), name=name_of(name), note=f"truth {true}, predicted {amount(predicted[name])}"
    )


def _table(report: Report) -> str:
    rows = [f"| {one.section} | {_cell(one.text)} | {_listed(one.evidence)} |" for one in report.sentences]
    return "\n".join(["| section | sentence | evidence |", "|---|---|---|", *rows])


def _listed(evidence: Sequence[str]) -> str:
    """Ids, of very many the first: weights at their beginning outline hundreds of specks."""
    more = len(evidence) - IDS
    return ", ".join(evidence[:IDS]) + (f" and {more} more" if more > 0 else "")


def _reference(row: ManifestRow) -> str:
    return f"\n\nThe reference report: {_cell(row.report)}" if row.report else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
