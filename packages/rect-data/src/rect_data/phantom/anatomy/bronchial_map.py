"""Where the named bronchi and the trunks of the pulmonary vessels run, in reference (z, y, x) mm.

Calibres after Weibel, Morphometry of the Human Lung, 1963, and Montaudon et al., Journal of Anatomy 2007;211:579; names
after Jackson and Huber 1943.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from rect_data.phantom.parts import LOBES
from rect_data.phantom.pose import Pose

Place = tuple[int, int, int]

RUL, RML, RLL, LUL, LLL = LOBES


@dataclass(frozen=True, slots=True)
class Trunk:
    """A tube with a name. order: 0 trachea, 1 main bronchi, 2 lobar bronchi."""

    name: str
    lobe: str
    order: int
    radius_mm: float
    course: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A bronchopulmonary segment: its bronchus leaves at `start`, its lung lies around `middle`."""

    name: str
    lobe: str
    start: Place
    middle: Place


BRONCHI: Final = (
    Trunk("trachea", "", 0, 9.0, ((140, -7, 1), (100, 1, 1), (60, 8, 1), (25, 11, 0), (0, 12, 0))),
    Trunk("right main bronchus", "", 1, 7.2, ((0, 12, 0), (-10, 13, -12), (-20, 14, -23))),
    Trunk("right upper lobar bronchus", RUL, 2, 4.4, ((-20, 14, -23), (-19, 15, -33), (-16, 16, -43))),
    Trunk("bronchus intermedius", "", 1, 5.2, ((-20, 14, -23), (-33, 16, -30), (-46, 16, -36))),
    Trunk("right middle lobar bronchus", RML, 2, 3.2, ((-46, 16, -36), (-52, 6, -43), (-56, -4, -49))),
    Trunk("right lower lobar bronchus", RLL, 2, 4.4, ((-46, 16, -36), (-54, 22, -42), (-62, 26, -48), (-72, 30, -54))),
    Trunk("left main bronchus", "", 1, 6.2, ((0, 12, 0), (-10, 14, 14), (-20, 17, 28), (-27, 18, 40))),
    Trunk("left upper lobar bronchus", LUL, 2, 4.6, ((-27, 18, 40), (-25, 12, 48), (-21, 6, 56))),
    Trunk("left lower lobar bronchus", LLL, 2, 4.6, ((-27, 18, 40), (-38, 24, 46), (-50, 29, 51), (-66, 33, 57))),
)
"""The right main bronchus is wider, shorter and steeper than the left."""

SEGMENTS: Final = (
    Segment("B1", RUL, (-16, 16, -43), (80, 25, -45)),
    Segment("B2", RUL, (-16, 16, -43), (38, 52, -75)),
    Segment("B3", RUL, (-16, 16, -43), (15, -35, -70)),
    Segment("B4", RML, (-56, -4, -49), (-52, -22, -100)),
    Segment("B5", RML, (-56, -4, -49), (-60, -52, -52)),
    Segment("B6", RLL, (-52, 20, -41), (-5, 66, -65)),
    Segment("B7", RLL, (-60, 25, -47), (-90, 15, -38)),
    Segment("B8", RLL, (-66, 28, -51), (-95, 0, -95)),
    Segment("B9", RLL, (-72, 30, -54), (-105, 45, -105)),
    Segment("B10", RLL, (-72, 30, -54), (-105, 70, -55)),
    Segment("B1+2", LUL, (-21, 6, 56), (68, 32, 55)),
    Segment("B3", LUL, (-21, 6, 56), (15, -40, 62)),
    Segment("B4", LUL, (-24, 9, 52), (-30, -25, 100)),
    Segment("B5", LUL, (-24, 9, 52), (-62, -50, 80)),
    Segment("B6", LLL, (-40, 25, 47), (-5, 66, 65)),
    Segment("B7+8", LLL, (-54, 30, 52), (-95, 5, 85)),
    Segment("B9", LLL, (-66, 33, 57), (-108, 45, 105)),
    Segment("B10", LLL, (-66, 33, 57), (-108, 70, 55)),
)

BESIDE: Final = {
    RUL: (0.2, -0.4, 1),
    RML: (0.7, 0, -0.7),
    RLL: (0.3, -0.3, -1),
    LUL: (0.3, 0.3, -1),
    LLL: (0.3, -0.3, 1),
}
"""On which side of its bronchus an artery runs: medial in the upper lobes, lateral in the others."""

ARTERIES: Final = (
    Trunk("truncus anterior", RUL, 2, 5.2, ((-15, 8, -42), (-11, 2, -46), (-4, 0, -52))),
    Trunk("right interlobar artery", RLL, 2, 7.0, ((-15, 8, -45), (-34, 12, -48), (-52, 17, -52), (-70, 24, -62))),
    Trunk("left upper artery", LUL, 2, 5.0, ((-10, 8, 46), (-4, 6, 51), (2, 0, 57))),
    Trunk(
        "left descending artery",
        LLL,
        2,
        7.0,
        ((-10, 8, 48), (-11, 22, 51), (-26, 27, 55), (-45, 27, 60), (-64, 30, 66)),
    ),
)
"""From the hila on; the first radius is that of the artery's beginning."""

VEINS: Final = (
    Trunk("right superior vein", RUL, 2, 6.2, ((-34, 14, -22), (-33, 2, -34), (-26, -5, -46), (-18, -9, -54))),
    Trunk("right inferior vein", RLL, 2, 6.0, ((-56, 24, -16), (-60, 34, -28), (-68, 44, -42))),
    Trunk("left superior vein", LUL, 2, 6.0, ((-28, 8, 24), (-24, -3, 40), (-14, -9, 54))),
    Trunk("left inferior vein", LLL, 2, 6.0, ((-56, 22, 20), (-62, 30, 38), (-72, 40, 50))),
)
"""From the left atrium on."""

VEIN_ROOTS: Final = {
    RUL: (-18, -9, -54),
    RML: (-30, -2, -44),
    RLL: (-68, 44, -42),
    LUL: (-14, -9, 54),
    LLL: (-72, 40, 50),
}


def courses_mm(trunks: tuple[Trunk, ...], pose: Pose) -> list[np.ndarray]:
    """Physical points [n 3] of each trunk, all found in one go."""
    sizes = [len(trunk.course) for trunk in trunks]
    points = pose.physical(np.array([point for trunk in trunks for point in trunk.course], np.float64))
    return np.split(points, np.cumsum(sizes)[:-1])
