"""The files that `benches.data` reads: four phantoms in every format, and one the size of a real scan."""

from pathlib import Path
from typing import Final

import nibabel
import numpy as np

from rect_core.findings import LOCALIZED
from rect_core.frame import GridConfig
from rect_core.masks import save_mask, save_volume
from rect_core.volume import StoredGrid, Volume
from rect_data.phantom import PhantomConfig, generate
from rect_data.readers import CtRate
from rect_data.store import StoreConfig, StoreReader
from rect_data.store.arrays import packed
from rect_data.store.prepare import prepare
from rect_data.tree import make_tree

TINY: Final = GridConfig(shape=(48, 128, 128), spacing_mm=(6.5, 3.0, 3.0))
WIDE: Final = (200, 512, 512)
CASES: Final = 4


def write(folder: Path) -> None:
    """Four phantoms in every format at the tiny size, and one at the size of a real scan."""
    written = PhantomConfig(size=TINY.shape, spacing_mm=TINY.spacing_mm)
    make_tree(folder / "tree", train=CASES, valid=0, config=written)
    prepare(CtRate(folder / "tree"), folder / "store", StoreConfig(grid=TINY))
    reader = StoreReader(folder / "store")
    for i, row in enumerate(reader.rows):
        case = reader.read(row.case_id)
        assert case.regions_true is not None
        assert case.lesions is not None
        arrays = {"hu": case.hu, "classical": case.regions_classical, "true": case.regions_true}
        np.savez_compressed(
            folder / f"{i}.npz",
            hu=case.hu,
            classical=case.regions_classical,
            true=case.regions_true,
            lesions=case.lesions,
        )
        arrays |= dict(zip(LOCALIZED, case.lesions, strict=True))
        for name, array in arrays.items():
            nibabel.save(nibabel.Nifti1Image(array.T, np.eye(4)), folder / f"nifti_{i}_{name}.nii.gz")
    _write_wide(folder)


def _write_wide(folder: Path) -> None:
    """A phantom on finer voxels with noise of 20 HU; without noise every packer would have little to do."""
    case = generate(5)
    picked = [(np.arange(n) * m // n).astype(int) for n, m in zip(WIDE, case.volume.shape, strict=True)]
    fine = np.ix_(*picked)
    noise = 20 * np.random.default_rng(0).standard_normal(WIDE, np.float32)
    hu = np.clip(np.rint(case.volume.hu[fine] + noise), -1024, 3071).astype(np.int16)
    sizes = np.array(case.volume.spacing_mm) * case.volume.shape / WIDE
    stored = StoredGrid(shape=WIDE[::-1], affine=np.diag([-sizes[2], -sizes[1], sizes[0], 1.0]))
    volume = Volume(hu=hu, affine=stored.house_affine, stored=stored, case_id="chest")
    for name in ("scans", "masks"):
        (folder / name).mkdir()
    save_volume(folder / "scans" / "chest.nii.gz", volume, description="benchmark")
    maps = {finding: case.lesions.crops[finding].dense() for finding in LOCALIZED} | {"regions": case.regions.labels}
    for name, labels in maps.items():
        save_mask(folder / "masks" / f"chest_{name}.nii.gz", labels[fine], volume, description="benchmark")
    (folder / "wide.b2nd").write_bytes(packed(hu))
    np.savez_compressed(folder / "wide.npz", hu=hu)
