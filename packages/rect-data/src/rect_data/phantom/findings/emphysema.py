"""Emphysema: holes in the lung without walls (centrilobular), rows of them under the pleura (paraseptal), or lung that
is thin all over (panlobular); bullae where a centimetre or more is gone.

Patterns after the Fleischner Society's glossary (Hansell 2008, doi:10.1148/radiol.2462070712) and its statement on
emphysema (Lynch 2015, doi:10.1148/radiol.2015141579); emphysema lies below -950 HU (Gevenois 1996,
doi:10.1164/ajrccm.154.1.8680679).
"""

from math import nan
from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.extent import extent_mm, lobes_of, side_of
from rect_data.phantom.findings.holes import balls, bends
from rect_data.phantom.findings.place import anywhere
from rect_data.phantom.grid import Box, Point
from rect_data.phantom.paint import coverage, ellipsoid, noise
from rect_data.phantom.parts import LOBES
from rect_data.phantom.scene import Scene

_SEVERITIES: Final = ("mild", "moderate", "severe")
_CHANCES: Final = (0.66, 0.25, 0.09)
_UPPER: Final = ("right upper lobe", "left upper lobe")
_LOWER: Final = ("right lower lobe", "left lower lobe")

Volume = Float32[np.ndarray, "d h w"]


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints one pattern, or centrilobular with paraseptal emphysema, and bullae in some."""
    level, pattern = int(rng.choice(3, p=_CHANCES)), int(rng.choice(3, p=(0.72, 0.16, 0.12)))
    beside, bullous = rng.random() < 0.25, rng.random() < (0.06, 0.2, 0.45)[level]
    if pattern == 0:
        _report(scene, "centrilobular emphysema", _centrilobular(scene, rng, level), level, rng if bullous else None)
    if pattern == 1 or (pattern == 0 and beside):
        blebs = rng if bullous and pattern == 1 else None
        _report(scene, "paraseptal emphysema", _paraseptal(scene, rng, level), level, blebs)
    if pattern == 2:
        _report(scene, "panlobular emphysema", _panlobular(scene, rng, level), level, rng if bullous else None)


def _centrilobular(scene: Scene, rng: np.random.Generator, level: int) -> Volume:
    """Round holes of 3 to 10 mm around the lobular arteries, in clusters, most of them high up."""
    count = int(rng.uniform(*((500, 1400), (1700, 2900), (3000, 4800))[level]))
    middles = _scattered(scene, rng, count)
    radii = np.clip(rng.lognormal(np.log((2.5, 3.0, 3.7)[level]), 0.3, count), 1.5, 6.0)
    return _empty(scene, balls(scene.grid, middles, radii, bends(count, 0.16, rng)), rng)


def _paraseptal(scene: Scene, rng: np.random.Generator, level: int) -> Volume:
    """Rows of holes of 5 to 14 mm against the pleura, with walls as thin as a line between them."""
    middles, radii = _rows(scene, rng, patches=int(rng.integers(3, 7)) + 6 * level)
    bent = bends(len(radii), 0.06, rng)
    walls = balls(scene.grid, middles, radii + 1.0, bent)
    alpha = _empty(scene, balls(scene.grid, middles, radii, bent), rng)
    where = np.nonzero(walls)
    shell = 0.6 * np.maximum(walls[where] - alpha[where], 0) * scene.lung()[where]
    scene.hu[where] += shell * np.maximum(-350 - scene.hu[where], 0)
    return alpha


def _panlobular(scene: Scene, rng: np.random.Generator, level: int) -> Volume:
    """Lung thinned evenly with its vessels, most of it low down."""
    lung, edge = scene.lung(), rng.normal(-25, 12)
    thin = 1 / (1 + np.exp((scene.z[lung] - np.float32(edge)) / 20))
    uneven = noise(scene.grid.shape, scene.grid.spacing_mm, 4.0, rng)[lung]
    share = np.clip(thin * ((0.6, 0.72, 0.83)[level] + 0.09 * uneven), 0, 0.97)
    hu = scene.hu[lung]
    share *= 0.3 + 0.7 * np.clip((-550 - hu) / 250, 0, 1)
    scene.hu[lung] = -1000 + (hu + 1000) * (1 - share)
    out = np.zeros(scene.grid.shape, np.float32)
    out[lung] = thin
    return out


def _empty(scene: Scene, alpha: Volume, rng: np.random.Generator) -> Volume:
    """Takes the air spaces away where alpha says so, and leaves vessels and walls; returns what it took."""
    where = np.nonzero(alpha)
    hu = scene.hu[where]
    taken = alpha[where] * scene.lung()[where] * np.clip((-600 - hu) / 180, 0, 1)
    scene.hu[where] = hu + taken * (np.float32(rng.uniform(-998, -980)) - hu)
    alpha[where] = taken
    return alpha


def _scattered(scene: Scene, rng: np.random.Generator, count: int) -> Float[np.ndarray, "n 3"]:
    """Places in clusters of a few centimetres, (z, y, x) mm."""
    at = np.argwhere(scene.depth_mm()[:, ::3, ::3] > 3) * (1, 3, 3)
    points, (bias, middle) = scene.grid.point(at).astype(np.float32), rng.normal((0, 15), (1, 12))
    clusters = points[rng.integers(0, len(points), 16)]
    weight = np.full(len(points), np.float32(0.12))
    for cluster in clusters:
        weight += np.exp(-((points - cluster) ** 2).sum(1) / np.float32(2 * 22**2))
    weight /= 1 + np.exp(-(scene.z[tuple(at.T)] - np.float32(middle)) / np.float32(20 + 3 * bias))
    total = np.cumsum(weight, dtype=np.float64)
    picks = np.searchsorted(total, rng.random(count) * total[-1]).clip(0, len(at) - 1)
    return scene.grid.point(at[picks] + rng.uniform(-0.5, 0.5, (count, 3)) * (1, 3, 3))


def _rows(
    scene: Scene, rng: np.random.Generator, patches: int
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Middles (mm) and radii of holes that touch the pleura but not each other, in patches of a few centimetres."""
    depth = scene.depth_mm()
    at = np.argwhere((depth > 2.6) & (depth < 6.5) & (scene.z > -60))
    weight = np.cumsum(1 / (1 + np.exp(-(scene.z[tuple(at.T)].astype(np.float64) - 25) / 15)))
    points, seeds = scene.grid.point(at), np.searchsorted(weight, rng.random(patches) * weight[-1])
    middles, radii = [np.full(3, 1e6)], [0.0]
    for seed in seeds:
        near = np.flatnonzero(((points - points[seed]) ** 2).sum(1) < rng.uniform(18, 38) ** 2)
        for i in rng.permutation(near)[:260]:
            radius = min(6.5, float(depth[tuple(at[i])])) * rng.uniform(0.85, 1.05)
            apart = np.sqrt(((np.asarray(middles) - points[i]) ** 2).sum(1)) - np.asarray(radii)
            if apart.min() > radius + 0.7:
                middles.append(points[i])
                radii.append(radius)
    return np.asarray(middles[1:]), np.asarray(radii[1:])


def _report(scene: Scene, kind: str, drawn: Volume, level: int, rng: np.random.Generator | None) -> None:
    """Adds the fact of what was drawn, with bullae of its own where rng is given."""
    largest = nan if rng is None else _bullae(scene, rng, drawn)
    voxels = np.flatnonzero(drawn)
    lobes = lobes_of(scene, voxels, drawn.ravel()[voxels])
    details = (*_bias(scene, drawn, voxels), *(() if np.isnan(largest) else ("with bullae",)))
    scene.facts.append(
        Fact(
            label="Emphysema",
            kind=kind,
            side=side_of(lobes),
            lobes=lobes,
            size_mm=largest,
            severity=_SEVERITIES[level],
            details=details,
        )
    )


def _bias(scene: Scene, drawn: Volume, voxels: np.ndarray) -> tuple[str, ...]:
    """Which lobes hold clearly more of it than the others, by share of their volume."""
    held = np.bincount(scene.lobes.ravel()[voxels], drawn.ravel()[voxels], minlength=6)[1:]
    share = dict(zip(LOBES, held / np.maximum(np.bincount(scene.lobes.ravel(), minlength=6)[1:], 1), strict=True))
    upper, lower = (sum(share[lobe] for lobe in lobes) for lobes in (_UPPER, _LOWER))
    if max(upper, lower) < 1.5 * min(upper, lower):
        return ()
    return ("upper lobe predominance" if upper > lower else "lower lobe predominance",)


def _bullae(scene: Scene, rng: np.random.Generator, drawn: Volume) -> float:
    """Thin-walled air of 10 to 60 mm against the pleura; the largest diameter in mm, NaN where none fitted."""
    largest = nan
    for _ in range(int(rng.integers(1, 5))):
        radius = float(np.clip(rng.lognormal(np.log(9), 0.5), 5.5, 30))
        place = anywhere(scene, rng, depth_mm=(0.3 * radius, 1.1 * radius), prefer=_high)
        found = None if place is None else ellipsoid(scene.grid, place.point_mm, _radii(radius, rng))
        if found is not None:
            largest = float(np.fmax(largest, _bulla(scene, rng, drawn, *found)))
    return largest


def _bulla(scene: Scene, rng: np.random.Generator, drawn: Volume, box: Box, distance: np.ndarray) -> float:
    """Paints one bulla and returns its largest diameter in the plane, mm."""
    lung = scene.lung(box)
    distance = distance + noise(lung.shape, scene.grid.spacing_mm, 9.0, rng)
    scene.blend(box, 0.5 * coverage(distance - 1.1, 1.4) * lung, np.maximum(scene.hu[box], -500))
    alpha = coverage(distance, 1.6) * lung
    scene.blend(box, alpha, float(rng.uniform(-998, -985)))
    drawn[box] = np.maximum(drawn[box], alpha)
    return extent_mm(alpha >= 0.5, scene.grid)


def _radii(radius: float, rng: np.random.Generator) -> Point:
    z, y, x = (float(radius * f) for f in rng.uniform(0.8, 1.15, 3))
    return z, y, x


def _high(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Bullae like the apices."""
    return 0.08 + 1 / (1 + np.exp(-(points[:, 0] - 35) / 15))
