"""What a scan's header says before a voxel is read."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from rect_core.errors import ScanError
from rect_core.read import read_scan
from rect_core.readers.names import suffix_of
from rect_core.readers.nifti import affine_of, orientation_check
from rect_core.volume import StoredGrid

Spacing = tuple[float, float, float]
_NOWHERE: Final = (float("nan"),) * 3

UNREADABLE: Final = "unreadable: "
"""How the exclusion of a row begins whose scan cannot be used; a store tries it again and counts it as quarantined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """spacing_mm: (d, h, w), NaN where it cannot be told; problem: why the scan cannot be used, or ""."""

    spacing_mm: Spacing = _NOWHERE
    problem: str = ""

    @property
    def exclusion(self) -> str:
        """What the row of the scan says: the problem, marked as one of the file and not of the data set."""
        return UNREADABLE + self.problem if self.problem else ""


def read_header(path: Path) -> Header:
    """Of a NIfTI file its header alone; another file is read whole, since its header may lie in many places."""
    if suffix_of(path) in (".nii", ".nii.gz"):
        return _nifti(path)
    try:
        raw = read_scan(path)
    except ScanError as error:
        return Header(problem=str(error))
    return placed(path.name, raw.array.shape, raw.affine)


def placed(name: str, shape: tuple[int, ...], affine: Float[np.ndarray, "4 4"]) -> Header:
    """The header of a scan of this stored shape and affine."""
    if len(shape) != 3:
        return Header(problem=f"{name}: a {len(shape)}-D image: give one 3-D volume")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        return Header(problem=f"{name}: the affine is not one: write the true one")
    house = StoredGrid(shape=(shape[0], shape[1], shape[2]), affine=affine).house_affine
    d, h, w = (float(x) for x in np.linalg.norm(house[:3, :3], axis=0))
    return Header(spacing_mm=(d, h, w))


def _nifti(path: Path) -> Header:
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        image: Any = nib.load(path)
    except (ImageFileError, HeaderDataError, OSError, EOFError, zlib.error, gzip.BadGzipFile):
        return Header(problem=f"{path.name}: the header cannot be read: copy the file again from its source")
    check = orientation_check(image.header, path.name)
    if check is not None and check.status == "fail":
        return Header(problem=check.message)
    return placed(path.name, tuple(int(n) for n in image.shape), affine_of(image.header))
