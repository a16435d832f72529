"""Spine, ribs, sternum and shoulders."""

import numpy as np

from rect_data.phantom.anatomy import ribs, shoulder, spine
from rect_data.phantom.anatomy.wall import rim
from rect_data.phantom.scene import Scene


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints every bone, all outside the pleural cavities."""
    marrow = float(np.clip(rng.normal(210 - 1.8 * (scene.patient.age - 20), 25), 30, 260))
    ribs.draw(scene, rng)
    shoulder.draw(scene, rim(scene.patient), marrow)
    spine.draw(scene, rng)
