"""The masks that manifest rows point at, on the voxels of their scan.

A mask is a file of instance ids (0: none), or a part of a file after a "#":
    lungs/a.nii.gz#value=2        the voxels of that value; each connected piece becomes an instance
    masks/a.nii.gz#findings=0,3   those findings of a file of ReXGroundingCT, one after the other
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Integer, UInt16

from rect_core.anatomy import RegionMap, regions
from rect_core.errors import DataError, ScanError
from rect_core.masks import read_mask
from rect_core.measure.components import components, find_runs
from rect_core.readers.names import suffix_of
from rect_core.types import ManifestRow
from rect_core.volume import StoredGrid, Volume

_MOST: Final = 65535


def read_regions(root: Path, row: ManifestRow, volume: Volume) -> RegionMap | None:
    """The true regions of a row's scan, None where the row names none. Raises ScanError for a map that does not fit."""
    return regions(volume, root / row.regions) if row.regions else None


def read_lesions(root: Path, row: ManifestRow, volume: Volume) -> dict[str, Integer[np.ndarray, "d h w"]]:
    """Instance ids of every finding that a row has a mask of, under the keys of `row.lesions`: a finding, or "partial:"
    and a finding (see `rect_core.manifest.PARTIAL`). Raises ScanError for a mask that is not on the scan's voxels."""
    return {finding: read_lesion(root, mask, volume) for finding, mask in row.lesions.items()}


def file_and_part(mask: str) -> tuple[str, str]:
    """A mask's path and what stands after its last "#", or "": a "#" in the name of a folder or file begins none."""
    place, _, part = mask.rpartition("#")
    return (mask, "") if not place or "/" in part or suffix_of(part) else (place, part)


def read_lesion(root: Path, mask: str, volume: Volume) -> Integer[np.ndarray, "d h w"]:
    """Instance ids of one mask; mask: path relative to root, with or without a part."""
    place, part = file_and_part(mask)
    path = root / place
    kind, _, numbers = part.partition("=")
    if not part:
        return read_mask(path, volume)
    if kind not in ("value", "findings") or not all(number.isdecimal() for number in numbers.split(",")):
        raise DataError(f"{path.name}: {part!r} names no part of a mask: give value=2 or findings=0,3")
    values = [int(number) for number in numbers.split(",")]
    if kind == "value":
        return instances(np.asarray(np.isin(read_mask(path, volume), values)))
    return _grounded(path, values, volume)


def instances(mask: Bool[np.ndarray, "d h w"]) -> UInt16[np.ndarray, "d h w"]:
    """The connected pieces (26 neighbours) of a mask, numbered from 1, the largest first."""
    d, h, w = mask.shape
    runs = find_runs(mask)
    out = np.zeros(mask.shape, np.uint16)
    if not len(runs.d):
        return out
    numbers = np.minimum(components(runs, (d, h, w)) + 1, _MOST).astype(np.uint16)
    flat = out.reshape(-1)
    first = (runs.d * h + runs.h) * w + runs.start
    steps = np.arange(int(runs.length.sum())) - np.repeat(np.cumsum(runs.length) - runs.length, runs.length)
    flat[np.repeat(first, runs.length) + steps] = np.repeat(numbers, runs.length)
    return out


def _grounded(path: Path, findings: Sequence[int], volume: Volume) -> Integer[np.ndarray, "d h w"]:
    """Some findings of a (finding, i, j, k) file, instances numbered through; a later finding never overwrites."""
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    if not path.is_file():
        raise ScanError("mask", f"{path.name}: no such mask")
    try:
        image: Any = nib.load(path)
    except (ImageFileError, HeaderDataError, EOFError) as error:
        raise ScanError("mask", f"{path.name}: the header cannot be read: download the mask again") from error
    stated = int(image.header["qform_code"]) > 0 or int(image.header["sform_code"]) > 0
    check_grounding(path.name, image.shape, image.affine if stated else np.eye(4), volume)
    voxels = np.asanyarray(image.dataobj)
    out = np.zeros(volume.shape, np.uint16)
    for finding in findings:
        if finding >= len(voxels):
            raise ScanError("mask", f"{path.name}: {len(voxels)} findings, but finding {finding} is asked for")
        labels = read_mask(np.ascontiguousarray(voxels[finding]), volume)
        new = (labels > 0) & (out == 0)
        out[new] = labels[new] + out.max()
    return out


def check_grounding(name: str, shape: tuple[int, ...], affine: np.ndarray, volume: Volume) -> None:
    """Raises ScanError unless a mask of ReXGroundingCT lies on the voxels of its scan as they are stored.

    Its masks carry an identity affine, which means nothing: voxel (i, j, k) of the mask is voxel (i, j, k) of the scan,
    so the scan's affine is theirs, before anything is reoriented. Another affine than these two is no mask of the set.
    """
    if len(shape) != 4 or tuple(shape[1:]) != volume.stored.shape:
        raise ScanError(
            "mask",
            f"{name}: {tuple(shape)} voxels for the scan {volume.case_id!r} stored as {volume.stored.shape}: "
            "a mask of ReXGroundingCT has (findings, i, j, k), with the scan's own (i, j, k)",
        )
    own = volume.stored
    identity = np.array_equal(affine, np.eye(4))
    if not identity and not own.same_as(StoredGrid(shape=own.shape, affine=np.asarray(affine, np.float64))):
        raise ScanError(
            "mask",
            f"{name}: its affine is neither the identity nor that of the scan {volume.case_id!r}, so its left and "
            "right are unknown: download the mask again",
        )
