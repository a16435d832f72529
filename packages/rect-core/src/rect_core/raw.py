"""What a file reader hands to the door: an array as stored, its affine, and what the header said about it."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

Status = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Check:
    """One row of `rect doctor`: what was looked at, how it went, and one plain sentence."""

    name: str
    status: Status
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RawScan:
    """A scan before the door.

    array: stored values after rescale, any number of dimensions, memory that the door may change; affine: stored
    indices to RAS+ mm; name: file or folder name without its path, as messages may print it; case_id: name without its
    suffix; format: "nifti", "nrrd", "metaimage", "dicom", "array"; rescaled: True when the header declares that values
    are HU (a DICOM rescale, NIfTI scl_slope), None when it cannot say; age_years: of a DICOM or None; checks: rows that
    only this reader could fill (series, slices, modality, orientation). No patient identity is kept.
    """

    array: Shaped[np.ndarray, "..."]
    affine: Float[np.ndarray, "4 4"]
    name: str
    case_id: str
    format: str
    rescaled: bool | None = None
    age_years: float | None = None
    checks: tuple[Check, ...] = field(default=())
