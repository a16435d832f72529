"""Consolidation: airspaces filled so that vessels vanish and bronchi stay as dark branches (Hansell 2008)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings import opacity
from rect_data.phantom.findings.place import Place, Taken, anywhere
from rect_data.phantom.findings.shapes import crop, haze, largest, level_of, ramp, sealed
from rect_data.phantom.grid import Box, Grid, Point
from rect_data.phantom.paint import local_mm, noise, threads
from rect_data.phantom.parts import LOBES
from rect_data.phantom.scene import Scene, Tube

FINDING: Final = "consolidation"

_COUNT: Final = (0.62, 0.27, 0.11)
_MEDIAN_ML: Final = 10.0
_LIMITS_ML: Final = (1.0, 300.0)
_BRONCHOGRAM_ML: Final = 6.0
_SMALL_ML: Final = 5.0
_TRIES: Final = 8
_SLOPE: Final = 0.5
_EDGE_MM: Final = 4.5
_RIM_HU: Final = -620.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Region:
    """Where one consolidation lies: a box, a field in mm (high inside) and the voxels it may fill."""

    box: Box
    field: Float32[np.ndarray, "d h w"]
    allowed: Bool[np.ndarray, "d h w"]
    root: Float[np.ndarray, " 3"]
    """Physical (z, y, x) mm of its end toward the hilum."""
    tip: Float[np.ndarray, " 3"]
    """Of its end at the pleura."""


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints one to three consolidations, each inside one lobe, one mask and one Fact each."""
    hazy = scene.instances.get(opacity.FINDING)
    rim = None if opacity.LABEL not in scene.labels or hazy is None else hazy > 0
    taken: list[tuple[Point, float]] = []
    for _ in range(1 + int(rng.choice(3, p=_COUNT))):
        millilitres = float(np.clip(np.exp(rng.normal(np.log(_MEDIAN_ML), 1.2)), *_LIMITS_ML))
        style = ("segmental", "rounded", "peripheral")[int(rng.choice(3, p=[0.5, 0.25, 0.25]))]
        style = "peripheral" if millilitres < _SMALL_ML else style  # a small round one would be called a nodule
        place = _site(scene, rng, style, taken, (250 * millilitres) ** (1 / 3))
        if place is not None:
            taken.append((place.point_mm, 2.5 * (250 * millilitres) ** (1 / 3) + 8))
            _paint(scene, rng, place, style, millilitres, rim)
    if rim is not None and hazy is not None:
        details = next(fact.details for fact in scene.facts if fact.finding == opacity.FINDING)
        opacity.settle(scene, rim & (scene.instances[FINDING] == 0), details)


def _site(scene: Scene, rng: np.random.Generator, style: str, taken: Taken, radius_mm: float) -> Place | None:
    """Wedges and peripheral ones sit on the costal or diaphragmatic pleura, rounded ones anywhere; low more often, but
    not in a recess too narrow for their radius where there is another place."""

    def low(at: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        costal = (np.abs(at[:, 2]) > 70) | (at[:, 1] > 45) | (at[:, 1] < -55)
        weight: Float[np.ndarray, " n"] = np.exp(-np.clip(at[:, 0], -150, 60) / 70 + np.clip(at[:, 1], -60, 60) / 80)
        return weight if style == "rounded" else weight * (costal + 1e-6)

    place = None
    for _ in range(_TRIES):
        place = anywhere(scene, rng, depth_mm=(6.0, 40.0) if style == "rounded" else (1.5, 5.0), prefer=low, away=taken)
        box = None if place is None else scene.grid.around(place.point_mm, radius_mm + 8)
        if box is None or float(scene.depth_mm()[box].max()) > 0.8 * radius_mm + 8:
            break
    return place


def _paint(
    scene: Scene,
    rng: np.random.Generator,
    place: Place,
    style: str,
    millilitres: float,
    rim: Bool[np.ndarray, "d h w"] | None,
) -> None:
    """Draws, marks and notes one consolidation; adds its rim of ground glass to a mask where there is one."""
    if style == "segmental":
        region = _wedge(scene, rng, place, millilitres)
    else:
        region = _ball(scene, rng, place, millilitres, style)
    box, grid = region.box, crop(scene.grid, region.box)
    level = level_of(region.field, region.allowed, millilitres, grid)
    alpha = np.where(region.allowed, ramp(region.field, level, _EDGE_MM), np.float32(0))
    mask = largest(alpha >= 0.5)
    alpha[(alpha >= 0.5) & ~mask] = 0.3
    air = _air(scene, rng, region, mask, millilitres)
    if rim is not None:
        shell = np.where(region.allowed, ramp(region.field, level - float(rng.uniform(4, 8)), 3.0), np.float32(0))
        haze(scene, box, shell, _RIM_HU)
        rim[box] |= (shell >= 0.5) & ~mask
    hu = float(rng.uniform(5, 45)) + 0.15 * scene.traits.contrast
    tissue = hu + 9 * noise(grid.shape, grid.spacing_mm, 5.0, rng)
    scene.blend(box, sealed(scene, box, alpha) * (1 - air), tissue)
    number = scene.mark(FINDING, box, mask)
    details = [style] + (["with air bronchograms"] if air.any() else [])
    scene.facts.append(
        Fact(
            label="Consolidation",
            kind="consolidation",
            side=place.lobe.split()[0],
            lobes=(place.lobe,),
            details=tuple(details),
            finding=FINDING,
            instances=(number,),
        )
    )


def _hilum(scene: Scene, lobe: str) -> Float[np.ndarray, " 3"]:
    """Physical (z, y, x) mm of the hilum of a lobe's lung."""
    return scene.landmarks[f"{lobe.split()[0]} hilum"]


def _wedge(scene: Scene, rng: np.random.Generator, place: Place, millilitres: float) -> _Region:
    """A cone from the hilum's side whose base is the pleura: a segment."""
    base = np.asarray(place.point_mm)
    inward = _hilum(scene, place.lobe) - base
    far = float(np.linalg.norm(inward))
    inward = inward / max(far, 1e-6)
    length = min((3000 * millilitres / (np.pi * _SLOPE**2)) ** (1 / 3), 0.9 * far)
    root = base + length * inward
    wide = 1.7 * (750 * millilitres / np.pi) ** (1 / 3) + 10
    box = _around(scene.grid, np.stack([root, base]), wide)
    z, y, x = local_mm(scene.grid, box, (float(root[0]), float(root[1]), float(root[2])))
    out = (-inward).astype(np.float32)
    along = z * out[0] + y * out[1] + x * out[2]
    across = np.sqrt(np.maximum(z * z + y * y + x * x - along * along, 0))
    field = np.float32(_SLOPE) * along - across - np.maximum(-along, 0)
    return _region(scene, rng, place, box, field, root, base, 0.16 * length)


def _ball(scene: Scene, rng: np.random.Generator, place: Place, millilitres: float, style: str) -> _Region:
    """An irregular ball, flatter where it is peripheral; what the pleura or a fissure cuts off is made up elsewhere."""
    radius = (750 * millilitres / np.pi) ** (1 / 3)
    centre = np.asarray(place.point_mm)
    box = _around(scene.grid, centre[None], 2.5 * radius + 6)
    z, y, x = local_mm(scene.grid, box, place.point_mm)
    a, b, c = rng.uniform(0.8, 1.25, 3).astype(np.float32)
    inward = _hilum(scene, place.lobe) - centre
    inward = inward / max(float(np.linalg.norm(inward)), 1e-6)
    field = -np.sqrt((z / a) ** 2 + (y / b) ** 2 + (x / c) ** 2)
    if style == "peripheral":  # spread along the pleura
        field -= scene.depth_mm()[box]
    return _region(scene, rng, place, box, field, centre + radius * inward, centre - radius * inward, 0.3 * radius)


def _region(
    scene: Scene,
    rng: np.random.Generator,
    place: Place,
    box: Box,
    field: Float32[np.ndarray, "d h w"],
    root: Float[np.ndarray, " 3"],
    tip: Float[np.ndarray, " 3"],
    rough_mm: float,
) -> _Region:
    """Makes a field irregular and finds what it may fill: its lobe, away from other consolidations."""
    from scipy import ndimage

    grid = crop(scene.grid, box)
    field = field + np.float32(rough_mm) * noise(grid.shape, grid.spacing_mm, max(6.0, 1.6 * rough_mm), rng)
    field += np.float32(min(2.2, rough_mm)) * noise(grid.shape, grid.spacing_mm, 2.6, rng)
    allowed = scene.lobes[box] == LOBES.index(place.lobe) + 1
    others = scene.instances.get(FINDING)
    if others is not None and others[box].any():
        allowed &= ~ndimage.binary_dilation(others[box] > 0, np.ones((3, 3, 3), bool), iterations=2)
    return _Region(box=box, field=field, allowed=largest(allowed), root=root, tip=tip)


def _air(
    scene: Scene, rng: np.random.Generator, region: _Region, mask: Bool[np.ndarray, "d h w"], millilitres: float
) -> Float32[np.ndarray, "d h w"]:
    """Share of each voxel that stays air: the bronchi that cross it, and branches where those are too few; 0 in small
    ones and in some that are filled."""
    open_bronchi, tubes = bool(rng.random() < 0.75), _branches(rng, region)
    if millilitres < _BRONCHOGRAM_ML or not open_bronchi:
        return np.zeros(mask.shape, np.float32)
    grid = crop(scene.grid, region.box)
    own = [tube for tube in scene.tubes["airway"] if tube.order >= 1 and tube.radii.max() < 6]
    share = threads(grid, own)
    if float(share[mask].sum()) < 0.012 * mask.sum():
        share = np.maximum(share, threads(grid, tubes))
    return np.where(mask, share, np.float32(0))


def _branches(rng: np.random.Generator, region: _Region) -> list[Tube]:
    """A small tree of lucencies 1.2 to 2.8 mm wide from the root to the pleura, thrice forked."""
    axis = region.tip - region.root
    length = float(np.linalg.norm(axis))
    ends = [(region.root, region.root + 0.4 * axis + rng.normal(0, 0.04 * length, 3))]
    tubes = [Tube(points=np.stack(ends[0]), radii=np.array([1.4, 1.2]), kind="bronchogram")]
    for share, wide, narrow in ((0.3, 1.15, 0.95), (0.22, 0.95, 0.75), (0.16, 0.75, 0.6)):
        grown = []
        for start, end in ends:
            for _ in range(2):
                heading = (end - start) / max(float(np.linalg.norm(end - start)), 1e-6) + rng.normal(0, 0.42, 3)
                heading *= share * length / max(float(np.linalg.norm(heading)), 1e-6)
                grown.append((end, end + heading))
                tubes.append(Tube(points=np.stack(grown[-1]), radii=np.array([wide, narrow]), kind="bronchogram"))
        ends = grown
    return tubes


def _around(grid: Grid, points_mm: Float[np.ndarray, "n 3"], reach_mm: float) -> Box:
    low, high = points_mm.min(0) - reach_mm, points_mm.max(0) + reach_mm
    box = grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    assert box is not None, "a place lies on the grid"
    return box
