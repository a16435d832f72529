"""The 20 regions of a 200 x 512 x 512 chest CT by the classical route; the goal is 2 seconds on 2 cores.

The scan is slicerio's real thorax CT, interpolated to that size, with the noise of a real scan. The rival finds one
mask of both lungs at full resolution as many pipelines do: threshold, largest enclosed piece, closing, filled slices.
"""

import importlib.util
from pathlib import Path

import nrrd
import numpy as np
import torch
from einops import rearrange
from scipy import ndimage

from benches.timing import Result, Rival, interleave, machine, peak_gb
from rect_core.anatomy import lung_air_ml, regions
from rect_core.volume import StoredGrid, Volume

SHAPE = (200, 512, 512)
BUDGET_SECONDS = 2.0
OURS, DOOR, THEIRS = "rect, 20 regions", "rect, lung air alone", "scipy, one lung mask"


def rect() -> Rival:
    """All 20 regions."""
    volume = _scan()
    return lambda: regions(volume)


def door() -> Rival:
    """The door's question whether this is a chest."""
    volume = _scan()
    return lambda: lung_air_ml(volume.hu, volume.spacing_mm)


def scipy_mask() -> Rival:
    """Threshold, label, closing, holes: on the scan's own voxels."""
    volume = _scan()

    def mask() -> object:
        found, count = ndimage.label(volume.hu < -400)
        sizes = np.bincount(found.ravel(), minlength=count + 1)
        sizes[np.unique(found[:, 0])] = sizes[0] = 0
        lungs = ndimage.binary_closing(found == sizes.argmax(), iterations=6)
        return np.stack([ndimage.binary_fill_holes(plane) for plane in lungs])

    return mask


RIVALS = {OURS: rect, DOOR: door, THEIRS: scipy_mask}


def run() -> Result:
    """Memory first, then the clock."""
    peaks = {name: peak_gb("benches.anatomy", name) for name in RIVALS}
    noted = machine()
    seconds = interleave({name: prepare() for name, prepare in RIVALS.items()}, repeats=3)
    return Result(
        name="anatomy",
        machine=noted,
        seconds=seconds,
        ratios={"seconds of the budget": seconds[OURS] / BUDGET_SECONDS, "rival": seconds[OURS] / seconds[THEIRS]},
        peak_gb=peaks,
        goals={"seconds of the budget": 1.0},
    )


def _scan() -> Volume:
    spec = importlib.util.find_spec("slicerio")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("the `slicerio` package brings the scan: pip install slicerio==1.4.0")
    stored, header = nrrd.read(str(Path(spec.submodule_search_locations[0]) / "data" / "CTChest4.nrrd"))
    lps = np.eye(4)
    lps[:3, :3] = header["space directions"].T
    small = StoredGrid(shape=stored.shape, affine=np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps)
    coarse = torch.from_numpy(np.ascontiguousarray(small.to_house(stored), np.float32)).clamp(min=-1024)
    fine = torch.nn.functional.interpolate(rearrange(coarse, "d h w -> 1 1 d h w"), SHAPE, mode="trilinear")
    fine += 25 * torch.randn(fine.shape, generator=torch.Generator().manual_seed(0))
    hu = rearrange(fine, "1 1 d h w -> d h w").round().clamp(-1024, 3071).to(torch.int16).numpy()
    affine = small.house_affine @ np.diag([*(a / b for a, b in zip(coarse.shape, SHAPE, strict=True)), 1.0])
    grid = StoredGrid(shape=SHAPE, affine=affine)
    return Volume(hu=grid.to_house(hu), affine=grid.house_affine, stored=grid, case_id="chest")
