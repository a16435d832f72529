"""Things of metal in the chest: sternal wires, surgical clips, valve prostheses and coronary stents.

Wires are thinner than voxels: what shows is their share of a voxel of METAL_HU, which stands for the far higher
attenuation of steel, so that even a millimetre of it is bright; no voxel ends above TOP_HU, as on a scanner of 12 bits.
"""

from typing import Final

import numpy as np
from jaxtyping import Float

from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Grid
from rect_data.phantom.paint import threads
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube

LABEL: Final = "Medical material"
METAL_HU: Final = 9000.0
TOP_HU: Final = 3000.0
_TRIES: Final = 60
_AXILLA: Final = (62.0, 0.0, 128.0)
_HILUM: Final = (-12.0, 8.0, 34.0)
"""Reference (z, y, x) mm of the left side."""


def wire(scene: Scene, lines: list[Float[np.ndarray, "_ 3"]], radius_mm: float, hu: float) -> bool:
    """Paints wires thinner than a voxel along lines of physical (z, y, x) mm; whether any of it shows."""
    every = np.concatenate(lines)
    low, high = every.min(0) - 5, every.max(0) + 5
    box = scene.grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    if box is None:
        return False
    corner = scene.grid.point(np.array([[s.start for s in box]]))[0]
    d, h, w = (s.stop - s.start for s in box)
    part = Grid(shape=(d, h, w), spacing_mm=scene.grid.spacing_mm, origin_mm=(corner[0], corner[1], corner[2]))
    tubes = [Tube(points=line, radii=np.full(len(line), radius_mm), kind="wire") for line in lines]
    share = threads(part, tubes)
    scene.blend(box, share, hu)
    np.minimum(scene.hu[box], np.float32(TOP_HU), out=scene.hu[box])
    return bool(share.max() * hu > 150)


def curve(points: Float[np.ndarray, "n 3"], step_mm: float = 2.0) -> Float[np.ndarray, "m 3"]:
    """A smooth line through points, at steps of about step_mm."""
    from scipy.interpolate import PchipInterpolator

    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(2, int(length[-1] / step_mm) + 1))
    return np.asarray(PchipInterpolator(length, points)(at))


def sternal_wires(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """Five to seven steel loops of a closed sternotomy, twisted in front of the sternum."""
    lines = []
    levels = np.flatnonzero((scene.parts == Part.STERNUM).any((1, 2)))
    count, tilts, twists = int(rng.integers(5, 8)), rng.normal(0, 1.5, (7, 2)), rng.uniform(4, 8, 7)
    if len(levels) < 3:
        return None
    for k, level in enumerate(np.linspace(levels[-1] - 4, levels[0] + 0.2 * len(levels), count).astype(int)):
        found = np.argwhere(scene.parts[level] == Part.STERNUM)
        if len(found):
            low, high = (scene.grid.point(np.array([[level, *c]]))[0] for c in (found.min(0), found.max(0)))
            lines += _loop(low, high, tilts[k], float(twists[k]))
    if not lines or not wire(scene, lines, 0.5, METAL_HU):
        return None
    return Fact(label=LABEL, kind="sternal wires", side="midline")


def _loop(low: np.ndarray, high: np.ndarray, tilt: np.ndarray, twist_mm: float) -> list[np.ndarray]:
    """A loop around a plate of bone between two corners, and its twisted ends."""
    middle, half = (low + high) / 2, (high - low) / 2 + np.array([0.0, 1.2, 1.5])
    angle = np.linspace(0, 2 * np.pi, 33)
    y = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.6 * half[1]
    x = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.6 * half[2]
    loop = middle + np.stack([tilt[0] * x / half[2] + tilt[1] * y / half[1], y, x], 1)
    front = middle + np.array([-tilt[1], -half[1] - 0.8, 0.0])
    ends = [front + np.array([0.0, 0.0, dx]) for dx in (0.0, 0.6)]
    return [loop, *(np.stack([end, end + twist_mm * np.array([-0.35, -0.12, 0.7])]) for end in ends)]


def clips(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A handful of small clips in fat: along the left internal mammary artery after a bypass, in an axilla after its
    nodes were taken, or at a hilum after a resection."""
    side = "right" if rng.random() < 0.5 else "left"
    sign = -1.0 if side == "right" else 1.0
    where, count = int(rng.choice(3, p=[0.35, 0.45, 0.2])), int(rng.integers(4, 10))
    spread, turns = rng.normal(0, 1, (_TRIES, 3)), rng.normal(0, 1, (_TRIES, 3)) * [0.4, 1, 1]
    if where == 0:
        side, centres = "left", _behind_sternum(scene)
        centres = centres + spread[: len(centres)] * [4, 0.8, 1.5]
        inside = list(range(0, len(centres), _TRIES // count))
    else:
        middle, reach = (_AXILLA, (14.0, 12.0, 9.0)) if where == 1 else (_HILUM, (10.0, 9.0, 6.0))
        centres = scene.pose.physical(np.array(middle) * [1, 1, sign] + spread * reach)
        inside = [k for k in range(_TRIES) if _in_fat(scene, centres[k])][:count]
    half = turns * rng.uniform(2.0, 3.0, (_TRIES, 1)) / np.linalg.norm(turns, axis=1, keepdims=True)
    lines = [np.stack([centres[k] - half[k], centres[k] + half[k]]) for k in inside]
    if len(lines) < 2 or not wire(scene, lines, 0.55, METAL_HU):
        return None
    return Fact(label=LABEL, kind="surgical clips", side=side, number=len(lines))


def _behind_sternum(scene: Scene) -> Float[np.ndarray, "n 3"]:
    """Physical points down the left internal mammary artery, just behind the left edge of the sternum: as many as there
    are tries, or none where no sternum shows."""
    levels = np.flatnonzero((scene.parts == Part.STERNUM).any((1, 2)))
    if not len(levels):
        return np.zeros((0, 3))
    chosen = levels[np.linspace(len(levels) - 1, 0, _TRIES).astype(int)]
    edges = [np.argwhere(scene.parts[level] == Part.STERNUM).max(0) for level in chosen]
    return scene.grid.point(np.array([(z, y + 1.5, x - 1.0) for z, (y, x) in zip(chosen, edges, strict=True)]))


def _in_fat(scene: Scene, point: np.ndarray) -> bool:
    index = np.rint(scene.grid.index(point[None])[0]).astype(int)
    if (index < 0).any() or (index >= scene.grid.shape).any():
        return False
    at = tuple(index)
    return (
        int(scene.parts[at]) in (Part.FAT, Part.MUSCLE, Part.BREAST, Part.MEDIASTINUM)
        and -150 < float(scene.hu[at]) < -40
    )


def frame_along(axis: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    """Three unit vectors as rows, the last along an axis."""
    last = axis / np.linalg.norm(axis)
    first = np.cross(last, np.eye(3)[int(np.argmin(np.abs(last)))])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(last, first), last])


def _ring(centre: np.ndarray, frame: np.ndarray, radius: float, height: np.ndarray | float = 0.0) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 41)
    wheel = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.broadcast_to(height, angle.shape)], 1)
    return np.asarray(centre + wheel @ frame)


def valve(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A prosthesis at the aortic root: the ring of a biological valve with three posts, a mechanical one with its two
    discs, or the mesh of one put in through a catheter."""
    aorta = scene.tubes["aorta"][0].points
    axis, kind, radius = aorta[2] - aorta[0], int(rng.choice(3)), float(rng.uniform(10.5, 12.5))
    centre, frame = aorta[0] + 2 * axis / np.linalg.norm(axis), frame_along(axis)
    angle = np.linspace(0, 2 * np.pi, 41)
    if kind == 0:
        posts = [_ring(centre, frame, radius)[k : k + 1] + np.outer([0.0, 12.0], frame[2]) for k in (0, 13, 27)]
        shown = wire(scene, [_ring(centre, frame, radius), *posts], 0.6, METAL_HU)
    elif kind == 1:
        across = np.outer([-0.8 * radius, 0.8 * radius], frame[0])
        discs = [
            centre + across + side * frame[1] + along * frame[2] for side in (-2.0, 2.0) for along in (0.0, 2.0, 4.0)
        ]
        shown = wire(scene, [_ring(centre, frame, radius)], 1.3, METAL_HU) and wire(scene, discs, 0.6, METAL_HU)
    else:
        zigzag = [
            _ring(centre, frame, radius, 3 * np.sin(9 * angle + p) + h) for h in (-6, 0, 6, 12) for p in (0, np.pi)
        ]
        shown = wire(scene, zigzag, 0.35, METAL_HU)
    return Fact(label=LABEL, kind="valve prosthesis", side="midline") if shown else None


def stent(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A metal mesh of 15 to 30 mm in a coronary artery, seen as a bright tube."""
    arteries = [t for t in scene.tubes.get("coronary", []) if len(t.points) > 2]
    first, length, start = int(rng.integers(1 << 16)), rng.uniform(15, 30), rng.uniform(6, 18)
    if not arteries:
        return None
    artery = arteries[first % len(arteries)]
    line = curve(artery.points, 0.7)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    inside = line[(along >= start) & (along <= start + length)]
    if len(inside) < 4:
        return None
    frame = frame_along(inside[-1] - inside[0])
    turns = np.arange(len(inside))
    struts = [
        inside + 1.5 * (np.cos(a + s * turns / 2)[:, None] * frame[0] + np.sin(a + s * turns / 2)[:, None] * frame[1])
        for a in (0, np.pi / 2, np.pi, 3 * np.pi / 2)
        for s in (-1, 1)
    ]
    return (
        Fact(label=LABEL, kind="coronary stent", details=(artery.kind,))
        if wire(scene, struts, 0.14, METAL_HU)
        else None
    )
