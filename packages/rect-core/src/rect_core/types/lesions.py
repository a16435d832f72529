"""Lesions: where they are on the scan's own voxels, and what they measure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Integer


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskCrop:
    """Instance ids of one finding on a scan, kept as the box that holds them: a full-size array is built on demand.

    labels: ids inside the box, 0 is background; start: the box's first (d, h, w) voxel; shape: the scan's (d, h, w).
    """

    labels: Integer[np.ndarray, "bd bh bw"]
    start: tuple[int, int, int]
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        for axis, name in enumerate("dhw"):
            end = self.start[axis] + self.labels.shape[axis]
            if self.start[axis] < 0 or end > self.shape[axis]:
                raise ValueError(f"mask box ends at {name}={end} but the scan has {self.shape[axis]} voxels there")

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box as slices of the scan."""
        d, h, w = (slice(s, s + n) for s, n in zip(self.start, self.labels.shape, strict=True))
        return d, h, w

    def dense(self) -> Integer[np.ndarray, "d h w"]:
        """Instance ids on the whole scan, [d h w]."""
        full = np.zeros(self.shape, self.labels.dtype)
        full[self.box] = self.labels
        return full


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesion:
    """One connected lesion. Points are RAS+ mm; `slices` are first and last index along the scan's stored slice axis.

    diameter_mm: longest in-plane diameter of any axial slice; short_axis_mm: the longest one at right angles to it;
    side: right, left, bilateral or midline; region: the name of the region that holds most of it; prob: mean
    probability inside. An unmeasurable value is NaN.
    """

    finding: str
    instance: int
    volume_ml: float
    diameter_mm: float
    short_axis_mm: float
    side: str
    region: str
    centroid_ras_mm: tuple[float, float, float]
    slices: tuple[int, int]
    voxels: int
    prob: float

    @property
    def id(self) -> str:
        """The name that reports and files use, such as "lung_nodule-2"."""
        return f"{self.finding}-{self.instance}"

    def to_json(self) -> dict[str, Any]:
        """A plain dict with the id."""
        return {"id": self.id, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Lesion":
        """Inverse of `to_json`."""
        fields = {key: value for key, value in data.items() if key != "id"}
        fields["centroid_ras_mm"] = tuple(fields["centroid_ras_mm"])
        fields["slices"] = tuple(fields["slices"])
        return cls(**fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesions:
    """All lesions of one scan. `asked` are the findings that were looked for: one of them without lesions is a
    negative, one that was not asked for is unknown. `crops` has one entry for each asked finding. `warnings` says in
    plain sentences what is not here, such as the smallest of very many lesions."""

    asked: tuple[str, ...]
    items: tuple[Lesion, ...]
    crops: Mapping[str, MaskCrop] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Lesion]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def of(self, finding: str) -> tuple[Lesion, ...]:
        """The lesions of one finding, largest first; a finding that was not asked for raises KeyError."""
        if finding not in self.asked:
            raise KeyError(f"{finding!r} was not looked for in this scan; asked were {', '.join(self.asked)}")
        return tuple(sorted((x for x in self.items if x.finding == finding), key=lambda x: -x.volume_ml))
