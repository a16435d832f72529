"""What old disease leaves in the lung: fibrotic bands that reach the pleura, apical scars, and small areas of crossing
strands that shrink (Fleischner glossary, Hansell 2008, doi:10.1148/radiol.2462070712: parenchymal band, apical cap,
architectural distortion)."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.extent import box_of, close_seam, lobes_of, side_of, voxels_of
from rect_data.phantom.findings.holes import balls, bends
from rect_data.phantom.findings.place import Place, anywhere, pleura_near
from rect_data.phantom.findings.sheets import Sheet, axes_from, paint_sheet
from rect_data.phantom.findings.waves import Waves
from rect_data.phantom.grid import Box, Point
from rect_data.phantom.parts import LUNGS
from rect_data.phantom.scene import Scene

Drawn = list[tuple[Box, Float32[np.ndarray, "..."]]]

_LABEL: Final = "Pulmonary fibrotic sequela"
_FAVOURITES: Final = (-55.0, 85.0)
"""Reference heights (mm) around which bands are most frequent: middle lobe, lingula and bases; apices."""


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints bands, an apical scar or an area of strands, sometimes two of them."""
    kinds = rng.permutation(3)[: 1 + int(rng.random() < 0.2)]
    apical, strands = 1 in kinds and _apical(scene, rng), 2 in kinds and _strands(scene, rng)
    if 0 in kinds or not (apical or strands):
        _bands(scene, rng)


def _bands(scene: Scene, rng: np.random.Generator) -> None:
    """One to four bands 20 to 60 mm long and 1 to 3 mm thick that run in from the pleura."""
    drawn: Drawn = []
    pull = float(rng.uniform(2.5, 5)) if rng.random() < 0.4 else 0.0
    count = int(rng.choice(4, p=(0.45, 0.3, 0.15, 0.1))) + 1
    for _ in range(count):
        place = anywhere(scene, rng, depth_mm=(2, 9), prefer=_favourites)
        if place is not None:
            drawn += _band(scene, rng, place, float(rng.uniform(20, 55)), pull)
    _report(scene, "fibrotic bands", drawn, ("with traction",) if pull else (), count)


def _favourites(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    low, high = (np.exp(-(((points[:, 0] - z) / 28) ** 2)) for z in _FAVOURITES)
    return np.asarray(low + 2 * high + 0.05)


def _band(scene: Scene, rng: np.random.Generator, place: Place, length: float, pull: float) -> Drawn:
    """A band from the pleura next to a place into the lung."""
    wall = pleura_near(scene, place.point_mm, 20.0)
    start, inward = (np.asarray(place.point_mm), rng.standard_normal(3)) if wall is None else map(np.asarray, wall)
    way = inward / np.linalg.norm(inward) + rng.normal(0, 0.35, 3)
    way /= np.linalg.norm(way)
    middle = start + way * (length / 2 - 6)
    half = (float(rng.uniform(0.6, 1.4)), length / 2, float(rng.uniform(5, 13)))
    sheet = Sheet(middle_mm=_point(middle), axes=axes_from(way, rng), half_mm=half, bend_mm=float(rng.uniform(1.5, 5)))
    found = paint_sheet(scene, rng, sheet, float(rng.uniform(-20, 45)), ragged=0.4, pull_mm=pull)
    return [] if found is None else [found]


def _strands(scene: Scene, rng: np.random.Generator) -> bool:
    """Short strands that cross each other in an area of a few centimetres, drawn together."""
    place = anywhere(scene, rng, depth_mm=(6, 22), prefer=_favourites)
    if place is None:
        return False
    drawn: Drawn = []
    for _ in range(int(rng.integers(4, 9))):
        half = (float(rng.uniform(0.5, 1.3)), float(rng.uniform(7, 16)), float(rng.uniform(4, 9)))
        middle = np.asarray(place.point_mm) + rng.normal(0, 5, 3)
        axes = axes_from(rng.standard_normal(3), rng)
        sheet = Sheet(middle_mm=_point(middle), axes=axes, half_mm=half, bend_mm=float(rng.uniform(1, 4)))
        found = paint_sheet(scene, rng, sheet, float(rng.uniform(-40, 40)), ragged=0.5, pull_mm=2.0)
        drawn += [] if found is None else [found]
    drawn += _band(scene, rng, place, 2 * float(scene.depth_mm()[place.index]) + 10, 2.0)
    _report(scene, "sequela changes", drawn, ("with traction",), 1)
    return True


def _apical(scene: Scene, rng: np.random.Generator) -> bool:
    """An uneven cap of scar under one apex or both, strands from it, and calcium in some."""
    drawn: Drawn = []
    sides = LUNGS if rng.random() < 0.45 else (LUNGS[int(rng.random() < 0.4)],)
    calcified = rng.random() < 0.35
    for part in sides:
        drawn += _cap(scene, rng, int(part), calcified)
    if drawn:
        _report(scene, "apical scarring", drawn, ("calcified",) if calcified else (), 1)
    return bool(drawn)


def _cap(scene: Scene, rng: np.random.Generator, part: int, calcified: bool) -> Drawn:
    """The scar under one apex."""
    from scipy import ndimage

    whole = box_of(scene.parts == part)
    if whole is None:
        return []
    box = (slice(max(whole[0].start, whole[0].stop - int(36 / scene.grid.spacing_mm[0])), whole[0].stop), *whole[1:])
    lung = scene.parts[box] == part
    depth = ndimage.gaussian_filter(scene.depth_mm()[box], (0.7, 1.0, 1.0))
    where = np.argwhere(lung) + [s.start for s in box]
    points = scene.grid.point(where).astype(np.float32)
    below = (points[:, 0].max() - points[:, 0]) / np.float32(rng.uniform(14, 30))
    thick = (
        rng.uniform(1.5, 4.5)
        * (0.6 + 0.9 * Waves(24.0, rng).at(points) + 0.4 * Waves(9.0, rng).at(points))
        * (1 - below)
    )
    alpha = np.zeros(lung.shape, np.float32)
    alpha[lung] = np.clip(0.5 - (depth[lung] - 0.8 - thick) / 2.2, 0, 1) * (thick > 0.2)
    density = float(rng.uniform(-60, 10))
    scene.blend(box, alpha, np.maximum(scene.hu[box], np.float32(density)))
    close_seam(scene, box, alpha >= 0.5, density)
    seeds = points[(thick > 1.0) & (depth[lung] < 5)]
    return [(box, alpha), *_tails(scene, rng, seeds if len(seeds) else points, calcified)]


def _tails(scene: Scene, rng: np.random.Generator, seeds: Float32[np.ndarray, "n 3"], calcified: bool) -> Drawn:
    """Strands downward from a cap, and grains of calcium in it."""
    drawn: Drawn = []
    for seed in seeds[rng.integers(0, len(seeds), int(rng.integers(2, 6)))]:
        way = np.array([-1.0, 0, 0]) + rng.normal(0, 0.6, 3)
        length = float(rng.uniform(12, 30))
        half = (float(rng.uniform(0.6, 1.3)), length / 2, float(rng.uniform(2.5, 6)))
        middle = seed + way / np.linalg.norm(way) * length / 2.4
        sheet = Sheet(middle_mm=_point(middle), axes=axes_from(way, rng), half_mm=half)
        found = paint_sheet(scene, rng, sheet, float(rng.uniform(-30, 40)), ragged=0.5, pull_mm=1.5)
        drawn += [] if found is None else [found]
    if calcified:
        _calcify(scene, rng, seeds[rng.integers(0, len(seeds), int(rng.integers(1, 5)))].astype(np.float64))
    return drawn


def _calcify(scene: Scene, rng: np.random.Generator, middles: Float[np.ndarray, "n 3"]) -> None:
    """Grains of 2 to 4 mm, 300 to 900 HU."""
    radii = rng.uniform(1.0, 2.1, len(middles))
    alpha = balls(scene.grid, middles, radii, bends(len(middles), 0.2, rng))
    where = np.nonzero(alpha)
    scene.hu[where] += alpha[where] * scene.lung()[where] * (np.float32(rng.uniform(300, 900)) - scene.hu[where])


def _point(values: Float[np.ndarray, " 3"]) -> Point:
    z, y, x = (float(v) for v in values)
    return z, y, x


def _report(scene: Scene, kind: str, drawn: Drawn, details: tuple[str, ...], number: int) -> None:
    """Adds the fact of all that was drawn of a kind."""
    pieces = [voxels_of(scene, box, alpha) for box, alpha in drawn]
    voxels, amounts = (np.concatenate(part) for part in zip(*pieces, strict=True))
    lobes = lobes_of(scene, voxels, amounts)
    scene.facts.append(
        Fact(label=_LABEL, kind=kind, side=side_of(lobes), lobes=lobes, number=number, severity="mild", details=details)
    )
