"""Pulmonary arteries and veins inside the lungs, from the hila to the periphery."""

from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_data.phantom.anatomy.airways import first_radii, wall_mm
from rect_data.phantom.anatomy.blood import Blood
from rect_data.phantom.anatomy.branching import Branches
from rect_data.phantom.anatomy.bronchial_map import ARTERIES, BESIDE, SEGMENTS, Trunk, courses_mm
from rect_data.phantom.paint import beads, coverage, strands, stroke
from rect_data.phantom.scene import Scene, Tube

STORED: Final = 14
"""Points of lung that a branch serves at least to be noted as a tube."""

_TIP_MM: Final = 0.29
_MURRAY: Final = 2.8
"""Segmental arteries of 5 to 6 mm that taper fast (exponents of 2.3 to 3): as much of the lung is brighter than
-500 HU as in CTs of patients."""


def calibres(scene: Scene, tree: Branches) -> Float[np.ndarray, " n"]:
    """Radii (mm) by the share of lung that is served, close to Murray's law; larger at the back, where gravity sends
    the blood of a patient who lies down (West 1964, doi:10.1152/jappl.1964.19.4.713)."""
    middle = scene.pose.physical(np.zeros((1, 3)))[0, 1]
    low = np.clip((tree.end[:, 1] - middle) / 90, -1, 1)
    return np.asarray(_TIP_MM * tree.count ** (1 / _MURRAY) * (1 + 0.1 * low))


def alongside(
    tree: Branches, artery: Float[np.ndarray, " n"], lumen: Float[np.ndarray, " n"]
) -> tuple[np.ndarray, np.ndarray]:
    """How far (mm) from its bronchus each artery runs, at its start and its end: [n 3] each, wall to wall."""
    wanted = np.array([BESIDE[s.lobe] for s in SEGMENTS], np.float64)[tree.root]
    heading = tree.heading
    side = wanted - (wanted * heading).sum(1, keepdims=True) * heading
    side /= np.sqrt((side**2).sum(1, keepdims=True)) + 1e-6
    end = side * (artery + lumen + wall_mm(lumen) + 0.2)[:, None]
    return np.where(tree.parent[:, None] < 0, end, end[tree.parent]), end


def trunks(scene: Scene, courses: tuple[Trunk, ...]) -> list[Tube]:
    """Trunks at the hila, which join the ends of the great vessels where those are known."""
    out = []
    for trunk, points in zip(courses, courses_mm(courses, scene.pose), strict=True):
        hilum = "right hilum" if trunk.lobe.startswith("right") else "left hilum"
        if courses is ARTERIES and hilum in scene.landmarks:
            points = np.concatenate([scene.landmarks[hilum][None], points[1:]])
        radii = trunk.radius_mm * np.linspace(1, 0.72, len(points))
        out.append(Tube(points=points, radii=radii, kind=trunk.name, lobe=trunk.lobe, order=trunk.order))
    return out


def joints(
    trunk: list[Tube], starts: Float[np.ndarray, "k 3"], radii: Float[np.ndarray, " k"], lobes: list[str]
) -> list[Tube]:
    """Short tubes from the trunks to where the branches of the lobes begin."""
    out = []
    for start, radius, lobe in zip(starts, radii, lobes, strict=True):
        near = [t for t in trunk if t.lobe.split()[0] == lobe.split()[0]]
        points = np.concatenate([_dense(t.points) for t in near])
        nearest = points[int(((points - start) ** 2).sum(1).argmin())]
        out.append(Tube(points=np.stack([nearest, start]), radii=np.full(2, radius), kind="lobar", lobe=lobe, order=2))
    return out


def paint(
    scene: Scene,
    arteries: tuple[np.ndarray, np.ndarray, np.ndarray],
    veins: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Paints the trunks, and the branches of both trees (starts and ends [n 3] of straight pieces, radii [n 2]) inside
    the lungs. Veins carry the blood of the left heart."""
    blood = Blood.of(scene)
    for kind, branches, hu in (("artery", arteries, blood.pulmonary), ("vein", veins, blood.arterial)):
        _paint_tree(scene, branches, np.float32(hu))
        for tube in scene.tubes[kind]:
            if tube.order <= 2:
                stroke(scene, tube, hu)


def _paint_tree(scene: Scene, branches: tuple[np.ndarray, np.ndarray, np.ndarray], blood: np.float32) -> None:
    """Paints branches by their surfaces where they are wider than a voxel, by their volumes where they are thinner."""
    starts, ends, radii = branches
    limit = 0.9 * min(scene.grid.spacing_mm)
    thin, lung = radii.mean(1) < limit, scene.lung()
    share = strands(scene.grid, starts[thin], ends[thin], radii[thin], 0.6 * min(scene.grid.spacing_mm))
    share *= lung
    where = np.flatnonzero(share)
    flat, share = scene.hu.reshape(-1), share.reshape(-1)[where]
    flat[where] += share * (blood - flat[where])
    near, distance = beads(scene.grid, starts[~thin], ends[~thin], radii[~thin])
    flat[near] += coverage(distance, 1.5) * lung.reshape(-1)[near] * (blood - flat[near])


def branch_pieces(
    tree: Branches, course: tuple[np.ndarray, np.ndarray, np.ndarray], radii: Float[np.ndarray, " n"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All branches, each as two straight pieces: starts and ends [m 3], radii [m 2]. course: starts, middles and ends
    of the branches [n 3]."""
    start, middle, end = course
    first = first_radii(tree.parent, radii)
    half = (first + radii) / 2
    calibre = np.concatenate([np.stack([first, half], 1), np.stack([half, radii], 1)])
    return np.concatenate([start, middle]), np.concatenate([middle, end]), calibre


def _dense(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "m 3"]:
    t = np.linspace(0, 1, 5)[:, None]
    return np.concatenate([a + t * (b - a) for a, b in pairwise(points)])
