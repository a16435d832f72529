"""Sizes, HU and volumes of the first phantoms beside normal ranges: `python -m benches.phantom_ranges [CASES]`.

The ranges are those of adults in the literature named beside each; a phantom world should cover them, not the reverse.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

import numpy as np
import torch

from rect_core.anatomy import regions
from rect_core.door import inspect
from rect_core.raw import RawScan
from rect_data.phantom import Case, generate
from rect_data.phantom.parts import LUNGS, Part

RANGES: Final = {
    "lungs, ml (men)": (
        "3400 to 8100",
        "ERS 1993, total capacity at 1.6 to 1.9 m, less a fifth for supine breath-hold",
    ),
    "lungs, ml (women)": ("2700 to 6400", "as above, at 1.5 to 1.8 m"),
    "lung HU, mean": ("-900 to -700", "0.1 to 0.3 g/ml"),
    "heart to thorax": ("below 0.50", "Danzer 1919"),
    "blood HU, no contrast": ("30 to 50", "New and Aronow 1976"),
    "liver HU, no contrast": ("50 to 65, fatty below 40", "Kodama 2007"),
    "subcutaneous fat HU": ("-190 to -30", "Kvist 1988"),
    "muscle HU": ("30 to 150", "Aubrey 2014"),
    "nodule diameter, mm": ("median 7.5", "ReXGroundingCT"),
    "consolidation, ml": ("1 to 300", "drawn so"),
    "ground-glass opacity, ml": ("1 to 400", "drawn so"),
    "pleural effusion, ml": ("10 to 1200", "drawn so"),
    "pericardial effusion, ml": ("above 50", "Klein 2013: up to 50 ml are physiological"),
    "classical lungs, Dice": ("at least 0.95", "goal"),
    "scans refused by the door": ("0", "goal"),
}


def main(count: int) -> None:
    """Prints 5th percentile, median and 95th of each row."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = [row for rows in pool.map(look, range(count), chunksize=4) for row in rows]
    sys.stdout.write(f"{count} phantoms of the default world\n")
    for name, (normal, source) in RANGES.items():
        values = [value for key, value in found if key == name]
        low, middle, high = np.percentile(values, (5, 50, 95)) if values else (np.nan,) * 3
        numbers = f"{low:8.2f} {middle:8.2f} {high:8.2f}   n {len(values):4d}"
        sys.stdout.write(f"{name:<28} {numbers}   {normal} ({source})\n")
    dice = [value for key, value in found if key == "classical lungs, Dice"]
    sys.stdout.write(f"classical lungs: mean Dice {np.mean(dice):.4f}, least {min(dice):.4f}\n")
    sys.stdout.write(f"refused: {sum(value for key, value in found if key == 'scans refused by the door'):.0f}\n")


def look(index: int) -> list[tuple[str, float]]:
    """The figures of one case."""
    torch.set_num_threads(1)
    case = generate(index)
    return [*_tissue(case), *_lesions(case), *_checks(case)]


def _tissue(case: Case) -> list[tuple[str, float]]:
    hu, parts = case.volume.hu, case.parts
    lung = np.isin(parts, LUNGS)
    rows = [
        (f"lungs, ml ({'men' if case.patient.sex == 'M' else 'women'})", float(lung.sum()) * case.volume.voxel_ml),
        ("lung HU, mean", float(hu[lung].mean())),
        ("subcutaneous fat HU", float(np.median(hu[parts == Part.FAT]))),
        ("muscle HU", float(np.median(hu[parts == Part.MUSCLE]))),
    ]
    if not case.contrast_hu:
        rows.append(("blood HU, no contrast", float(np.median(hu[parts == Part.AORTA]))))
        rows.append(("liver HU, no contrast", float(np.median(hu[parts == Part.LIVER]))))
    if "Cardiomegaly" not in case.positive:
        rows.append(("heart to thorax", _ratio(parts, lung)))
    return rows


def _ratio(parts: np.ndarray, lung: np.ndarray) -> float:
    """Widest heart over widest inner thorax, each in any axial slice."""
    widths = []
    for mask in (np.isin(parts, (Part.HEART, Part.PERICARDIUM)), lung):
        columns = mask.any(axis=1)
        at = np.where(columns, np.arange(columns.shape[1]), -1)
        first = np.where(columns, np.arange(columns.shape[1]), columns.shape[1])
        widths.append(float((at.max(axis=1) - first.min(axis=1) + 1).max()))
    return widths[0] / widths[1]


def _lesions(case: Case) -> list[tuple[str, float]]:
    rows = [("nodule diameter, mm", lesion.diameter_mm) for lesion in case.lesions.of("lung_nodule")]
    for finding in ("consolidation", "ground_glass_opacity", "pleural_effusion", "pericardial_effusion"):
        name = f"{finding.replace('_', ' ').replace('ground glass', 'ground-glass')}, ml"
        rows += [(name, lesion.volume_ml) for lesion in case.lesions.of(finding)]
    return rows


def _checks(case: Case) -> list[tuple[str, float]]:
    stored = case.volume.stored.to_stored(case.volume.hu).copy()
    _, volume = inspect(RawScan(array=stored, affine=case.volume.stored.affine, format="array", name="x", case_id="x"))
    rows = [("scans refused by the door", float(volume is None))]
    if volume is not None:
        ours, true = regions(volume).lungs, np.isin(case.parts, LUNGS)
        rows.append(("classical lungs, Dice", 2 * float((ours & true).sum()) / float(ours.sum() + true.sum())))
    return rows


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
