"""Smooth random fields that can be asked for at any point: a few plane waves of about one length."""

from typing import Final

import numpy as np
from jaxtyping import Float32

_COUNT: Final = 10


class Waves:
    """Values of mean 0 and standard deviation near 1 that change over about length_mm."""

    def __init__(self, length_mm: float, rng: np.random.Generator) -> None:
        way = rng.standard_normal((3, _COUNT))
        way *= 2 * np.pi / length_mm * rng.uniform(0.6, 1.5, _COUNT) / np.linalg.norm(way, axis=0)
        self._way, self._phase = way.astype(np.float32), rng.uniform(0, 2 * np.pi, _COUNT).astype(np.float32)

    def at(self, points_mm: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, " n"]:
        """The field at physical (z, y, x) mm."""
        out: Float32[np.ndarray, " n"] = np.cos(points_mm @ self._way + self._phase).sum(1)
        return out * np.float32(np.sqrt(2 / _COUNT))
