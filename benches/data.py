"""A training's appetite: cases a second from the store, beside NPZ and .nii.gz of the same voxels, on one core.

The cases are 48 x 128 x 128 (scan, two region maps, five masks of lesions), the patch is 128^3 of a 200 x 512 x 512
scan, each with the noise of a real one. Files were just written: what is measured is unpacking, not the disk. The
patch begins anywhere; its rivals must unpack the whole scan for it. Memory is that of preparing a 200 x 512 x 512 scan.
"""

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import torch

from benches.data_files import CASES, WIDE, write
from benches.timing import Result, Rival, interleave, machine, peak_gb
from rect_core.findings import LOCALIZED
from rect_core.types import ManifestRow
from rect_data.readers import FolderCt
from rect_data.store import StoreConfig, StoreReader
from rect_data.store.arrays import read_box
from rect_data.store.one import Job, make_case

SIDE, READS = 128, 20
GOAL_CASES_A_SECOND, GOAL_PATCH_SECONDS, GOAL_PREPARE_SECONDS = 150, 0.003, 1.5
STORE, NPZ, NIFTI = "20 cases, store", "20 cases, npz", "20 cases, nii.gz"
PATCH, NPZ_PATCH, NIFTI_PATCH = "20 patches, store", "a patch, npz", "a patch, nii.gz"
PREPARE = "prepare one scan"
SIZES = {"store": "store/cases/*/*.b2nd", "npz": "[0-9].npz", "nii.gz": "nifti_*.nii.gz"}


def store(folder: str) -> Rival:
    """Whole cases, from the store."""
    reader = StoreReader(Path(folder) / "store")
    return lambda: [reader.read(reader.rows[i % CASES].case_id) for i in range(READS)]


def npz(folder: str) -> Rival:
    """The same arrays from compressed NPZ."""

    def read() -> object:
        out = []
        for i in range(READS):
            with np.load(Path(folder) / f"{i % CASES}.npz") as held:
                out.append([held[name] for name in held.files])
        return out

    return read


def nifti(folder: str) -> Rival:
    """The same arrays from .nii.gz, one file each."""
    files = [sorted(Path(folder).glob(f"nifti_{i}_*.nii.gz")) for i in range(CASES)]
    return lambda: [[np.asanyarray(nibabel.nifti1.load(p).dataobj) for p in files[i % CASES]] for i in range(READS)]


def patch(folder: str) -> Rival:
    """Patches of 128^3 that begin anywhere in a large stored scan."""
    rng = np.random.default_rng(1)
    starts = itertools.cycle([tuple(int(rng.integers(0, n - SIDE + 1)) for n in WIDE) for _ in range(READS)])
    path = Path(folder) / "wide.b2nd"

    def read() -> object:
        out = None
        for d, h, w in itertools.islice(starts, READS):
            out = read_box(path, (d, h, w), (SIDE, SIDE, SIDE), -1024)
        return out

    return read


def npz_patch(folder: str) -> Rival:
    """One patch of an NPZ."""
    return lambda: np.load(Path(folder) / "wide.npz")["hu"][40:168, 90:218, 100:228].copy()


def nifti_patch(folder: str) -> Rival:
    """One patch of a .nii.gz."""
    path = Path(folder) / "scans" / "chest.nii.gz"
    return lambda: np.asanyarray(nibabel.nifti1.load(path).dataobj)[100:228, 90:218, 40:168].copy()


def prepare_one(folder: str) -> Rival:
    """Reading, regions, resampling, packing and checksums of a 200 x 512 x 512 scan with five masks and its regions."""
    torch.set_num_threads(1)
    scans = Path(folder) / "scans"
    masks = {finding: f"../masks/chest_{finding}.nii.gz" for finding in LOCALIZED}
    row = replace(_row("chest"), volume="chest.nii.gz", lesions=masks, regions="../masks/chest_regions.nii.gz")
    job = Job(reader=FolderCt(scans), row=row, out=Path(folder) / "none", config=StoreConfig())
    return lambda: make_case(job)


RIVALS = {
    STORE: store,
    NPZ: npz,
    NIFTI: nifti,
    PATCH: patch,
    NPZ_PATCH: npz_patch,
    NIFTI_PATCH: nifti_patch,
    PREPARE: prepare_one,
}


def run() -> Result:
    """Memory of one prepare first; then all on the clock, with one thread each."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        peaks = {name: peak_gb("benches.data", name, folder) for name in (PREPARE, STORE, PATCH)}
        noted = machine()
        seconds = interleave({name: make(folder) for name, make in RIVALS.items()})
        sizes = {kind: sum(p.stat().st_size for p in Path(folder).glob(glob)) for kind, glob in SIZES.items()}
    each, cut = seconds[STORE] / READS, seconds[PATCH] / READS
    ratios = {
        "150 cases a second": each * GOAL_CASES_A_SECOND,
        "3 ms a patch": cut / GOAL_PATCH_SECONDS,
        "1.5 s a prepare": seconds[PREPARE] / GOAL_PREPARE_SECONDS,
        "cases a second": 1 / each,
        "ms a patch": cut * 1e3,
        "store / npz": seconds[STORE] / seconds[NPZ],
        "store / nii.gz": seconds[STORE] / seconds[NIFTI],
        "patch: store / npz": cut / seconds[NPZ_PATCH],
        "patch: store / nii.gz": cut / seconds[NIFTI_PATCH],
        "bytes: store / npz": sizes["store"] / sizes["npz"],
        "bytes: store / nii.gz": sizes["store"] / sizes["nii.gz"],
    }
    goals = {"150 cases a second": 1.0, "3 ms a patch": 1.0, "1.5 s a prepare": 1.0}
    return Result(name="data", machine=noted, seconds=seconds, ratios=ratios, peak_gb=peaks, goals=goals)


def _row(name: str) -> ManifestRow:
    return ManifestRow(
        case_id=name, volume=f"{name}.nii.gz", patient=name, scan=name, split="train", spacing_mm=(1.5, 0.7, 0.7)
    )
