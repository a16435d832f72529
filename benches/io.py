"""From a 200 x 512 x 512 .nii.gz to a tensor of the base grid (64 x 512 x 512), with the lungs' box given.

The rival is what most pipelines do: nibabel's get_fdata, then scipy.ndimage.zoom (order 1) to the same shape. It is
spared everything else: orientation, the lung-centred crop, clipping, scaling, checks and the region map, all of which
our time holds.
"""

import tempfile
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

from benches.timing import Result, Rival, interleave, machine, peak_gb
from rect_core.anatomy import RegionMap
from rect_core.preprocess import GridConfig, Preprocess
from rect_core.read import read_volume

SHAPE = (200, 512, 512)
LUNGS = ((20, 190), (120, 390), (70, 440))
GRID = GridConfig()
OURS, READING, THEIRS = "rect", "rect, reading alone", "nibabel + scipy"


def rect(folder: str) -> Rival:
    """Ours, whole. The region map is made here, untimed: anatomy has a benchmark of its own."""
    labels = np.zeros(SHAPE, np.uint8)
    (d0, d1), (h0, h1), (w0, w1) = LUNGS
    labels[d0:d1, h0:h1, w0 : (w0 + w1) // 2] = 2
    labels[d0:d1, h0:h1, (w0 + w1) // 2 : w1] = 5
    regions = RegionMap(labels=labels, origin="given")
    return lambda: Preprocess(GRID)(read_volume(_scan(folder)), regions)


def reading(folder: str) -> Rival:
    """Ours up to the checked Volume."""
    return lambda: read_volume(_scan(folder))


def nibabel_scipy(folder: str) -> Rival:
    """Theirs: nibabel stores (w, h, d), so the zoom factors are given in that order."""
    factors = [cells / voxels for cells, voxels in zip(GRID.shape[::-1], SHAPE[::-1], strict=True)]
    return lambda: ndimage.zoom(nibabel.nifti1.load(_scan(folder)).get_fdata(), factors, order=1)


RIVALS = {OURS: rect, READING: reading, THEIRS: nibabel_scipy}


def run() -> Result:
    """Memory first, while this process is small; then the clock."""
    with tempfile.TemporaryDirectory() as folder:
        _write(folder)
        peaks = {name: peak_gb("benches.io", name, folder) for name in RIVALS}
        noted = machine()
        seconds = interleave({name: prepare(folder) for name, prepare in RIVALS.items()})
    return Result(
        name="io",
        machine=noted,
        seconds=seconds,
        ratios={"seconds": seconds[OURS] / seconds[THEIRS], "peak memory": peaks[OURS] / peaks[THEIRS]},
        peak_gb=peaks,
        goals={"seconds": 0.6, "peak memory": 0.5},
    )


def _scan(folder: str) -> Path:
    return Path(folder) / "scan.nii.gz"


def _write(folder: str) -> None:
    """A body with two lungs, with the noise of a real scan: without it gzip would have next to nothing to do."""
    rng = np.random.default_rng(0)
    h, w = np.mgrid[: SHAPE[1], : SHAPE[2]]
    body = ((h - 256) / 170) ** 2 + ((w - 256) / 230) ** 2 < 1
    hu = np.empty(SHAPE, np.int16)
    for index, plane in enumerate(hu):
        grow = 1 - ((index - 105) / 105) ** 2
        lungs = [((h - 255) / 130) ** 2 + ((w - middle) / 85) ** 2 < grow for middle in (155, 355)]
        mean = np.where(lungs[0] | lungs[1], -860, np.where(body, 40, -1000))
        plane[:] = mean + 25 * rng.standard_normal(SHAPE[1:], np.float32)
    affine = np.diag([-0.703125, -0.703125, 1.5, 1.0])
    nibabel.save(nibabel.Nifti1Image(np.maximum(hu, -1024).transpose(2, 1, 0), affine), _scan(folder))
