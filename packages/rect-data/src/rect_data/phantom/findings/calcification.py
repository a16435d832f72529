"""Calcium in the walls of arteries: plaques on the aorta and its branches, and spots and tram lines on coronaries."""

from typing import Final

import numpy as np
from jaxtyping import Float

from rect_data.phantom.anatomy.blood import Blood
from rect_data.phantom.facts import Fact
from rect_data.phantom.paint import coverage, local_mm, stroke
from rect_data.phantom.scene import Scene, Tube

_SHARES: Final = {"aortic arch": 0.5, "descending aorta": 0.3, "ascending aorta": 0.08, "supra-aortic branches": 0.12}
_VESSELS: Final = {"left anterior descending": 0.5, "circumflex": 0.2, "right coronary": 0.3}
_ARCH_MM: Final = 8.0
"""Reference height over the carina from which the aorta counts as its arch."""

_OVER_BLOOD: Final = 160.0

Place = tuple[Tube, int]


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints what the labels name and adds a Fact each. Calcium is what exceeds 130 HU (Agatston et al. 1990,
    doi:10.1016/0735-1097(90)90282-T)."""
    aorta, coronary = rng.spawn(2)
    if "Arterial wall calcification" in scene.labels:
        _arterial(scene, aorta)
    if "Coronary artery wall calcification" in scene.labels:
        _coronary(scene, coronary)


def _arterial(scene: Scene, rng: np.random.Generator) -> None:
    places = _places(scene)
    names = [name for name in _SHARES if places[name]]
    shares = np.array([_SHARES[name] for name in names])
    count = int(np.clip(np.exp(rng.normal(np.log(5), 0.85)), 1, 45))
    where: list[str] = []
    for number in range(count):
        name = names[0] if number == 0 else str(rng.choice(names, p=shares / shares.sum()))
        tube, at = places[name][int(rng.integers(len(places[name])))]
        _plaque(scene, tube, at, rng, plain=number == 0)
        where.append(name)
    details = tuple(name for name in _SHARES if name in where)
    severity = "mild" if count < 6 else "moderate" if count < 16 else "severe"
    scene.facts.append(
        Fact(
            label="Arterial wall calcification",
            kind="arterial calcification",
            number=count,
            severity=severity,
            details=details,
        )
    )


def _places(scene: Scene) -> dict[str, list[Place]]:
    """Points of the centrelines well inside the scan, by the name of the place."""
    out: dict[str, list[Place]] = {name: [] for name in _SHARES}
    aorta = scene.tubes["aorta"][0]
    reference = scene.pose.canonical(aorta.points)
    top = int(np.argmax(reference[:, 0]))
    for at in range(3, len(aorta.points) - 1):
        if _inside(scene, aorta.points[at], 18.0) and reference[at, 0] > -125:
            low = reference[at, 0] < _ARCH_MM
            name = "aortic arch" if not low else "ascending aorta" if at < top else "descending aorta"
            out[name].append((aorta, at))
    for tube in scene.tubes["arch vessels"]:
        spots = [(tube, at) for at in range(1, min(5, len(tube.points) - 1)) if _inside(scene, tube.points[at], 8.0)]
        out["supra-aortic branches"].extend(spots if "carotid" not in tube.kind else spots[:2])
    return out


def _inside(scene: Scene, point: Float[np.ndarray, " 3"], margin_mm: float) -> bool:
    low, high = np.array(scene.grid.low_mm), np.array(scene.grid.high_mm)
    return bool(((point > low + margin_mm) & (point < high - margin_mm)).all())


def _plaque(scene: Scene, tube: Tube, at: int, rng: np.random.Generator, plain: bool) -> None:
    """A curved plate in the wall: 2 to 12 mm long, 1 to 3 mm thick; a plain one is large and dense enough to be seen
    on any scan."""
    long, wide = float(np.clip(rng.gamma(2.5, 2.0), 2, 12)), float(np.clip(rng.gamma(2.5, 1.4), 2, 9))
    thick, hu, angle = (
        float(rng.uniform(1.0, 2.4)),
        float(np.clip(rng.gamma(3, 190), 220, 1200)),
        float(rng.uniform(0, 2 * np.pi)),
    )
    if plain:
        long, wide, thick, hu = max(long, 6.0), max(wide, 5.0), max(thick, 2.0), max(hu, 650.0)
    hu = max(hu, Blood.of(scene).arterial + _OVER_BLOOD)
    centre, radius = tube.points[at], float(tube.radii[at])
    thick, wide = min(thick, 0.7 * radius), min(wide, 2.0 * radius)
    box = scene.grid.around((centre[0], centre[1], centre[2]), radius + long)
    if box is None:
        return
    z, y, x = local_mm(scene.grid, box, (centre[0], centre[1], centre[2]))
    along, out, side = _frame(tube.points[at + 1] - tube.points[at - 1], angle)
    on = [z * a[0] + y * a[1] + x * a[2] for a in (along, out, side)]
    radial = np.hypot(on[1], on[2])
    arc = np.arctan2(on[2], on[1]) * radius
    depth = (radial - np.float32(radius - thick / 2)) / np.float32(thick / 2)
    norm = np.sqrt((on[0] / np.float32(long / 2)) ** 2 + (arc / np.float32(wide / 2)) ** 2 + depth**2)
    scene.blend(box, coverage(((norm - 1) * np.float32(thick / 2)).astype(np.float32), 1.2), hu)


def _frame(along: Float[np.ndarray, " 3"], angle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three unit vectors: along a vessel, outward at an angle, and around it."""
    first = along / np.linalg.norm(along)
    other = np.eye(3)[int(np.argmin(np.abs(first)))]
    second = np.cross(first, other)
    second /= np.linalg.norm(second)
    third = np.cross(first, second)
    out = np.cos(angle) * second + np.sin(angle) * third
    return first.astype(np.float32), out.astype(np.float32), np.cross(first, out).astype(np.float32)


def _coronary(scene: Scene, rng: np.random.Generator) -> None:
    """Near their origin arteries calcify first, the left anterior descending most."""
    tubes = {tube.kind: tube for tube in scene.tubes["coronary"]}
    count = int(np.clip(np.exp(rng.normal(np.log(3), 0.9)), 1, 30))
    where = ["left anterior descending" if rng.random() < 0.7 else "right coronary"]
    where += [str(name) for name in rng.choice(list(_VESSELS), p=list(_VESSELS.values()), size=count - 1)]
    for number, name in enumerate(where):
        tube = tubes[name]
        at = int(np.clip(2 + rng.gamma(1.6, 0.14) * len(tube.points), 2, len(tube.points) - 4))
        _spot(scene, tube, at, rng, plain=number == 0)
    details = tuple(name for name in _VESSELS if name in where)
    severity = "mild" if count < 4 else "moderate" if count < 10 else "severe"
    scene.facts.append(
        Fact(
            label="Coronary artery wall calcification",
            kind="coronary calcification",
            number=count,
            severity=severity,
            details=details,
        )
    )


def _spot(scene: Scene, tube: Tube, at: int, rng: np.random.Generator, plain: bool) -> None:
    """A spot or a line of 2 to 8 mm on one side of the vessel, now and then on both (tram lines)."""
    long, radius = float(np.clip(rng.gamma(2.2, 1.7), 2, 8)), float(rng.uniform(0.6, 1.3))
    hu, angle, both = float(np.clip(rng.gamma(3, 170), 220, 1100)), float(rng.uniform(0, 2 * np.pi)), rng.random() < 0.2
    if plain:
        long, radius, hu = max(long, 4.0), max(radius, 1.2), max(hu, 600.0)
    hu = max(hu, Blood.of(scene).arterial + _OVER_BLOOD)
    along, out, _ = _frame(tube.points[at + 1] - tube.points[at - 1], angle)
    for sign in (1, -1) if both else (1,):
        centre = tube.points[at] + sign * max(0.0, float(tube.radii[at]) - 0.7 * radius) * out
        half = max(0.0, long / 2 - radius) * along
        ends = np.stack([centre - half, centre + half]).astype(np.float64)
        stroke(scene, Tube(points=ends, radii=np.full(2, radius), kind="calcium"), hu, None, 1.5)
