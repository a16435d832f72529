"""Masks, maps and scans on their stored voxels: read on the condition of the same grid, written whole or not at all."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from isal import igzip
from jaxtyping import Bool, Float, Integer, Shaped

from rect_core.door import affine_check
from rect_core.errors import ScanError
from rect_core.raw import RawScan
from rect_core.read import read_scan
from rect_core.readers.memory import read_array
from rect_core.volume import StoredGrid, Volume

_LEVEL: Final = 1
_DESCRIP_BYTES: Final = 79
_SLICES: Final = 16


def read_mask(source: Any, volume: Volume) -> Integer[np.ndarray, "d h w"]:
    """Labels on the voxels of a scan, in the house's orientation.

    source: path or nibabel image on the scan's grid (its voxels may be stored in another axis order), or an array in
    the scan's stored axes, of shape `volume.stored.shape`. Whole-number floats become integers.
    Raises ScanError("mask") for another grid, a blank affine, 4-D, colour, negative, fractional or NaN labels.
    """
    try:
        raw = _raw(source, volume)
    except ScanError as error:
        raise ScanError("mask", f"mask {error}") from error
    grid = _grid(raw, volume)
    return grid.to_house(_labels(raw))


def save_mask(
    path: Path | str,
    labels: Integer[np.ndarray, "d h w"] | Bool[np.ndarray, "d h w"],
    volume: Volume,
    *,
    description: str,
) -> None:
    """Writes labels (0 and up) as .nii.gz in the axes and with the affine that the scan was stored in.

    The type is uint8 where that is enough, else uint16. description: the NIfTI `descrip`, at most 79 ASCII characters.
    Raises ScanError("output") where the place cannot be written; no half-written file is left.
    """
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest > 65535:
        raise ValueError(f"labels {lowest} to {highest} do not fit a mask: give 0 to 65535")
    _save(Path(path), labels, np.dtype(np.uint8 if highest < 256 else np.uint16), volume, description)


def save_map(path: Path | str, prob: Float[np.ndarray, "d h w"], volume: Volume, *, description: str) -> None:
    """Writes a map of real numbers as float32, otherwise as `save_mask`."""
    _save(Path(path), prob, np.dtype(np.float32), volume, description)


def save_volume(path: Path | str, volume: Volume, *, description: str) -> None:
    """Writes the Hounsfield units of a scan in the type they are held in (int16 or float32), otherwise as `save_mask`.
    Nothing is rescaled: slope and intercept of the file are 1 and 0."""
    _save(Path(path), volume.hu, volume.hu.dtype, volume, description)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends well, and vanishes when it does not.

    Raises ScanError("output") where the folder cannot be written or is full.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with scratch.open("xb") as file:
            yield file
        scratch.replace(path)
    except OSError as error:
        reason = error.strerror or "write error"
        raise ScanError(
            "output", f"{path.name}: cannot be written: {reason}: give a folder that can be written"
        ) from error
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def _raw(source: Any, volume: Volume) -> RawScan:
    if not isinstance(source, np.ndarray):
        return read_scan(source)
    if source.shape != volume.stored.shape:
        raise ScanError(
            "mask",
            f"has {_size(source.shape)} voxels but the scan {volume.case_id!r} is stored as "
            f"{_size(volume.stored.shape)}: give the mask on the scan's voxels, in its stored axes",
        )
    return read_array(source, affine=volume.stored.affine)


def _grid(raw: RawScan, volume: Volume) -> StoredGrid:
    """The mask's own grid, once it is known to be the scan's. An affine that the header does not state is a guess: it
    counts for nothing, even where it fits by chance."""
    i, j, k = raw.array.shape
    usable = affine_check(raw).status == "pass"
    grid = StoredGrid(shape=(i, j, k), affine=raw.affine) if usable else None
    stated = not any(c.name == "orientation" and c.status == "fail" for c in raw.checks)
    if grid is not None and stated:
        if grid.same_as(volume.stored):
            return volume.stored  # whose axes have one name, where rounding could give the mask's another
        house = StoredGrid(shape=grid.house_shape, affine=grid.house_affine)
        if house.same_as(StoredGrid(shape=volume.shape, affine=volume.affine)):
            return grid
    raise _elsewhere(raw, grid, volume, stated=stated)


def _elsewhere(raw: RawScan, grid: StoredGrid | None, volume: Volume, *, stated: bool) -> ScanError:
    """The error of a mask that does not lie on the scan's voxels."""
    if raw.array.shape == volume.stored.shape and (not stated or np.array_equal(raw.affine, np.eye(4))):
        return ScanError(
            "mask",
            f"mask {raw.name} has a blank or identity affine, so its left and right are unknown: copy the affine of "
            f"the scan {volume.case_id!r} to it (masks of ReXGroundingCT need this)",
        )
    there = f"{_size(raw.array.shape)} voxels" + (" and a singular affine" if grid is None else f" ({_place(grid)})")
    return ScanError(
        "mask",
        f"mask {raw.name} has {there} but the scan {volume.case_id!r} has {_size(volume.stored.shape)} "
        f"({_place(volume.stored)}): resample the mask to the scan's grid first",
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _place(grid: StoredGrid) -> str:
    spacing = " x ".join(f"{s:.4g}" for s in np.linalg.norm(grid.affine[:3, :3], axis=0))
    origin = ", ".join(f"{x:.1f}" for x in grid.affine[:3, 3])
    return f"{grid.axes}, {spacing} mm, first voxel at {origin} mm"


def _labels(raw: RawScan) -> Integer[np.ndarray, "i j k"]:
    array, name = raw.array, f"mask {raw.name}"
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    lowest, highest = float(array.min()), float(array.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise ScanError("mask", f"{name} holds NaN or infinite values: give whole numbers from 0")
    if lowest < 0 or highest > 65535:
        raise ScanError("mask", f"{name} holds values {lowest:g} to {highest:g}: give labels from 0 to 65535")
    if array.dtype.kind in "iu":
        return array
    labels = array.astype(np.uint8 if highest < 256 else np.uint16)
    if not np.array_equal(labels, array):
        raise ScanError("mask", f"{name} holds fractions, as after interpolation: give whole numbers (one a label)")
    return labels


def _save(path: Path, array: Shaped[np.ndarray, "d h w"], dtype: np.dtype, volume: Volume, description: str) -> None:
    if array.shape != volume.shape:
        raise ValueError(f"{path.name}: {array.shape} voxels for the scan {volume.case_id!r} of {volume.shape}")
    if not path.name.endswith(".nii.gz"):
        raise ValueError(f"{path.name}: masks, maps and scans are written as .nii.gz")
    stored = volume.stored.to_stored(array)
    header = _header(volume.stored, dtype, description)
    with replacing(path) as file, _gzip(file) as packed:
        packed.write(header)
        for start in range(0, stored.shape[2], _SLICES):
            slab = np.asfortranarray(stored[:, :, start : start + _SLICES], dtype)
            packed.write(slab.T.data.cast("B"))


def _gzip(file: BinaryIO) -> igzip.IGzipFile:
    """Neither name nor time in its header: the same mask gives the same bytes."""
    return igzip.IGzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)


def _header(grid: StoredGrid, dtype: np.dtype, description: str) -> bytes:
    """A NIfTI-1 header with qform and sform in scanner coordinates, and the 4 bytes that say "no extensions"."""
    from nibabel.nifti1 import Nifti1Header

    descrip = description.encode("ascii", "replace")
    if len(descrip) > _DESCRIP_BYTES:
        raise ValueError(f"description {description!r} has {len(descrip)} characters: descrip holds {_DESCRIP_BYTES}")
    header = Nifti1Header()
    header.set_data_shape(grid.shape)
    header.set_data_dtype(dtype)
    header.set_qform(grid.affine, code="scanner")
    header.set_sform(grid.affine, code="scanner")
    header.set_xyzt_units("mm")
    header["descrip"] = descrip
    header["vox_offset"] = Nifti1Header.single_vox_offset
    return bytes(header.binaryblock) + b"\0\0\0\0"
