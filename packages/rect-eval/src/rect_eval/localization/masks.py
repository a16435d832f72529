"""Masks of instance ids on a scan's own voxels, held as the smallest box; the scan itself is never read."""

import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Integer, UInt16

from rect_core.door import affine_check
from rect_core.errors import ScanError
from rect_core.masks import read_mask
from rect_core.raw import RawScan
from rect_core.read import read_scan
from rect_core.readers.names import case_id_of, suffix_of
from rect_core.readers.nifti import affine_of, orientation_check
from rect_core.readers.payload import check_grid
from rect_core.resample import shrink
from rect_core.types import MaskCrop
from rect_core.volume import StoredGrid, Volume
from rect_eval.io.manifest import file_and_part

Lesion = tuple[Bool[np.ndarray, "_ _ _"], tuple[int, int, int]]

_MOST: Final = 65535


def scan_grid(path: Path, case_id: str) -> Volume:
    """The grid of a scan as a Volume whose voxels are all one 0: of a NIfTI file only the header is read.

    Raises ScanError for a file that cannot be read or does not say where it lies.
    """
    raw = _header(path) if suffix_of(path) in (".nii", ".nii.gz") else read_scan(path)
    failed = [check for check in (*raw.checks, affine_check(raw)) if check.name == "orientation"]
    for check in failed:
        if check.status == "fail":
            raise ScanError("orientation", check.message)
    i, j, k = check_grid(path.name, raw.array.shape, raw.array.dtype)
    grid = StoredGrid(shape=(i, j, k), affine=raw.affine)
    nothing = np.broadcast_to(np.int16(0), grid.house_shape)
    return Volume(hu=nothing, affine=grid.house_affine, stored=grid, case_id=case_id)


def read_ids(source: Path, volume: Volume) -> MaskCrop:
    """The instance ids of a mask on the voxels of a scan.

    source: a file, or a part of one as manifests name it: "x.nii.gz#value=2" are the voxels of that value, each
    connected piece (26 neighbours) an instance; "x.nii.gz#findings=0,3" those findings of a 4-D file of ReXGroundingCT,
    numbered through. Raises ScanError as `read_mask` does.
    """
    path, part = file_and_part(source)
    name = path.name
    kind, _, numbers = part.partition("=")
    if not part:
        return cropped(read_mask(path, volume))
    if kind not in ("value", "findings") or not all(number.isdecimal() for number in numbers.split(",")):
        raise ScanError("mask", f"mask {name}: {part!r} names no part of it: give value=2 or findings=0,3")
    chosen = [int(number) for number in numbers.split(",")]
    if kind == "findings":
        return cropped(_grounded(path, chosen, volume))
    return _pieces(cropped(np.isin(read_mask(path, volume), chosen).view(np.uint8)), name)


def cropped(ids: Integer[np.ndarray, "d h w"]) -> MaskCrop:
    """The smallest box that holds all ids of a mask."""
    d, h, w = ids.shape
    planes = np.flatnonzero([plane.any() for plane in ids])
    slab = slice(int(planes[0]), int(planes[-1]) + 1) if len(planes) else slice(0, 0)
    held, start = shrink(ids[slab] != 0, (slab.start, 0, 0))
    box = tuple(slice(s, s + n) for s, n in zip(start, held.shape, strict=True))
    return MaskCrop(labels=np.ascontiguousarray(ids[box], np.uint16), start=start, shape=(d, h, w))


def lesions_of(crop: MaskCrop) -> list[Lesion]:
    """Every instance of a mask in the order of its number: its voxels in the smallest box that holds them, and the
    box's first voxel on the scan."""
    from scipy import ndimage

    boxes = ndimage.find_objects(crop.labels) if crop.labels.size else []  # scipy wants the largest of no numbers
    found = []
    for number, box in enumerate(boxes, 1):
        if box is not None:
            d, h, w = (s + b.start for s, b in zip(crop.start, box, strict=True))
            found.append((crop.labels[box] == number, (d, h, w)))
    return found


def nothing_on(volume: Volume) -> MaskCrop:
    """An empty mask of a scan."""
    return MaskCrop(labels=np.zeros((0, 0, 0), np.uint16), start=(0, 0, 0), shape=volume.shape)


def _pieces(crop: MaskCrop, name: str) -> MaskCrop:
    """Every connected piece as an instance of its own."""
    from scipy import ndimage

    if not crop.labels.size:
        return crop
    labels, many = ndimage.label(crop.labels, structure=np.ones((3, 3, 3)))
    if many > _MOST:
        raise ScanError("mask", f"mask {name} falls into {many} pieces: give instance ids, {_MOST} at most")
    return MaskCrop(labels=labels.astype(np.uint16), start=crop.start, shape=crop.shape)


def _header(path: Path) -> RawScan:
    """A NIfTI file without its voxels."""
    image = _load(path)
    check = orientation_check(image.header, path.name)
    return RawScan(
        array=np.broadcast_to(np.int8(0), tuple(int(n) for n in image.shape)),
        affine=affine_of(image.header),
        name=path.name,
        case_id=case_id_of(path),
        format="nifti",
        checks=() if check is None else (check,),
    )


def _load(path: Path) -> Any:
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        return nib.load(path)
    except FileNotFoundError as error:
        raise ScanError("file", f"{path.name}: no such file or folder") from error
    except (ImageFileError, HeaderDataError, OSError, EOFError, zlib.error) as error:
        raise ScanError(
            "file", f"{path.name}: the header cannot be read: copy the file again from its source"
        ) from error


def _grounded(path: Path, findings: list[int], volume: Volume) -> UInt16[np.ndarray, "d h w"]:
    """Findings of a (finding, i, j, k) file, instances numbered through; a later finding never overwrites. The
    affine of the data set's masks is the identity, which means nothing: (i, j, k) is that of the scan as stored."""
    image = _load(path)
    if tuple(image.shape[1:]) != volume.stored.shape:
        raise ScanError(
            "mask",
            f"mask {path.name} has {tuple(image.shape)} voxels but the scan {volume.case_id!r} is stored as "
            f"{volume.stored.shape}: a mask of ReXGroundingCT has (findings, i, j, k), with the scan's own (i, j, k)",
        )
    own = StoredGrid(shape=volume.stored.shape, affine=affine_of(image.header))
    check = orientation_check(image.header, path.name)
    blank = (check is not None and check.status == "fail") or np.array_equal(own.affine, np.eye(4))
    if not blank and not own.same_as(volume.stored):
        raise ScanError(
            "mask",
            f"mask {path.name}: its affine is neither the identity nor that of the scan {volume.case_id!r}, so its "
            "left and right are unknown: download the mask again",
        )
    voxels = np.asanyarray(image.dataobj)
    out = np.zeros(volume.shape, np.uint16)
    for finding in findings:
        if finding >= len(voxels):
            raise ScanError("mask", f"mask {path.name} has {len(voxels)} findings, but finding {finding} is asked for")
        labels = read_mask(np.ascontiguousarray(voxels[finding]), volume)
        new = (labels > 0) & (out == 0)
        highest = int(out.max())
        if highest + int(labels.max()) > _MOST:
            raise ScanError("mask", f"mask {path.name} has more than {_MOST} instances")
        out[new] = labels[new] + highest
    return out
