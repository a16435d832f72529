"""The region map: which of the 20 regions each voxel of a scan belongs to."""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Int, UInt8

from rect_core.errors import ScanError
from rect_core.findings import REGIONS

Origin = Literal["given", "totalsegmentator", "classical"]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

RIGHT_ZONES: Final = (1, 2, 3)
LEFT_ZONES: Final = (4, 5, 6)
LUNG_VALUES: Final = (*RIGHT_ZONES, *LEFT_ZONES)


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionMap:
    """The regions of one scan.

    labels: [d h w] on the scan's own voxels; 0 outside the body, r + 1 for region r of `rect_core.findings.REGIONS`.
    origin: where the map comes from. warnings: what a reader should know, one plain sentence each. A value above 20
    raises ValueError.
    """

    labels: UInt8[np.ndarray, "d h w"]
    origin: Origin
    warnings: tuple[str, ...] = ()
    present: tuple[bool, ...] = field(init=False)
    """One flag a region: False where the map has no voxel of it."""
    _box: Box | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counts = np.stack([np.bincount(plane.ravel(), minlength=256) for plane in self.labels])
        seen = np.asarray(counts.any(axis=0))
        if seen[len(REGIONS) + 1 :].any():
            high = int(np.flatnonzero(seen).max())
            raise ValueError(f"a region map holds 0..{len(REGIONS)} but this one has the value {high}")
        object.__setattr__(self, "present", tuple(bool(x) for x in seen[1 : len(REGIONS) + 1]))
        object.__setattr__(
            self, "_box", _lungs_box(self.labels, np.flatnonzero(counts[:, list(LUNG_VALUES)].any(axis=1)))
        )

    @property
    def lungs(self) -> Bool[np.ndarray, "d h w"]:
        """Both lungs: the six zones."""
        return _is_lung(self.labels)

    @property
    def lungs_box(self) -> Box:
        """Half-open (d, h, w) index ranges that hold both lungs; a map without lungs raises ScanError."""
        if self._box is None:
            raise ScanError("regions", "the region map holds no lung (values 1 to 6): give a map of a chest CT")
        return self._box


def _is_lung(labels: UInt8[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    return np.asarray(labels - np.uint8(1) < len(LUNG_VALUES))  # 0 wraps round to 255


def _lungs_box(labels: UInt8[np.ndarray, "d h w"], slices: Int[np.ndarray, " n"]) -> Box | None:
    """The box of the lungs, slice by slice: a mask of the whole scan would cost more time and memory than it tells."""
    if not len(slices):
        return None
    front = np.zeros(labels.shape[1:], bool)
    for plane in labels[slices[0] : slices[-1] + 1]:
        front |= _is_lung(plane)
    _, h, w = bounding_box(front[None])
    return (int(slices[0]), int(slices[-1]) + 1), h, w


def bounding_box(mask: Bool[np.ndarray, "d h w"]) -> Box:
    """Half-open (d, h, w) index ranges around a mask; an empty mask raises ValueError."""
    front = np.asarray(mask.any(axis=0))
    lines = (np.any(mask, axis=(1, 2)), np.any(front, axis=1), np.any(front, axis=0))
    if not lines[0].any():
        raise ValueError("an empty mask has no bounding box")
    d, h, w = ((int(np.flatnonzero(line)[0]), int(np.flatnonzero(line)[-1]) + 1) for line in lines)
    return d, h, w
