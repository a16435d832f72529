"""The great vessels: aorta and its branches, pulmonary arteries and veins up to the hila, and the caval veins."""

from typing import Final

import numpy as np

from rect_data.phantom.anatomy.blood import Blood
from rect_data.phantom.anatomy.thorax import dome_z
from rect_data.phantom.paint import coverage, stroke, tube_distance
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube

_WALL_MM: Final = 1.2
_WALL_HU: Final = 48.0


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints the tubes that the mediastinum has laid. Veins below the diaphragm belong to the abdomen."""
    blood = Blood.of(scene)
    for tube in scene.tubes["ivc"]:
        _vein(scene, tube, blood.lower)
    for tube in scene.tubes["pulmonary vein"]:
        _hilar(scene, tube, blood.arterial, Part.MEDIASTINUM)
    for tube in reversed(scene.tubes["svc"]):
        share = {
            "left brachiocephalic vein": rng.uniform(0.3, 1.0),
            "right brachiocephalic vein": rng.uniform(0.5, 1.0),
        }
        stroke(scene, tube, blood.plain + share.get(tube.kind, 1.0) * (blood.caval - blood.plain), Part.MEDIASTINUM)
    for tube in scene.tubes["pulmonary artery"]:
        _hilar(scene, tube, blood.pulmonary, Part.PULMONARY_ARTERY)
    for tube in scene.tubes["arch vessels"]:
        stroke(scene, tube, blood.arterial, Part.MEDIASTINUM)
    for tube in scene.tubes["aorta"]:
        _aorta(scene, tube, blood.arterial)


def _aorta(scene: Scene, tube: Tube, hu: float) -> None:
    """Blood in a wall that only contrast shows."""
    found = tube_distance(scene.grid, tube)
    if found is not None:
        box, distance = found
        outside = scene.parts[box] != Part.HEART
        scene.blend(box, coverage(distance, 1.5) * outside, _WALL_HU)
        scene.blend(box, coverage(distance, 1.5), scene.hu[box], Part.AORTA)
        scene.blend(box, coverage(distance + np.float32(_WALL_MM), 1.5), hu)


def _hilar(scene: Scene, tube: Tube, hu: float, part: Part) -> None:
    """A vessel that goes on into a lung, to which it belongs from there."""
    found = tube_distance(scene.grid, tube)
    if found is not None:
        box, distance = found
        alpha, lung = coverage(distance, 1.5), scene.lung(box)
        scene.blend(box, alpha * lung, hu)
        scene.blend(box, alpha * ~lung, hu, part)


def _vein(scene: Scene, tube: Tube, hu: float) -> None:
    found = tube_distance(scene.grid, tube)
    if found is None:
        return
    box, distance = found
    alpha = coverage(distance, 1.5)
    above = scene.z[box] > dome_z(scene.y[box], scene.x[box], scene.traits)
    scene.blend(box, np.where(above, alpha, np.float32(0)), hu, Part.MEDIASTINUM)
    scene.blend(box, np.where(above, np.float32(0), alpha), hu, Part.ABDOMEN)
