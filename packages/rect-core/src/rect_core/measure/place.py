"""Where a lesion lies: its side and its region."""

import numpy as np
from jaxtyping import Int64

from rect_core.anatomy import RegionMap
from rect_core.findings import REGIONS
from rect_core.measure.components import Runs
from rect_core.volume import Volume

RIGHT = (1, 2, 3, 13)
LEFT = (4, 5, 6, 14)
"""Lung zones and pleural shell of a side."""

PLEURAL = (*RIGHT, *LEFT)

BOTH = 0.2
"""Share of the smaller side from which a lesion lies on both."""

TOUCHES = 0.05
"""Share of a lesion in lung zones and pleural shells from which these decide its side: a lesion of the liver that
grazes the other lung by a few voxels keeps its own side."""

OUTSIDE = "outside the body"


def side_of(finding: str, counts: Int64[np.ndarray, " r"], runs: Runs, volume: Volume, midline_mm: float) -> str:
    """right, left, bilateral or midline.

    A pericardial effusion is midline. Else the lung zones and pleural shells under the lesion decide: the larger side,
    or bilateral when each holds at least a fifth. A lesion with less than a twentieth in them is compared with the
    body's midline, where one that lies on both sides is midline.
    counts: voxels of the lesion in each region value; runs: of the lesion on the scan's voxels.
    """
    if finding == "pericardial_effusion":
        return "midline"
    right, left = int(counts[list(RIGHT)].sum()), int(counts[list(LEFT)].sum())
    if right + left >= TOUCHES * counts.sum():
        share, both = right / (right + left), "bilateral"
    else:
        share, both = _right_of(runs, volume, midline_mm), "midline"
    if min(share, 1 - share) >= BOTH:
        return both
    return "right" if share > 0.5 else "left"


def region_of(finding: str, counts: Int64[np.ndarray, " r"]) -> str:
    """Name of the region with most of the lesion's voxels, "outside the body" when none lies in the body.

    Fluid in the pleural space displaces the lung, and a region map may call it chest wall, liver or mediastinum: a
    pleural effusion is named after a pleural shell or lung zone wherever it touches one.
    """
    seen = counts.copy()
    seen[0] = 0
    if finding == "pleural_effusion" and seen[list(PLEURAL)].any():
        seen[[value for value in range(len(seen)) if value not in PLEURAL]] = 0
    return REGIONS[int(seen.argmax()) - 1] if seen.any() else OUTSIDE


def midline_of(volume: Volume, regions: RegionMap) -> float:
    """RAS x in mm of the body's midline: the centre of the lungs' box, or of the body's where one side has no lung."""
    both = any(regions.present[:3]) and any(regions.present[3:6])
    box = regions.lungs_box if both else _body_box(regions)
    centre = np.array([[(first + end - 1) / 2 for first, end in box]])
    return float(volume.ras_mm(centre)[0, 0])


def stored_slices(volume: Volume, first: int, last: int) -> tuple[int, int]:
    """First and last d index as indices along the stored axis that runs feet to head."""
    sign = next(sign for world, sign in volume.stored.orientation if world == 2)
    end = volume.shape[0] - 1
    return (first, last) if sign > 0 else (end - last, end - first)


def _body_box(regions: RegionMap) -> list[tuple[int, int]]:
    """Half-open (d, h, w) ranges of the voxels that have a label."""
    body = regions.labels > 0
    along = (np.flatnonzero(body.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    return [(int(held[0]), int(held[-1]) + 1) for held in along]


def _right_of(runs: Runs, volume: Volume, midline_mm: float) -> float:
    """Share of the lesion that lies right of the midline; runs are cut where they cross it."""
    starts, stops = (
        volume.ras_mm(np.stack([runs.d, runs.h, edge - 0.5], -1).astype(np.float64))[:, 0]
        for edge in (runs.start, runs.stop)
    )
    right = np.clip((np.maximum(starts, stops) - midline_mm) / np.abs(starts - stops), 0.0, 1.0)
    return float((right * runs.length).sum() / runs.length.sum())
