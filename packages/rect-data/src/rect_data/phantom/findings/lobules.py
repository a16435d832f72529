"""Secondary pulmonary lobules as Voronoi cells of a jittered lattice: polygons of one size, none like the other."""

from collections.abc import Iterator
from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Float32, Int32

_REACH_MM: Final = 270.0
"""No lung reaches farther from the origin."""


class Lobules:
    """Polyhedra of about size_mm that fill space, in a lattice turned at random; jitter: how far the middle of one
    strays, as a share of the size (below .5)."""

    def __init__(self, size_mm: float, rng: np.random.Generator, jitter: float = 0.36) -> None:
        turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        self._turn = (turn / size_mm).astype(np.float32)
        self._size = np.float32(size_mm)
        self._count = 2 * int(np.ceil(_REACH_MM / size_mm))
        site = np.indices((self._count,) * 3, np.float32).reshape(3, -1)
        self._site = site + rng.uniform(-jitter, jitter, site.shape).astype(np.float32)

    @property
    def size(self) -> int:
        """How many there are."""
        return int(self._site.shape[1])

    @property
    def middles_mm(self) -> Float32[np.ndarray, "n 3"]:
        """Physical (z, y, x) mm of their middles."""
        at = (self._site - np.float32(self._count // 2)).T @ (self._turn * self._size**2)
        return np.ascontiguousarray(at)

    def number(self, points_mm: Float32[np.ndarray, "n 3"]) -> Int32[np.ndarray, " n"]:
        """Number of the lobule of each physical point (looked for among the eight around it)."""
        best, nearest = np.full(len(points_mm), np.float32(9)), np.zeros(len(points_mm), np.int32)
        for apart, site in self._around(points_mm, (0, 1), 0.0):
            closer = apart < best
            np.copyto(best, apart, where=closer)
            np.copyto(nearest, site, where=closer)
        return nearest

    def wall_mm(self, points_mm: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, " n"]:
        """Distance of each physical point from the wall of its lobule."""
        best, second = (np.full(len(points_mm), np.float32(9)) for _ in range(2))
        nearest, other = (np.zeros(len(points_mm), np.int32) for _ in range(2))
        for apart, site in self._around(points_mm, (-1, 0, 1), 0.5):
            closer = apart < best
            closest = closer | (apart < second)
            np.copyto(second, np.where(closer, best, apart), where=closest)
            np.copyto(other, np.where(closer, nearest, site), where=closest)
            np.copyto(best, apart, where=closer)
            np.copyto(nearest, site, where=closer)
        between = np.sqrt(((self._site[:, nearest] - self._site[:, other]) ** 2).sum(0))
        return np.asarray(self._size * (second - best) / (2 * np.maximum(between, np.float32(1e-3))), np.float32)

    def _around(
        self, points_mm: Float32[np.ndarray, "n 3"], steps: tuple[int, ...], half: float
    ) -> Iterator[tuple[Float32[np.ndarray, " n"], Int32[np.ndarray, " n"]]]:
        """Squared distance (in sizes) from each of the sites around each point, and the number of the site."""
        at = self._turn @ points_mm.T + np.float32(self._count // 2)
        first = np.clip(np.floor(at + np.float32(half)), 1, self._count - 2).astype(np.int32)
        flat = (first[0] * self._count + first[1]) * self._count + first[2]
        for i, j, k in product(steps, repeat=3):
            site = flat + np.int32((i * self._count + j) * self._count + k)
            apart = (at[0] - self._site[0][site]) ** 2
            for axis in (1, 2):
                apart += (at[axis] - self._site[axis][site]) ** 2
            yield apart, site
