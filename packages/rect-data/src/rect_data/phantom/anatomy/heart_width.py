"""The cardiothoracic ratio: what a heart should have, and what a drawn one has."""

import numpy as np
from jaxtyping import Bool

from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene


def ratio_of(factor: float) -> float:
    """Cardiothoracic ratio of a heart of this width factor: .40 to .48 for normal hearts (factor up to 1.06), from .525
    for large ones, the larger the rarer."""
    return 0.45 * factor if factor < 1.1 else 0.528 + 0.10 * ((factor - 1.2) / 0.22) ** 2


def thorax_mm(scene: Scene) -> float:
    """Largest inner width of the thorax across an axial slice: from the outer side of one lung to that of the other,
    pleural fluid included."""
    inside = _across(scene, (Part.RIGHT_LUNG, Part.LEFT_LUNG, Part.RIGHT_PLEURA, Part.LEFT_PLEURA))
    return _widest(inside) * scene.grid.spacing_mm[2]


def heart_mm(scene: Scene) -> float:
    """Largest width of the heart, its fat included but not its sac, across an axial slice."""
    return _widest(_across(scene, (Part.HEART,))) * scene.grid.spacing_mm[2]


def _across(scene: Scene, parts: tuple[Part, ...]) -> Bool[np.ndarray, "d w"]:
    table = np.zeros(256, bool)
    table[list(parts)] = True
    return np.asarray(table[scene.parts].any(1))


def _widest(across: Bool[np.ndarray, "d w"]) -> int:
    spans = [np.flatnonzero(row) for row in across]
    return max((int(s[-1] - s[0]) + 1 for s in spans if s.size), default=0)
