"""What branches inside the lungs: bronchi, the arteries beside them and the veins between them."""

from typing import Final

import numpy as np
from jaxtyping import Float, Int

from rect_data.phantom.anatomy import airways, lung_vessels
from rect_data.phantom.anatomy.branching import Branches, grow
from rect_data.phantom.anatomy.bronchial_map import ARTERIES, SEGMENTS, VEIN_ROOTS, VEINS
from rect_data.phantom.parts import LOBES
from rect_data.phantom.scene import Scene

_APART_MM: Final = 7.5


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints airways and vessels; notes the tubes "airway", "artery" and "vein". An airway and the artery beside it
    have the same kind."""
    calibre = float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2))
    bronchi = _bronchi(scene, rng)
    arteries = calibre * lung_vessels.calibres(scene, bronchi)
    lumens = bronchoarterial(scene.patient.age, rng)[bronchi.root] * arteries
    named = airways.names(bronchi, lung_vessels.STORED)
    scene.tubes["airway"] = airways.trunks(scene, rng)
    scene.tubes["airway"] += airways.tubes(bronchi, (bronchi.start, bronchi.bends(), bronchi.end), lumens, named)
    airways.paint_walls(scene)
    beside = _arteries(scene, bronchi, arteries, lumens, named)
    lung_vessels.paint(scene, beside, _veins(scene, calibre, rng))
    airways.open_lumens(scene)


def bronchoarterial(age: int, rng: np.random.Generator) -> Float[np.ndarray, " 18"]:
    """Lumen over artery in each segment of a healthy person. It grows with age, and exceeds 1 in about two of five
    people over 65 (Matsuoka et al. 2003, doi:10.2214/ajr.180.2.1800513), so a wide bronchus alone is no disease."""
    usual = float(np.clip(rng.normal(0.63 + 0.0072 * np.clip(age - 25, 0, 50), 0.075), 0.54, 1.15))
    return np.asarray(np.minimum(usual * rng.normal(1, 0.05, len(SEGMENTS)).clip(0.88, 1.12), 1.25))


def _places(scene: Scene, rng: np.random.Generator) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, " n"]]:
    """Physical points that fill the lungs evenly but not regularly, and the value of the lobe of each, from 0."""
    steps = [max(1, round(_APART_MM / s)) for s in scene.grid.spacing_mm]
    cells = [np.arange(0, n - s + 1, s) for n, s in zip(scene.grid.shape, steps, strict=True)]
    index = np.stack(np.meshgrid(*cells, indexing="ij"), -1).reshape(-1, 3)
    index = index + rng.integers(0, steps, index.shape)
    lobe = scene.lobes[tuple(index.T)].astype(np.int64)
    inside = lobe > 0
    return scene.grid.point(index[inside]), lobe[inside] - 1


def _bronchi(scene: Scene, rng: np.random.Generator) -> Branches:
    """The tree of the segmental bronchi: each segment is the lung nearest to its middle."""
    points, lobe = _places(scene, rng)
    starts = scene.pose.physical(np.array([s.start for s in SEGMENTS], np.float64))
    middles = scene.pose.physical(np.array([s.middle for s in SEGMENTS], np.float64))
    foreign = np.array([LOBES.index(s.lobe) for s in SEGMENTS])[None] != lobe[:, None]
    for _ in range(2):
        apart = ((points[:, None] - middles[None]) ** 2).sum(-1) + 1e6 * foreign
        segment = apart.argmin(1)
        count = np.bincount(segment, minlength=len(SEGMENTS))
        sums = np.stack([np.bincount(segment, p, len(SEGMENTS)) for p in points.T], 1)
        middles = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], middles)
    return grow(points, segment, starts, np.zeros_like(starts), rng)


def _arteries(
    scene: Scene,
    tree: Branches,
    radii: Float[np.ndarray, " n"],
    lumens: Float[np.ndarray, " n"],
    named: dict[int, tuple[str, str]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, last = lung_vessels.alongside(tree, radii, lumens)
    course = (tree.start + first, tree.bends() + (first + last) / 2, tree.end + last)
    roots = np.flatnonzero(tree.parent < 0)
    trunks = lung_vessels.trunks(scene, ARTERIES)
    lobes = [SEGMENTS[i].lobe for i in tree.root[roots]]
    joints = lung_vessels.joints(trunks, course[0][roots], radii[roots], lobes)
    scene.tubes["artery"] = trunks + joints + airways.tubes(tree, course, radii, named)
    return lung_vessels.branch_pieces(tree, course, radii)


def _veins(scene: Scene, calibre: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points, lobe = _places(scene, rng)
    starts = scene.pose.physical(np.array([VEIN_ROOTS[name] for name in LOBES], np.float64))
    tree = grow(points, lobe, starts, np.zeros_like(starts), rng)
    radii = 0.95 * calibre * lung_vessels.calibres(scene, tree)
    course = (tree.start, tree.bends(), tree.end)
    noted = np.flatnonzero(tree.count >= lung_vessels.STORED).tolist()
    named = {i: ("vein", LOBES[tree.root[i]]) for i in noted}
    scene.tubes["vein"] = lung_vessels.trunks(scene, VEINS) + airways.tubes(tree, course, radii, named)
    return lung_vessels.branch_pieces(tree, course, radii)
