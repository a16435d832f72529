"""Lymphadenopathy: enlarged nodes in the fat of their stations, between the vessels and airways they lie beside."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Box, Grid, Point
from rect_data.phantom.paint import coverage, local_mm, tube_distance
from rect_data.phantom.parts import LUNGS, Part
from rect_data.phantom.scene import Scene, Tube

LABEL: Final = "Lymphadenopathy"
ENLARGED_MM: Final = 10.0
"""Short axis from which a mediastinal node counts as enlarged (Munden et al. 2018, incidental
mediastinal findings on thoracic CT)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    """Where nodes of one name lie: reference mm of the middle, how far they spread, the tissue that they may replace,
    and how often they are the enlarged ones."""

    name: str
    side: str
    centre: Point
    spread: Point
    share: float
    into: tuple[Part, ...] = (Part.MEDIASTINUM,)


STATIONS: Final = (
    Station(name="paratracheal", side="right", centre=(20, -2, -14), spread=(10, 5, 4), share=0.26),
    Station(name="paratracheal", side="left", centre=(22, 12, 13), spread=(8, 4, 3), share=0.05),
    Station(name="subcarinal", side="midline", centre=(-19, 14, -1), spread=(6, 4, 6), share=0.18),
    Station(name="prevascular", side="left", centre=(24, -44, 6), spread=(14, 6, 8), share=0.12),
    Station(name="aortopulmonary", side="left", centre=(12, -8, 27), spread=(5, 6, 4), share=0.12),
    Station(
        name="hilar", side="right", centre=(-16, 8, -36), spread=(9, 8, 5), share=0.1, into=(Part.MEDIASTINUM, *LUNGS)
    ),
    Station(
        name="hilar", side="left", centre=(-10, 12, 40), spread=(9, 8, 5), share=0.07, into=(Part.MEDIASTINUM, *LUNGS)
    ),
    Station(
        name="axillary",
        side="right",
        centre=(62, 0, -130),
        spread=(14, 12, 8),
        share=0.05,
        into=(Part.FAT, Part.MUSCLE),
    ),
    Station(
        name="axillary", side="left", centre=(62, 0, 130), spread=(14, 12, 8), share=0.05, into=(Part.FAT, Part.MUSCLE)
    ),
)
"""Stations of the map of the International Association for the Study of Lung Cancer (Rusch 2009,
doi:10.1097/JTO.0b013e3181a0d82e) and the axillae."""

_TRIES: Final = 40
_FITS: Final = 0.92
"""Share of a node in free tissue from which more of it is no better: nodes touch their neighbours."""
_FINER: Final = 4
_REACH_MM: Final = 26.0
_CLOUD: Final = np.array([p for p in np.ndindex(7, 7, 7) if sum((c - 3) ** 2 for c in p) <= 9]) / 3.0 - 1.0
"""Points of the unit ball."""

_ANY: Final = (Part.MEDIASTINUM, Part.FAT, Part.MUSCLE, *LUNGS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """An ovoid: physical centre (z, y, x), half axes in mm (along z, then the short and the long one in the plane), the
    angle of the long one from x in radians, and phases and height of its slight lobulation."""

    centre: Point
    radii: Point
    angle: float
    phases: Point
    wave_mm: float = 0.35


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints one to five enlarged nodes in one to three stations; one Fact a station. Where nodes fit into no station's
    fat they take the place of other soft tissue of the first one."""
    shares = np.array([s.share for s in STATIONS])
    order = [STATIONS[i] for i in rng.choice(len(STATIONS), len(STATIONS), replace=False, p=shares / shares.sum())]
    wanted = int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15]))
    done = 0
    for crowded in (False, True):
        for station in order:
            if done < wanted and not (crowded and done):
                sizes = _fill(scene, station, int(rng.choice([1, 2], p=[0.65, 0.35])), crowded, rng)
                done += bool(sizes)


def _fill(scene: Scene, station: Station, number: int, crowded: bool, rng: np.random.Generator) -> list[float]:
    """Paints up to `number` nodes and notes their Fact; short axes in mm."""
    middle = scene.pose.physical(np.array([station.centre], np.float64))[0]
    box = scene.grid.around(_point(middle), _wider(station.spread, _REACH_MM))
    sizes: list[float] = []
    if box is None:
        return sizes
    room = _room(scene, box, _ANY if crowded else station.into, crowded)
    for _ in range(number):
        node = _best(scene, box, room, middle, station, rng)
        distance = distance_mm(scene.grid, box, node)
        alpha = _connected(coverage(distance, 1.6) * room)
        width = short_axis_mm(alpha, scene.grid.spacing_mm)
        if width < ENLARGED_MM:
            break
        scene.blend(box, alpha, _hu(scene, rng), Part.FAT if station.name == "axillary" else Part.MEDIASTINUM)
        room *= 1 - coverage(distance - np.float32(2.5), 1.0)
        sizes.append(width)
    if sizes:
        scene.facts.append(_fact(station, sizes))
    return sizes


def _wider(spread: Point, by_mm: float) -> Point:
    return spread[0] + by_mm, spread[1] + by_mm, spread[2] + by_mm


def _point(values: np.ndarray) -> Point:
    return float(values[0]), float(values[1]), float(values[2])


def _hu(scene: Scene, rng: np.random.Generator) -> float:
    return float(rng.uniform(30, 46) + rng.uniform(0.06, 0.14) * scene.traits.contrast)


def _room(scene: Scene, box: Box, into: tuple[Part, ...], crowded: bool) -> Float32[np.ndarray, "a b c"]:
    """How far each voxel gives way to a node: fat and lung do, vessels, airways and marked lesions do not."""
    room = np.isin(scene.parts[box], into).astype(np.float32)
    if not crowded:
        room *= np.clip((5 - scene.hu[box]) / 40, 0, 1)
    for lesions in scene.instances.values():
        room[lesions[box] > 0] = 0
    low, high = (scene.grid.point(np.array([[getattr(s, end) for s in box]]))[0] for end in ("start", "stop"))
    for tube in scene.tubes.get("airway", []):
        if ((tube.points.min(0) < high + 10) & (tube.points.max(0) > low - 10)).all():
            _keep_off(scene.grid, box, tube, room)
    return room


def _keep_off(grid: Grid, box: Box, tube: Tube, room: np.ndarray) -> None:
    """No room within a wall's thickness of a lumen."""
    found = tube_distance(grid, tube)
    if found is None:
        return
    both = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, found[0], strict=True)]
    if all(s.start < s.stop for s in both):
        here, there = (
            tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(both, at, strict=True))
            for at in (box, found[0])
        )
        room[here] *= found[1][there] > 2.0


def _best(
    scene: Scene, box: Box, room: np.ndarray, middle: np.ndarray, station: Station, rng: np.random.Generator
) -> Node:
    """The node of some random ones that finds most room, near a station's middle."""
    short = float(np.clip(ENLARGED_MM + 0.6 + rng.exponential(2.6), None, 25))
    long, tall = short * rng.uniform(1.15, 1.8), short * rng.uniform(0.9, 1.7)
    places = middle + rng.normal(0, 1, (_TRIES, 3)) * station.spread
    angles, phases = rng.uniform(0, np.pi, _TRIES), rng.uniform(0, 2 * np.pi, (_TRIES, 3))
    nodes = [
        Node(centre=_point(p), radii=(tall / 2, short / 2, long / 2), angle=float(a), phases=_point(f))
        for p, a, f in zip(places, angles, phases, strict=True)
    ]
    away = np.linalg.norm((places - middle) / station.spread, axis=1)
    fits = [min(_fit(scene.grid, box, room, node), _FITS) for node in nodes]
    return nodes[int(np.argmax(np.array(fits) - 0.04 * away))]


def _fit(grid: Grid, box: Box, room: np.ndarray, node: Node) -> float:
    """Share of a node that finds room, at a cloud of points in it."""
    cloud = _CLOUD * np.array(node.radii)
    cos, sin = np.cos(node.angle), np.sin(node.angle)
    y, x = cos * cloud[:, 1] + sin * cloud[:, 2], -sin * cloud[:, 1] + cos * cloud[:, 2]
    index = np.rint(grid.index(np.stack([cloud[:, 0], y, x], 1) + node.centre)).astype(int) - [s.start for s in box]
    inside = ((index >= 0) & (index < room.shape)).all(1)
    return float(room[tuple(index[inside].T)].sum() / len(cloud))


def _connected(alpha: Float32[np.ndarray, "a b c"]) -> Float32[np.ndarray, "a b c"]:
    """What hangs together of a lesion: its largest piece, with its soft edge."""
    from scipy import ndimage

    pieces, count = ndimage.label(alpha >= 0.5)
    if count < 2:
        return alpha
    largest = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    return alpha * ndimage.binary_dilation(largest, iterations=1)


def distance_mm(grid: Grid, box: Box, node: Node) -> Float32[np.ndarray, "a b c"]:
    """Approximate signed distance in mm to a node's surface, a little lobulated."""
    z, y, x = local_mm(grid, box, node.centre)
    cos, sin = np.float32(np.cos(node.angle)), np.float32(np.sin(node.angle))
    rz, short, long = (np.float32(r) for r in node.radii)
    across, along = cos * y - sin * x, sin * y + cos * x
    norm = np.sqrt((z / rz) ** 2 + (across / short) ** 2 + (along / long) ** 2)
    slope = np.sqrt((z / rz**2) ** 2 + (across / short**2) ** 2 + (along / long**2) ** 2) / np.maximum(norm, 1e-3)
    wave = sum(np.sin(axis / np.float32(3.2) + np.float32(p)) for axis, p in zip((z, y, x), node.phases, strict=True))
    return ((norm - 1) / np.maximum(slope, 1 / long) + np.float32(node.wave_mm) * wave).astype(np.float32)


def short_axis_mm(alpha: Float32[np.ndarray, "a b c"], spacing_mm: Point) -> float:
    """Least width in mm, in the axial plane that shows most of a lesion: the short axis of an oval, wherever its
    longest diameter is laid. alpha: share of each voxel that it fills. 0 where it fills none by half."""
    from scipy import ndimage

    plane = alpha[int(np.argmax((alpha >= 0.5).sum((1, 2))))]
    fine = ndimage.zoom(plane, _FINER, order=1, grid_mode=True, mode="grid-constant") >= 0.5
    points = np.argwhere(fine) * np.array(spacing_mm[1:]) / _FINER
    if not len(points):
        return 0.0
    angles = np.arange(36) * np.pi / 36
    widths = np.ptp(points @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)
    return float(widths.min() + min(spacing_mm[1:]) / _FINER)


def _fact(station: Station, sizes: list[float]) -> Fact:
    return Fact(
        label=LABEL,
        kind="enlarged lymph node",
        side=station.side,
        size_mm=max(sizes),
        number=len(sizes),
        details=(station.name,),
    )
