"""Cardiomegaly: the anatomy has drawn a large heart; here it is measured and said."""

import numpy as np

from rect_data.phantom.anatomy.heart_width import heart_mm, thorax_mm
from rect_data.phantom.facts import Fact
from rect_data.phantom.scene import Scene


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Adds the Fact with the measured cardiothoracic ratio: largest width of the heart over largest inner width of the
    thorax, each across one axial slice; normal below 0.50."""
    ratio = heart_mm(scene) / thorax_mm(scene)
    severity = "mild" if ratio < 0.55 else "moderate" if ratio < 0.60 else "severe"
    detail = f"cardiothoracic ratio {ratio:.2f}"
    scene.facts.append(Fact(label="Cardiomegaly", kind="cardiomegaly", severity=severity, details=(detail,)))
