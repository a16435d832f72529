"""Lung nodules: rounded opacities up to 30 mm (Hansell 2008, doi:10.1148/radiol.2462070712), of true size."""

from dataclasses import dataclass
from math import inf, pi
from typing import Final

import numpy as np
from jaxtyping import Bool

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.place import Place, Taken, anywhere, on_fissure, on_vessel, pleura_near
from rect_data.phantom.findings.shapes import SOFT_HU, Body, Lump, core_of, crop, haze, sealed, sized
from rect_data.phantom.grid import Point
from rect_data.phantom.paint import threads
from rect_data.phantom.parts import LOBES
from rect_data.phantom.scene import Scene, Tube

FINDING: Final = "lung_nodule"

_COUNT: Final = (0.42, 0.26, 0.15, 0.08, 0.05, 0.04)
_DIAMETER_MM: Final = (4.0, 30.0)
_MEDIAN_MM: Final = 7.0
_SPREAD: Final = 0.5
_KINDS: Final = ("solid nodule", "part-solid nodule", "ground-glass nodule")
_SHARES: Final = (0.75, 0.12, 0.13)
_APART_MM: Final = 6.0
_LEAST_SHARE: Final = 0.28
_TRIES: Final = 14
_AERATED_HU: Final = -500.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Nodule:
    """What one nodule is to be before it has a place."""

    kind: str
    diameter_mm: float
    site: str
    spiculated: bool
    hu: float
    core: float
    core_hu: float


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints one to six nodules, one mask and one Fact each."""
    wanted = sorted((_plan(scene, rng) for _ in range(1 + int(rng.choice(6, p=_COUNT)))), key=lambda n: -n.diameter_mm)
    taken: list[tuple[Point, float]] = []
    for nodule in wanted:
        for _ in range(_TRIES):
            centre = _paint(scene, rng, nodule, taken)
            if centre is not None:
                taken.append((centre, nodule.diameter_mm))
                break
    if not taken:
        _paint_anyhow(scene, rng)


def _plan(scene: Scene, rng: np.random.Generator) -> _Nodule:
    kind = _KINDS[int(rng.choice(3, p=_SHARES))]
    diameter = float(np.clip(np.exp(rng.normal(np.log(_MEDIAN_MM), _SPREAD)), *_DIAMETER_MM))
    site = ("", "subpleural", "perifissural", "next to a vessel")[int(rng.choice(4, p=[0.4, 0.3, 0.1, 0.2]))]
    solid_hu = float(rng.uniform(-20, 60)) + 0.12 * scene.traits.contrast * float(rng.random())
    hazy_hu = float(rng.uniform(-670, -480)) if kind == "ground-glass nodule" else float(rng.uniform(-650, -450))
    spiky = bool(rng.random() < 0.35) and diameter >= 10 and kind != "ground-glass nodule"
    if kind != "solid nodule":
        diameter = float(np.clip(1.5 * diameter, 7.0, 30.0))  # smaller ones cannot be told apart on 3 mm slices
    if site == "perifissural" and (not 5 <= diameter <= 11 or kind != "solid nodule"):
        site = ""
    return _Nodule(
        kind=kind,
        diameter_mm=diameter,
        site=site,
        spiculated=spiky and site != "perifissural",
        hu=solid_hu if kind == "solid nodule" else hazy_hu,
        core=float(rng.uniform(0.3, 0.6)),
        core_hu=solid_hu,
    )


def _paint(scene: Scene, rng: np.random.Generator, nodule: _Nodule, taken: Taken) -> Point | None:
    """Draws a nodule at a place of its own; returns its centre, or None where the place does not do."""
    away = [(centre, (size + nodule.diameter_mm) / 2 * 1.3 + _APART_MM) for centre, size in taken]
    found = _site(scene, rng, nodule, away)
    lump = Lump.of(rng, bumps=0.06 if nodule.diameter_mm >= 9 else 0.03)
    if found is None:
        return None
    place, centre = found
    centre = _in_slice(scene, centre, nodule.diameter_mm)
    lobe = np.uint8(LOBES.index(place.lobe) + 1)
    body = sized(scene.grid, centre, lump, nodule.diameter_mm, scene.lobes == lobe)
    if body is None or not _stands_out(scene, nodule, body, scene.lobes[body.box] == lobe):
        return None
    _fill(scene, rng, nodule, body, centre)
    _note(scene, nodule, body, scene.lobes[body.box] == lobe, place)
    return centre


def _paint_anyhow(scene: Scene, rng: np.random.Generator) -> None:
    """A small solid nodule somewhere, where the lungs are too ill for anything that stands out."""
    nodule = _Nodule(
        kind="solid nodule", diameter_mm=5.0, site="", spiculated=False, hu=SOFT_HU, core=0.5, core_hu=SOFT_HU
    )
    lump, place = Lump.of(rng), anywhere(scene, rng, depth_mm=(4.0, inf)) or anywhere(scene, rng)
    body = None if place is None else sized(scene.grid, place.point_mm, lump, nodule.diameter_mm)
    if place is None or body is None:
        raise ValueError("the scene has no lung to hold a nodule")
    _fill(scene, rng, nodule, body, place.point_mm)
    _note(scene, nodule, body, scene.lung(body.box), place)


def _site(scene: Scene, rng: np.random.Generator, nodule: _Nodule, away: Taken) -> tuple[Place, Point] | None:
    """A place for the nodule, and where its centre lies."""
    radius = nodule.diameter_mm / 2
    if nodule.site == "perifissural":
        place = on_fissure(scene, rng, depth_mm=(radius + 3, inf), away=away)
        return None if place is None else (place, place.point_mm)
    if nodule.site == "next to a vessel":
        return _beside_vessel(scene, rng, radius, away)
    deep = nodule.site != "subpleural"
    place = anywhere(scene, rng, depth_mm=(radius + 3, inf) if deep else (1.5, 6.0), away=away)
    if deep or place is None:
        return None if place is None else (place, place.point_mm)
    wall = pleura_near(scene, place.point_mm, 9.0)
    if wall is None:
        return None
    sunk = float(rng.uniform(-0.3, 0.3)) * radius
    z, y, x = (p + sunk * n for p, n in zip(*wall, strict=True))
    return place, (z, y, x)


def _beside_vessel(scene: Scene, rng: np.random.Generator, radius_mm: float, away: Taken) -> tuple[Place, Point] | None:
    """A centre whose ball just touches a vessel."""
    found, angle = on_vessel(scene, rng), float(rng.uniform(0, 2 * pi))
    if found is None:
        place = anywhere(scene, rng, depth_mm=(radius_mm + 3, inf), away=away)
        return None if place is None else (place, place.point_mm)
    place, tube, i = found
    along = tube.points[min(i + 1, len(tube.points) - 1)] - tube.points[max(i - 1, 0)]
    side = np.cross(along, np.array([np.sin(angle), np.cos(angle), 0.3]))
    middle = tube.points[i] + side / max(float(np.linalg.norm(side)), 1e-6) * (tube.radii[i] + 0.9 * radius_mm)
    z, y, x = (float(v) for v in middle)
    if any(np.linalg.norm(middle - np.asarray(other)) < reach for other, reach in away):
        return None
    return place, (z, y, x)


def _in_slice(scene: Scene, centre: Point, diameter_mm: float) -> Point:
    """A small nodule between two slices would be half lost in both: its centre moves close to that of a slice."""
    spacing, first = scene.grid.spacing_mm[0], scene.grid.origin_mm[0]
    at = (centre[0] - first) / spacing
    free = float(np.clip((diameter_mm / spacing - 1.3) / 4, 0.05, 0.5))
    near = round(at) + float(np.clip(at - round(at), -free, free))
    return first + spacing * near, centre[1], centre[2]


def _stands_out(scene: Scene, nodule: _Nodule, body: Body, inside: Bool[np.ndarray, "d h w"]) -> bool:
    """Whether the lung around is aerated, so that the nodule can be seen, and no lobe but its own would hold it."""
    around = scene.lung(body.box) & (body.alpha < 0.05)
    if not around.any() or float(scene.hu[body.box][around].mean()) > _AERATED_HU:
        return False
    here = body.alpha >= 0.5
    filled = float((body.alpha * inside).sum()) * float(np.prod(scene.grid.spacing_mm))
    if filled < _LEAST_SHARE * pi / 6 * nodule.diameter_mm**3:
        return False
    if not here.any():
        return True
    if float(np.median(scene.hu[body.box][here])) > _AERATED_HU:
        return False
    return nodule.site in ("subpleural", "perifissural") or body.radius_mm < 0.58 * nodule.diameter_mm


def _fill(scene: Scene, rng: np.random.Generator, nodule: _Nodule, body: Body, centre: Point) -> None:
    """Puts the tissue of the nodule into the lung."""
    if nodule.spiculated:
        _spicules(scene, rng, nodule, body, centre)
    texture = 1 + 0.06 * rng.standard_normal(body.alpha.shape, dtype=np.float32)
    if nodule.kind == "solid nodule":
        own = np.where(scene.lung(body.box), body.alpha, np.float32(0))
        scene.blend(body.box, sealed(scene, body.box, own), nodule.hu)
        return
    haze(scene, body.box, np.clip(body.alpha * texture, 0, 1), nodule.hu)
    if nodule.kind == "part-solid nodule":
        offset = rng.normal(0, 0.08, 3) * nodule.diameter_mm
        z, y, x = (c + o for c, o in zip(centre, offset, strict=True))
        core = core_of(scene.grid, body, (z, y, x), Lump.of(rng, flattest=0.7, bumps=0.08), nodule.core)
        scene.blend(body.box, np.where(scene.lung(body.box), core, np.float32(0)), nodule.core_hu)


def _spicules(scene: Scene, rng: np.random.Generator, nodule: _Nodule, body: Body, centre: Point) -> None:
    """Thin strands from the surface into the lung: 3 to 10 mm long, one or two wide."""
    count = int(rng.integers(14, 26))
    away = rng.standard_normal((count, 3)) * (0.6, 1, 1)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    reach = nodule.diameter_mm / 2
    box = scene.grid.around(centre, reach + 11.0) or body.box
    tubes = []
    for line, length in zip(away, rng.uniform(4, 11, count), strict=True):
        bent = line + rng.normal(0, 0.12, 3)
        points = np.stack([0.7 * reach * line, reach * line, (reach + length) * bent]) + np.asarray(centre)
        tubes.append(Tube(points=points, radii=np.array([1.7, 1.2, 0.5]), kind="spicule"))
    share = threads(crop(scene.grid, box), tubes)
    scene.blend(box, np.where(scene.lung(box), share, np.float32(0)), SOFT_HU)


def _note(scene: Scene, nodule: _Nodule, body: Body, inside: Bool[np.ndarray, "d h w"], place: Place) -> None:
    """Marks the mask and writes the Fact."""
    number = scene.mark(FINDING, body.box, (body.alpha >= 0.5) & inside)
    details = [nodule.site] if nodule.site else []
    scene.facts.append(
        Fact(
            label="Lung nodule",
            kind=nodule.kind,
            side=place.lobe.split()[0],
            lobes=(place.lobe,),
            size_mm=nodule.diameter_mm,
            details=tuple(details + ["spiculated"] * nodule.spiculated),
            finding=FINDING,
            instances=(number,),
        )
    )
