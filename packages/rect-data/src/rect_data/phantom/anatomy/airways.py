"""Trachea and bronchi, with their walls."""

import numpy as np
from jaxtyping import Float, Int

from rect_data.phantom.anatomy.branching import Branches
from rect_data.phantom.anatomy.bronchial_map import BRONCHI, SEGMENTS, courses_mm
from rect_data.phantom.paint import beads, coverage, pieces, stroke, tube_distance
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube

LUMEN_HU, WALL_HU = -985.0, 10.0
VISIBLE_MM = 1.05
"""Lumen radius of the smallest bronchi that are painted; smaller ones are there, but cannot be seen in a CT."""

_SEGMENTAL = 3


def wall_mm(radius_mm: float | Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Thickness of the wall of a healthy airway of a lumen radius: a fifth of the lumen in segmental bronchi, 1.5 to
    2 mm in the trachea (Montaudon et al., Journal of Anatomy 2007;211:579)."""
    return np.minimum(0.3 + 0.18 * np.asarray(radius_mm, np.float64), 2.0)


def trunks(scene: Scene, rng: np.random.Generator) -> list[Tube]:
    """Trachea, main and lobar bronchi. A man's trachea is 16 to 20 mm wide, a woman's 14 to 17."""
    size = (0.86 if scene.patient.sex == "F" else 1.0) * float(np.clip(rng.normal(1, 0.07), 0.85, 1.15))
    out = []
    for trunk, points in zip(BRONCHI, courses_mm(BRONCHI, scene.pose), strict=True):
        radii = size * trunk.radius_mm * np.linspace(1.03, 0.97, len(points))
        out.append(Tube(points=points, radii=radii, kind=trunk.name, lobe=trunk.lobe, order=trunk.order))
    return out


def names(tree: Branches, least: int) -> dict[int, tuple[str, str]]:
    """Kinds and lobes of the branches that serve `least` points and more. The kind is the segment, then 0 or 1 for each
    fork on the way, such as "right B6 01"."""
    out: dict[int, tuple[str, str]] = {}
    for i in np.flatnonzero(tree.count >= least).tolist():
        segment, parent = SEGMENTS[tree.root[i]], int(tree.parent[i])
        root = f"{segment.lobe.split()[0]} {segment.name} "
        out[i] = (root if parent < 0 else f"{out[parent][0]}{tree.half[i]}", segment.lobe)
    return out


def tubes(
    tree: Branches,
    course: tuple[np.ndarray, np.ndarray, np.ndarray],
    radii: Float[np.ndarray, " n"],
    named: dict[int, tuple[str, str]],
) -> list[Tube]:
    """The named branches (kind and lobe) of a tree as tubes that taper from their parents' calibre to their own; those
    of the segments have order 3. course: starts, middles and ends of all branches [n 3]."""
    first = first_radii(tree.parent, radii)
    points, calibres = np.stack(course, 1), np.stack([first, (first + radii) / 2, radii], 1)
    return [
        Tube(points=points[i], radii=calibres[i], kind=kind, lobe=lobe, order=_SEGMENTAL + int(tree.level[i]))
        for i, (kind, lobe) in named.items()
    ]


def first_radii(parent: Int[np.ndarray, " n"], radii: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Radii at the start of each branch: between its own and its parent's."""
    return np.where(parent < 0, radii * 1.1, np.minimum(radii * 1.15, radii[parent]))


def paint_walls(scene: Scene) -> None:
    """Paints solid rods as thick as the airways with their walls; `open_lumens` makes them hollow."""
    for tube in scene.tubes["airway"]:
        if tube.order > 2:
            continue
        found = tube_distance(
            scene.grid, Tube(points=tube.points, radii=tube.radii + wall_mm(tube.radii), kind="wall"), 1.5
        )
        if found is not None:
            box, alpha = found[0], coverage(found[1], 1.3)
            scene.blend(box, alpha, WALL_HU)
            outside = (alpha >= 0.5) & ~scene.lung(box)
            scene.parts[box][outside] = Part.MEDIASTINUM
    starts, ends, radii = pieces(_visible(scene))
    _fill(scene, starts, ends, radii + wall_mm(radii), WALL_HU)


def open_lumens(scene: Scene) -> None:
    """Fills the airways with air, over whatever else was painted there."""
    for tube in scene.tubes["airway"]:
        if tube.order <= 2:
            stroke(scene, tube, LUMEN_HU, Part.AIRWAY, 1.3)
    _fill(scene, *pieces(_visible(scene)), LUMEN_HU)


def _fill(scene: Scene, starts: np.ndarray, ends: np.ndarray, radii: np.ndarray, hu: float) -> None:
    """Paints straight pieces of tubes inside the lungs."""
    near, distance = beads(scene.grid, starts, ends, radii)
    flat = scene.hu.reshape(-1)
    alpha = coverage(distance, 1.3) * (scene.lobes.reshape(-1)[near] > 0)
    flat[near] += alpha * (np.float32(hu) - flat[near])


def _visible(scene: Scene) -> list[Tube]:
    return [tube for tube in scene.tubes["airway"] if tube.order > 2 and tube.radii[-1] >= VISIBLE_MM]
