"""Medical material: one device, or several that belong together, each with a Fact of its own."""

from collections.abc import Callable
from typing import Final

import numpy as np

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.lines import central_line, chest_tube, nasogastric, tracheostomy
from rect_data.phantom.findings.metal import clips, stent, sternal_wires, valve
from rect_data.phantom.findings.pockets import pacemaker, port
from rect_data.phantom.scene import Scene

Device = Callable[[Scene, np.random.Generator], Fact | None]

_SETS: Final[tuple[tuple[float, tuple[Device, ...]], ...]] = (
    (0.11, (sternal_wires,)),
    (0.08, (sternal_wires, clips)),
    (0.07, (sternal_wires, valve)),
    (0.13, (stent,)),
    (0.12, (port,)),
    (0.05, (port, clips)),
    (0.10, (pacemaker,)),
    (0.03, (pacemaker, sternal_wires)),
    (0.08, (central_line,)),
    (0.05, (central_line, nasogastric)),
    (0.03, (nasogastric,)),
    (0.04, (tracheostomy, nasogastric)),
    (0.02, (tracheostomy, central_line)),
    (0.05, (chest_tube,)),
    (0.04, (clips,)),
)
"""Chance of each set of devices."""


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints a set of devices that the scan can show, and adds a Fact for each that shows."""
    chances = np.array([chance for chance, _ in _SETS])
    order = rng.choice(len(_SETS), len(_SETS), replace=False, p=chances / chances.sum())
    for index in order:
        facts = [device(scene, rng) for device in _SETS[int(index)][1]]
        scene.facts.extend(fact for fact in facts if fact is not None)
        if any(fact is not None for fact in facts):
            return
