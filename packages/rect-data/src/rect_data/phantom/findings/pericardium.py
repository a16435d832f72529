"""Fluid in the pericardial sac."""

from typing import Final

import numpy as np
from jaxtyping import Float32

from rect_data.phantom.anatomy.heart_shape import Heart
from rect_data.phantom.anatomy.thorax import cavity
from rect_data.phantom.facts import Fact, pericardial_severity
from rect_data.phantom.grid import Box
from rect_data.phantom.paint import coverage, noise, tube_distance
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene

_WALL_MM: Final = 1.4
_FIRM: Final = (
    *(Part.HEART, Part.AORTA, Part.PULMONARY_ARTERY, Part.OESOPHAGUS, Part.AIRWAY),
    *(Part.RIB, Part.STERNUM, Part.SPINE, Part.MUSCLE),
)
"""What fluid does not push aside."""


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints a layer of fluid between epicardial fat and pericardium, thickest behind and below, marks it and adds its
    Fact. Grades by thickness: mild below 10 mm, moderate to 20, severe above (Klein et al. 2013,
    doi:10.1016/j.echo.2013.06.023)."""
    thickness = float(np.clip(np.exp(rng.normal(np.log(6.5), 0.45)), 4.0, 25.0))
    box, heart = Heart.box(scene), Heart.of(scene)
    z, y, x = Heart.fields(scene)
    sac = heart.sac(z, y, x)
    outer = (sac - _layer(z, y, x, thickness / float(scene.pose.scale.mean()))).astype(np.float32)
    outer = np.maximum(outer, cavity(z, y, x).astype(np.float32) + 2)
    free = _free(scene, box)
    size = (outer.shape[0], outer.shape[1], outer.shape[2])
    fluid = _largest(coverage(np.maximum(outer, -sac), 1.5) * free)
    wall = coverage(np.maximum(outer - np.float32(_WALL_MM), -sac), 1.5) * free * (outer < sac)
    mask = fluid >= 0.5
    for instances in scene.instances.values():
        instances[box][(wall >= 0.5) | mask] = 0
    scene.blend(box, wall, 32.0, Part.PERICARDIUM)
    hu = float(rng.uniform(2, 24)) + 2 * noise(size, scene.grid.spacing_mm, 6.0, rng)
    scene.blend(box, fluid, hu, Part.PERICARDIUM)
    number = scene.mark("pericardial_effusion", box, mask)
    scene.facts.append(
        Fact(
            label="Pericardial effusion",
            kind="pericardial effusion",
            size_mm=round(thickness, 1),
            severity=pericardial_severity(thickness),
            finding="pericardial_effusion",
            instances=(number,),
        )
    )


def _layer(z: np.ndarray, y: np.ndarray, x: np.ndarray, thickness: float) -> np.ndarray:
    """Thickness in reference mm at each place: little fluid lies behind and below the left ventricle, more goes around
    to the front; the roots of the great vessels have little room."""
    around = np.clip((thickness - 5) / 12, 0, 1)
    low = 0.75 * (y + 30) / 40 + 0.45 * (-72 - z) / 40
    share = np.clip(0.35 + 0.55 * low + 0.8 * around, 0, 1)
    return np.asarray(thickness * share * np.clip((-22 - z) / 25, 0, 1) * (1 - 0.35 * np.clip((15 - x) / 60, 0, 1)))


def _free(scene: Scene, box: Box) -> Float32[np.ndarray, "a b c"]:
    """Share of each voxel where fluid may go: not into firm organs, nor into the veins that enter the heart."""
    firm = np.zeros(256, bool)
    firm[list(_FIRM)] = True
    free: np.ndarray = (~firm[scene.parts[box]]).astype(np.float32)
    for kind in ("pulmonary vein", "svc", "ivc"):
        for tube in scene.tubes.get(kind, []):
            found = tube_distance(scene.grid, tube)
            if found is not None:
                where, distance = found
                free[_within(box, where)] *= coverage(-distance[_within(where, box)], 1.5)
    return free


def _within(outer: Box, inner: Box) -> Box:
    """The common voxels of two boxes, counted from the first of the outer one."""
    cut = [
        slice(max(o.start, i.start) - o.start, max(0, min(o.stop, i.stop) - o.start))
        for o, i in zip(outer, inner, strict=True)
    ]
    return cut[0], cut[1], cut[2]


def _largest(alpha: Float32[np.ndarray, "a b c"]) -> Float32[np.ndarray, "a b c"]:
    """Only the largest connected part."""
    from scipy import ndimage

    pieces, count = ndimage.label(alpha >= 0.5)
    if count == 0:
        return alpha
    keep = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    near = ndimage.binary_dilation(keep, iterations=1)
    return np.where(near, np.where(keep, alpha, np.minimum(alpha, np.float32(0.49))), np.float32(0))
