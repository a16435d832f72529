"""A scan in, its tokens or one vector out: reading, regions, preprocessing and the encoder in one call."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rect_core.anatomy import RegionMap
from rect_core.preprocess import ModelInput, Preprocess
from rect_core.types import VisionTokens
from rect_core.volume import Volume
from rect_encoder.model import VisionEncoder


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedScan:
    """One scan on its way to the heads: as read, its regions, on the model grid, and its tokens (b = 1)."""

    volume: Volume
    regions: RegionMap
    item: ModelInput
    tokens: VisionTokens


def encode(source: Any, *, model: str | Path | VisionEncoder = "rect-tiny", regions: Any = None) -> EncodedScan:
    """Reads a scan, finds its regions, brings it to the encoder's grid and encodes it, once for all heads.

    source: whatever `rect_core.read.read_volume` takes (a file, a DICOM folder, a Volume, ...). model: an encoder, or
    the folder, installed weights or Hub id that `VisionEncoder.from_pretrained` takes. regions: a region map that
    `rect_core.anatomy.regions` takes; None finds the regions from the scan. Raises ScanError for a scan or map that
    cannot be used, FileNotFoundError or ValueError for weights that cannot.
    """
    from rect_core import anatomy
    from rect_core.read import read_volume

    encoder = model if isinstance(model, VisionEncoder) else VisionEncoder.from_pretrained(model)
    volume = read_volume(source)
    found = anatomy.regions(volume, regions)
    item = Preprocess(encoder.config.grid)(volume, found)
    return EncodedScan(volume=volume, regions=found, item=item, tokens=encoder.encode(item))


def embed(
    source: Any, *, model: str | Path | VisionEncoder = "rect-tiny", regions: Any = None
) -> Float[np.ndarray, " c"]:
    """One vector of a scan, float32: the encoder's pooled token. Arguments and errors are those of `encode`."""
    return encode(source, model=model, regions=regions).tokens.pooled[0].float().cpu().numpy()
