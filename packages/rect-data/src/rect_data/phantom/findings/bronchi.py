"""Bronchiectasis and peribronchial thickening: bronchi too wide for their arteries, and bronchi with thick walls."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_data.phantom.anatomy.airways import LUMEN_HU, WALL_HU, wall_mm
from rect_data.phantom.facts import Fact
from rect_data.phantom.paint import beads, coverage, pieces
from rect_data.phantom.parts import LOBES
from rect_data.phantom.scene import Scene, Tube

SEVERITIES: Final = ("mild", "moderate", "severe")

_OFTEN: Final = (0.12, 0.2, 0.28, 0.12, 0.28)
"""Share of each lobe: middle lobe and lower lobes are affected most."""

_RATIO: Final = ((1.2, 1.5), (1.4, 1.9), (1.7, 2.4))
"""Lumen over artery by severity; above 1 is too wide (Hansell et al. 2008, doi:10.1148/radiol.2462070712)."""

_THICKENING: Final = ((1.8, 2.2), (2.2, 2.6), (2.5, 3.0))
_FIRST_ORDER: Final = 4
_BEYOND_MM: Final = 9.0
_LEAST_MM: Final = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """How a scan's bronchiectasis looks. ratio: lumen over artery; waves: of a varicose bronchus, as a share of its
    radius."""

    kind: str
    ratio: float
    waves: float


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Widens or thickens bronchi, each only where its own label is asked for."""
    if "Bronchiectasis" in scene.labels:
        _bronchiectasis(scene, rng)
    if "Peribronchial thickening" in scene.labels:
        _thickening(scene, rng)


def _bronchiectasis(scene: Scene, rng: np.random.Generator) -> None:
    degree = int(rng.choice(3, p=[0.6, 0.3, 0.1]))
    kind = ("cylindrical", "varicose", "cystic")[
        int(rng.choice(3, p=[[0.93, 0.07, 0], [0.74, 0.2, 0.06], [0.4, 0.3, 0.3]][degree]))
    ]
    shape = _Shape(kind=kind, ratio=float(rng.uniform(*_RATIO[degree])), waves=0.0 if kind == "cylindrical" else 0.28)
    lobes = _lobes(scene, (1, 2, 3)[degree] + int(rng.random() < 0.35), rng)
    chosen = [s for lobe in lobes for s in _segments(scene, lobe, (1, 2, 4)[degree], rng)]
    wide = [tube for name in chosen for tube in _widened(scene, name, shape, degree, rng)]
    starts, ends, radii = pieces(wide)
    if kind == "cystic":
        starts, ends, radii = _with_cysts(scene, wide, (starts, ends, radii), rng)
    _fill(scene, (starts, ends, radii + 1.25 * wall_mm(radii) + 0.15), WALL_HU)
    found = _fill(scene, (starts, ends, radii), LUMEN_HU)
    scene.facts.append(_fact("Bronchiectasis", f"{kind} bronchiectasis", SEVERITIES[degree], found or lobes))


def _thickening(scene: Scene, rng: np.random.Generator) -> None:
    degree = int(rng.choice(3, p=[0.6, 0.3, 0.1]))
    factor = float(rng.uniform(*_THICKENING[degree]))
    lobes = _lobes(scene, (2, 4, 5)[degree], rng)
    names = tuple(s for lobe in lobes for s in _segments(scene, lobe, (2, 3, 5)[degree], rng))
    tubes = [t for t in scene.tubes["airway"] if t.kind.startswith(names) and t.radii[-1] >= 0.85]
    starts, ends, radii = pieces(tubes)
    _fill(scene, (starts, ends, radii + factor * wall_mm(radii)), WALL_HU)
    found = _fill(scene, (starts, ends, radii), LUMEN_HU)
    scene.facts.append(
        _fact("Peribronchial thickening", "peribronchial thickening", SEVERITIES[degree], found or lobes)
    )


def _lobes(scene: Scene, count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Some of the lobes that have bronchi, in order."""
    there = {t.lobe for t in scene.tubes["airway"] if t.order == _FIRST_ORDER}
    weights = np.array([p if lobe in there else 0.0 for lobe, p in zip(LOBES, _OFTEN, strict=True)])
    taken = rng.choice(5, min(count, len(there)), replace=False, p=weights / weights.sum())
    return tuple(LOBES[i] for i in sorted(taken.tolist()))


def _segments(scene: Scene, lobe: str, count: int, rng: np.random.Generator) -> list[str]:
    """Kinds of some segmental bronchi of a lobe."""
    names = [t.kind for t in scene.tubes["airway"] if t.lobe == lobe and t.order == _FIRST_ORDER - 1]
    return [names[i] for i in rng.permutation(len(names))[:count].tolist()]


def _widened(scene: Scene, name: str, shape: _Shape, degree: int, rng: np.random.Generator) -> list[Tube]:
    """The subsegmental bronchi of a segment beside their arteries, too wide and without taper, up to the pleura; they
    replace the healthy ones among the scene's tubes."""
    if degree == 0:
        name += str(int(rng.integers(2)))
    arteries = {t.kind: t for t in scene.tubes["artery"] if t.kind.startswith(name)}
    spared = [kind for kind in arteries if rng.random() < 0.2]
    healthy = tuple(kind for kind in spared if arteries[kind].order > _FIRST_ORDER)
    sick = [kind for kind in arteries if not kind.startswith(healthy)] if healthy else list(arteries)
    places = [i for i, t in enumerate(scene.tubes["airway"]) if t.kind in sick and t.order >= _FIRST_ORDER]
    first = [arteries[scene.tubes["airway"][i].kind].radii[0] for i in places]
    widest = shape.ratio * float(max(first, default=1.0))
    out = []
    for i in places:
        tube = scene.tubes["airway"][i]
        tube = _beside(scene, tube, arteries[tube.kind], widest * 0.72 ** (tube.order - _FIRST_ORDER), shape, rng)
        scene.tubes["airway"][i] = tube
        out.append(tube)
    return out


def _beside(
    scene: Scene, healthy: Tube, artery: Tube, wanted_mm: float, shape: _Shape, rng: np.random.Generator
) -> Tube:
    """A bronchus moved away from its artery by as much as it got wider, and led on toward the pleura."""
    course, beside = healthy.points, artery.points
    ahead = course[-1] - course[-2]
    beyond = course[-1] + ahead / (np.linalg.norm(ahead) + 1e-6) * _BEYOND_MM
    t = np.linspace(0, 1, 8)
    calibre = np.interp(t, np.linspace(0, 1, len(artery.radii)), artery.radii)
    radii = np.maximum(max(wanted_mm, _LEAST_MM), shape.ratio * calibre)
    radii *= 1 + shape.waves * np.sin(2 * np.pi * (t * rng.uniform(1.0, 1.6) + rng.random()))
    radii = np.maximum(radii, 1.12 * calibre)
    away = (course - beside) / (np.linalg.norm(course - beside, axis=1, keepdims=True) + 1e-6)
    shift = (
        np.interp(t, np.linspace(0, 1, len(course)), artery.radii)[:, None] + (radii + wall_mm(radii) + 0.4)[:, None]
    )
    points = _resampled(beside, t) + _resampled(away, t) * shift
    if _inside(scene, beyond, healthy.lobe):
        points, radii = np.concatenate([points, beyond[None]]), np.concatenate([radii, radii[-1:] * 0.95])
    return replace(healthy, points=points, radii=radii)


def _with_cysts(
    scene: Scene, tubes: list[Tube], parts: tuple[np.ndarray, np.ndarray, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adds round sacs of 7 to 15 mm at the ends of bronchi, inside their lobe."""
    ends = [t.points[-1] for t in tubes if _inside(scene, t.points[-1], t.lobe)]
    sacs = np.array([ends[i] for i in rng.permutation(len(ends))[:10].tolist()]).reshape(-1, 3)
    size = np.repeat(rng.uniform(3.5, 7.5, (len(sacs), 1)), 2, axis=1)
    return np.concatenate([parts[0], sacs]), np.concatenate([parts[1], sacs + 0.5]), np.concatenate([parts[2], size])


def _fill(scene: Scene, parts: tuple[np.ndarray, np.ndarray, np.ndarray], hu: float) -> tuple[str, ...]:
    """Paints straight pieces of tubes inside the lungs; the lobes that hold a tenth and more of them."""
    near, distance = beads(scene.grid, *parts)
    lobe = scene.lobes.reshape(-1)[near]
    alpha = coverage(distance, 1.3) * (lobe > 0)
    flat = scene.hu.reshape(-1)
    flat[near] += alpha * (np.float32(hu) - flat[near])
    count = np.bincount(lobe[alpha >= 0.5], minlength=len(LOBES) + 1)[1:]
    return tuple(name for name, n in zip(LOBES, count, strict=True) if n > 0.1 * count.sum())


def _fact(label: str, kind: str, severity: str, lobes: tuple[str, ...]) -> Fact:
    sides = tuple(dict.fromkeys(lobe.split()[0] for lobe in lobes))
    side = "bilateral" if len(sides) > 1 else sides[0]
    return Fact(label=label, kind=kind, side=side, lobes=lobes, severity=severity)


def _inside(scene: Scene, point: Float[np.ndarray, " 3"], lobe: str) -> bool:
    """Whether a physical point lies in a lobe."""
    index = np.rint(scene.grid.index(point[None])[0]).astype(np.int64)
    within = bool(((index >= 0) & (index < np.array(scene.grid.shape))).all())
    return within and scene.lobe_at(index) == lobe


def _resampled(points: Float[np.ndarray, "n 3"], t: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m 3"]:
    at = np.linspace(0, 1, len(points))
    return np.stack([np.interp(t, at, axis) for axis in points.T], 1)
