"""Where in the lungs a finding sits: by lobe, by depth under the pleura, on a fissure, beside a vessel.

Every chooser looks at a lattice of lung voxels with a random phase, keeps those that fit and takes one of them; it
returns None where nothing fits, so callers decide what to give up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from rect_data.phantom.grid import Point
from rect_data.phantom.parts import LOBES
from rect_data.phantom.scene import Scene, Tube

Prefer = Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, " n"]]
"""Weights (0 and up) of places from their reference (z, y, x) mm."""

Taken = Sequence[tuple[Point, float]]
"""Balls to keep away from: (z, y, x) mm of the centre and radius in mm."""

_STEP_MM: Final = (6.0, 4.5, 4.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A point of the lungs: nearest voxel (d, h, w), physical (z, y, x) mm and name of the lobe."""

    index: tuple[int, int, int]
    point_mm: Point
    lobe: str


def anywhere(
    scene: Scene,
    rng: np.random.Generator,
    *,
    lobes: Sequence[str] = LOBES,
    depth_mm: tuple[float, float] = (0.0, inf),
    prefer: Prefer | None = None,
    away: Taken = (),
) -> Place | None:
    """A point of the named lobes between two depths under the pleura (mm; the mediastinal pleura counts too), outside
    the balls `away`. prefer: how likely each place is; evenly by volume without it."""
    at, jitter, pick = _lattice(scene, rng, lobes), rng.uniform(-0.5, 0.5, 3), float(rng.random())
    depth = scene.depth_mm()[tuple(at.T)]
    return _choose(scene, at[(depth >= depth_mm[0]) & (depth <= depth_mm[1])], prefer, away, jitter, pick)


def on_fissure(
    scene: Scene,
    rng: np.random.Generator,
    *,
    lobes: Sequence[str] = LOBES,
    depth_mm: tuple[float, float] = (0.0, inf),
    away: Taken = (),
) -> Place | None:
    """A voxel of the named lobes that has another lobe of the same lung right above, below, before or behind it."""
    at, pick = _lattice(scene, rng, lobes, every=(1, 2, 2)), float(rng.random())
    depth = scene.depth_mm()[tuple(at.T)]
    at = at[(depth >= depth_mm[0]) & (depth <= depth_mm[1])]
    own, beside = scene.lobes[tuple(at.T)], np.zeros(len(at), bool)
    for step in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)):
        other = np.clip(at + step, 0, np.array(scene.grid.shape) - 1)
        value = scene.lobes[tuple(other.T)]
        beside |= (value != own) & (value > 0)
    return _choose(scene, at[beside], None, away, np.zeros(3), pick)


def on_vessel(
    scene: Scene,
    rng: np.random.Generator,
    *,
    lobes: Sequence[str] = LOBES,
    kinds: Sequence[str] = ("artery", "vein"),
    radius_mm: tuple[float, float] = (0.8, 3.0),
) -> tuple[Place, Tube, int] | None:
    """A point of the centreline of a vessel (or of an "airway") of the given radius, in one of the named lobes: the
    place, the tube and the number of its point."""
    pick = float(rng.random())
    found = [
        (tube, i)
        for kind in kinds
        for tube in scene.tubes.get(kind, [])
        for i in np.flatnonzero((tube.radii >= radius_mm[0]) & (tube.radii <= radius_mm[1]))
    ]
    if not found:
        return None
    at = np.rint(scene.grid.index(np.stack([tube.points[i] for tube, i in found]))).astype(np.int64)
    keep = np.flatnonzero(_inside(scene, at, lobes))
    if not len(keep):
        return None
    tube, i = found[keep[int(pick * len(keep))]]
    place = _place(scene, at[keep[int(pick * len(keep))]], np.zeros(3))
    return place, tube, int(i)


def pleura_near(scene: Scene, point_mm: Point, reach_mm: float) -> tuple[Point, Point] | None:
    """Nearest point of the pleura (mm) and the unit vector from it into the lung; None farther away than reach_mm."""
    box = scene.grid.around(point_mm, reach_mm)
    if box is None:
        return None
    outside = np.argwhere(~scene.lung(box)) + np.array([s.start for s in box])
    if not len(outside):
        return None
    offsets = scene.grid.point(outside) - point_mm
    far = np.linalg.norm(offsets, axis=1)
    nearest = np.argsort(far, kind="stable")[: max(1, min(25, len(far) // 4))]
    if far[nearest[0]] > reach_mm:
        return None
    mean = offsets[nearest].mean(0)
    inward = -mean / max(float(np.linalg.norm(mean)), 1e-6)
    length = max(0.0, float(far[nearest[0]]) - float(np.abs(inward) @ scene.grid.spacing_mm) / 2)
    wall = np.asarray(point_mm) - length * inward
    return _as_point(wall), _as_point(inward)


def _lattice(
    scene: Scene, rng: np.random.Generator, lobes: Sequence[str], every: tuple[int, int, int] | None = None
) -> Int[np.ndarray, "n 3"]:
    """Every few voxels of the named lobes."""
    steps = every or tuple(max(1, round(mm / s)) for mm, s in zip(_STEP_MM, scene.grid.spacing_mm, strict=True))
    first = [int(rng.integers(step)) for step in steps]
    sparse = scene.lobes[tuple(slice(f, None, s) for f, s in zip(first, steps, strict=True))]
    wanted = np.array([False, *(name in lobes for name in LOBES)])
    found: Int[np.ndarray, "n 3"] = np.argwhere(wanted[sparse]) * np.array(steps) + np.array(first)
    return found


def _inside(scene: Scene, at: Int[np.ndarray, "n 3"], lobes: Sequence[str]) -> Bool[np.ndarray, " n"]:
    """Which voxels lie on the grid and in one of the lobes."""
    wanted = np.array([False, *(name in lobes for name in LOBES)])
    on = ((at >= 0) & (at < np.array(scene.grid.shape))).all(1)
    near = np.clip(at, 0, np.array(scene.grid.shape) - 1)
    inside: Bool[np.ndarray, " n"] = on & wanted[scene.lobes[tuple(near.T)]]
    return inside


def _choose(
    scene: Scene,
    at: Int[np.ndarray, "n 3"],
    prefer: Prefer | None,
    away: Taken,
    jitter: Float[np.ndarray, " 3"],
    pick: float,
) -> Place | None:
    points = scene.grid.point(at)
    weights = np.ones(len(at))
    if prefer is not None and len(at):
        here = tuple(at.T)
        weights *= prefer(np.stack([scene.z[here], scene.y[here], scene.x[here]], axis=1).astype(np.float64))
    for centre, radius in away:
        weights[np.linalg.norm(points - np.asarray(centre), axis=1) < radius] = 0
    total = np.cumsum(weights)
    if not len(total) or total[-1] <= 0:
        return None
    return _place(scene, at[int(np.searchsorted(total, pick * total[-1], side="right").clip(0, len(at) - 1))], jitter)


def _place(scene: Scene, at: Int[np.ndarray, " 3"], jitter: Float[np.ndarray, " 3"]) -> Place:
    d, h, w = (int(i) for i in at)
    point = scene.grid.point((at + jitter)[None])[0]
    return Place(index=(d, h, w), point_mm=_as_point(point), lobe=scene.lobe_at(np.array([d, h, w])))


def _as_point(values: Float[np.ndarray, " 3"]) -> Point:
    z, y, x = (float(v) for v in values)
    return z, y, x
