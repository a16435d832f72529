"""The 18 labels and the things that look like them, each drawn by a module of its own.

A module's `draw(scene, rng)` paints a finding into a finished chest, marks its masks (`Scene.mark`) and adds one Fact
or more to `scene.facts`. It is called only where one of its labels is true; the lookalikes always are.
"""

from types import ModuleType
from typing import Final

import numpy as np

from rect_data.phantom.findings import (
    atelectasis,
    bronchi,
    calcification,
    consolidation,
    devices,
    emphysema,
    fibrosis,
    heart_size,
    hernia,
    lookalikes,
    mosaic,
    nodes,
    nodules,
    opacity,
    pericardium,
    pleura,
    septal,
)
from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream

Drawer = tuple[ModuleType, tuple[str, ...]]

DISPLACING: Final[tuple[Drawer, ...]] = (
    (heart_size, ("Cardiomegaly",)),
    (pericardium, ("Pericardial effusion",)),
    (nodes, ("Lymphadenopathy",)),
    (hernia, ("Hiatal hernia",)),
    (pleura, ("Pleural effusion",)),
)
"""What takes room from the lungs comes first: the lungs' own findings lie in what is left of them."""

INSIDE: Final[tuple[Drawer, ...]] = (
    (emphysema, ("Emphysema",)),
    (mosaic, ("Mosaic attenuation pattern",)),
    (bronchi, ("Bronchiectasis", "Peribronchial thickening")),
    (septal, ("Interlobular septal thickening",)),
    (fibrosis, ("Pulmonary fibrotic sequela",)),
    (opacity, ("Lung opacity",)),
    (consolidation, ("Consolidation",)),
    (atelectasis, ("Atelectasis",)),
    (nodules, ("Lung nodule",)),
    (calcification, ("Arterial wall calcification", "Coronary artery wall calcification")),
    (devices, ("Medical material",)),
)
"""Later findings lie on top of earlier ones."""


def draw(scene: Scene, seed: int) -> None:
    """Paints every finding of the scene's labels, then the lookalikes."""
    draw_labels(scene, seed)
    lookalikes.draw(scene, _stream(lookalikes, seed))


def draw_labels(scene: Scene, seed: int) -> None:
    """Paints the findings of the scene's labels alone."""
    for drawers in (DISPLACING, INSIDE):
        for part, labels in drawers:
            if any(label in scene.labels for label in labels):
                part.draw(scene, _stream(part, seed))
        scene.forget_depth()


def _stream(part: ModuleType, seed: int) -> np.random.Generator:
    return stream(seed, part.__name__.rpartition(".")[2])
