"""The heart in its pericardium: chambers, muscle, epicardial fat and coronary arteries."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.anatomy.blood import Blood
from rect_data.phantom.anatomy.courses import Course, smooth
from rect_data.phantom.anatomy.heart_shape import Heart
from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Box
from rect_data.phantom.paint import coverage, noise, stroke
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene

_FAT_HU: Final = -98.0
_SAC_MM: Final = 1.3
"""A normal pericardium is 1 to 2 mm thick (Klein et al. 2013, doi:10.1016/j.echo.2013.06.023)."""

_SOFT_MM: Final = 2.0
_MUCH_FAT: Final = 1.35

_CORONARY: Final[dict[str, tuple[tuple[float, float, float], ...]]] = {
    "left anterior descending": ((-38, -28, 18), (-42, -44, 32), (-54, -58, 40), (-72, -66, 52), (-92, -66, 64)),
    "circumflex": ((-38, -27, 18), (-38, -16, 40), (-50, -2, 54), (-66, 8, 54), (-80, 10, 46)),
    "right coronary": (
        (-40, -40, -4),
        (-46, -52, -14),
        (-66, -56, -22),
        (-88, -46, -22),
        (-104, -26, -12),
        (-108, -10, 4),
    ),
}
"""Guiding points; the arteries follow the surface under the fat. Radii: Dodge et al. 1992
(doi:10.1161/01.CIR.86.1.232)."""


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints the heart; notes the landmark "heart" and the tubes "coronary" and adds a Fact where its fat is plain."""
    heart, blood, box = Heart.of(scene), Blood.of(scene), Heart.box(scene)
    z, y, x = Heart.fields(scene)
    _sac(scene, box, heart.sac(z, y, x), rng)
    _chambers(scene, box, heart.chambers(z, y, x), blood, rng)
    scene.landmarks["heart"] = scene.pose.physical(heart.placed(np.array([[-72.0, -22.0, 16.0]])))[0]
    scene.tubes["coronary"] = smooth(
        scene, [_coronary(heart, kind, np.array(line, np.float64)) for kind, line in _CORONARY.items()]
    )
    for tube in scene.tubes["coronary"]:
        stroke(scene, tube, blood.arterial - 4, Part.HEART)
    if scene.traits.epicardial_fat > _MUCH_FAT:
        scene.facts.append(Fact(label="", kind="prominent epicardial fat", side="midline"))


def _sac(scene: Scene, box: Box, sac: Float32[np.ndarray, "a b c"], rng: np.random.Generator) -> None:
    """The pericardium is a thin sheet around fat."""
    size = (sac.shape[0], sac.shape[1], sac.shape[2])
    fat = _FAT_HU + 9 * noise(size, scene.grid.spacing_mm, 2.5, rng)
    wall = coverage(sac - np.float32(_SAC_MM), 1.5)
    scene.blend(box, wall, 32.0, Part.PERICARDIUM)
    scene.blend(box, coverage(sac, 1.5), fat, Part.HEART)


def _chambers(scene: Scene, box: Box, of: dict[str, np.ndarray], blood: Blood, rng: np.random.Generator) -> None:
    thin = np.minimum(np.minimum(of["right ventricle"] - 3.0, of["right atrium"] - 2.5), of["left atrium"] - 2.0)
    muscle = np.minimum(of["left wall"], thin).astype(np.float32)
    size = (muscle.shape[0], muscle.shape[1], muscle.shape[2])
    rough = noise(size, scene.grid.spacing_mm, 3.0, rng)
    scene.blend(box, coverage(muscle + 0.4 * rough, _SOFT_MM), blood.muscle, Part.HEART)
    mixed = (blood.atrial - blood.plain) * np.float32(0.16) * noise(size, scene.grid.spacing_mm, 7.0, rng)
    inside = (
        ("right atrium", blood.atrial + mixed),
        ("right ventricle", blood.pulmonary + 0.4 * mixed),
        ("left atrium", blood.arterial),
        ("left ventricle", blood.arterial),
    )
    for name, hu in inside:
        trabecular = 1.6 * np.maximum(rough, 0) if name.endswith("ventricle") else 0.3 * rough
        scene.blend(box, coverage((of[name] + trabecular).astype(np.float32), _SOFT_MM), hu, Part.HEART)


def _coronary(heart: Heart, kind: str, guide: Float[np.ndarray, "n 3"]) -> Course:
    """A line through guiding points, drawn onto the surface of the muscle, tapering from 1.9 to 1 mm."""
    from scipy.interpolate import PchipInterpolator

    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(guide, axis=0), axis=1))])
    fine = np.linspace(0, at[-1], int(at[-1] / 5) + 1)
    points = heart.placed(PchipInterpolator(at, guide)(fine))
    free = np.clip((fine - 8) / 12, 0, 1)[:, None]
    for _ in range(5):
        points = points + free * _outward(heart, points, 1.4)
    return Course(kind, np.concatenate([points, np.linspace(1.9, 1.0, len(points))[:, None]], 1), 1.0)


def _outward(heart: Heart, points: Float[np.ndarray, "n 3"], height_mm: float) -> Float[np.ndarray, "n 3"]:
    """The step that brings reference points to a height over the muscle."""

    def surface(at: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        of = heart.chambers(at[:, 0], at[:, 1], at[:, 2])
        walls = (of["left wall"], of["right ventricle"] - 3, of["right atrium"] - 2.5, of["left atrium"] - 2)
        return -4 * np.log(sum(np.exp(np.minimum(-w / 4, 20)) for w in walls) + 1e-9)

    here = surface(points)
    slope = np.stack([surface(points + step) - here for step in np.eye(3)], -1)
    norm = np.maximum((slope**2).sum(1, keepdims=True), 0.2)
    return np.asarray((height_mm - here)[:, None] * slope / norm)
