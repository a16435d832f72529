"""Where the great vessels and the oesophagus of a patient run, and how wide they are."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from rect_data.phantom.anatomy import lines
from rect_data.phantom.anatomy.heart_shape import Heart
from rect_data.phantom.anatomy.thorax import dome_z, spine_y
from rect_data.phantom.scene import Scene, Tube

_STEP_MM: Final = 6.0


class Course(NamedTuple):
    """Reference (z, y, x) and radius [n 4] of a tube, and a factor of the radius."""

    kind: str
    line: Float[np.ndarray, "n 4"]
    size: float


def lay(scene: Scene, heart: Heart, rng: np.random.Generator) -> None:
    """Notes the tubes and landmarks of the mediastinum; paints nothing. Kinds: "aorta" (one tube), "arch vessels",
    "pulmonary artery" (trunk, right and left), "pulmonary vein" (from the atrium to the hila), "svc" (with both
    brachiocephalic veins), "ivc", "azygos" and "oesophagus". Landmarks: "carina", "hiatus", "right hilum",
    "left hilum" and "arch"."""
    old = float(np.clip((scene.patient.age - 55) / 10, -3.5, 3.5))
    size = (1.0 if scene.patient.sex == "M" else 0.93) * rng.normal(1.0, 0.05)
    wide = size * (1 + 0.035 * old)
    lung = size * rng.normal(1.0, 0.06) * (1 + 0.25 * max(0.0, scene.traits.heart - 1.1))
    caval = rng.uniform(0.85, 1.12)
    branches = {
        "pulmonary trunk": _hung(heart, lines.TRUNK),
        "right pulmonary artery": np.array(lines.RIGHT_PULMONARY, np.float64),
        "left pulmonary artery": np.array(lines.LEFT_PULMONARY, np.float64),
    }
    courses = {
        "aorta": [Course("aorta", _unfolded(heart, old), wide)],
        "arch vessels": [Course(kind, np.array(line, np.float64), size) for kind, line in lines.ARCH.items()],
        "pulmonary artery": [Course(kind, line, lung) for kind, line in branches.items()],
        "pulmonary vein": [Course(kind, _hung(heart, line, 1), size) for kind, line in lines.VEINS.items()],
        "svc": [Course(kind, _hung(heart, line), caval) for kind, line in lines.SUPERIOR.items()],
        "ivc": [Course("inferior vena cava", _hung(heart, lines.LOWER), caval * rng.uniform(0.85, 1.1))],
        "azygos": [Course("azygos", _beside_spine(scene), rng.uniform(0.8, 1.1))],
        "oesophagus": [Course("oesophagus", _gullet(scene), rng.uniform(0.9, 1.1))],
    }
    tubes = smooth(scene, [course for courses_ in courses.values() for course in courses_])
    for kind, of_kind in courses.items():
        scene.tubes[kind], tubes = tubes[: len(of_kind)], tubes[len(of_kind) :]
    _note(scene)


def _note(scene: Scene) -> None:
    pulmonary = {tube.kind: tube for tube in scene.tubes["pulmonary artery"]}
    scene.landmarks["carina"] = scene.pose.physical(np.zeros((1, 3)))[0]
    scene.landmarks["right hilum"] = pulmonary["right pulmonary artery"].points[-1]
    scene.landmarks["left hilum"] = pulmonary["left pulmonary artery"].points[-1]
    scene.landmarks["hiatus"] = scene.tubes["oesophagus"][0].points[-1]
    aorta = scene.tubes["aorta"][0]
    scene.landmarks["arch"] = aorta.points[int(np.argmax(aorta.points[:, 0]))]


def _hung(heart: Heart, line: lines.Line, count: int | None = None) -> Float[np.ndarray, "n 4"]:
    """A line whose lower points move with the heart; count: only so many from its beginning."""
    out = np.array(line, np.float64)
    out[:count, :3] = heart.placed(out[:count, :3])
    return out


def _unfolded(heart: Heart, old: float) -> Float[np.ndarray, "n 4"]:
    """An old aorta is longer: its arch stands higher and farther left, its lower part winds."""
    out = np.array(lines.AORTA, np.float64)
    out[:6, :3] = heart.placed(out[:6, :3])
    arch = np.clip(1 - np.abs(np.arange(len(out)) - 8.0) / 5, 0, 1)
    out[:, 0] += 2.5 * old * arch
    out[:, 2] += 1.2 * max(old, 0) * arch
    winding = np.clip(1 - np.abs(out[:, 0] + 75) / 60, 0, 1) * (np.arange(len(out)) > 9)
    out[:, 2] += 2.2 * max(old, 0) * winding
    return out


def _beside_spine(scene: Scene) -> Float[np.ndarray, "n 4"]:
    out = np.array(lines.AZYGOS, np.float64)
    low = out[:, 0] < 0
    out[low, 1] = np.minimum(out[low, 1], spine_y(out[low, 0], scene.traits.kyphosis) - 21)
    return out


def _gullet(scene: Scene) -> Float[np.ndarray, "n 4"]:
    """Down to the hiatus, which lies where the diaphragm is."""
    end = float(dome_z(np.array([24.0]), np.array([15.0]), scene.traits)[0]) - 1
    above = [point for point in lines.OESOPHAGUS if point[0] > end + 12]
    return np.array([*above, (end, 26.0, 15.0, 7.0)], np.float64)


def smooth(scene: Scene, courses: list[Course]) -> list[Tube]:
    """Smooth tubes with a point about every six millimetres, all brought to the patient at once. Radii are real
    millimetres: they do not scale with the chest."""
    from scipy.interpolate import PchipInterpolator

    fine = []
    for course in courses:
        at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(course.line[:, :3], axis=0), axis=1))])
        fine.append(PchipInterpolator(at, course.line)(np.linspace(0, at[-1], max(2, int(at[-1] / _STEP_MM) + 1))))
    points = np.split(scene.pose.physical(np.concatenate(fine)[:, :3]), np.cumsum([len(line) for line in fine])[:-1])
    return [
        Tube(points=p, radii=line[:, 3] * c.size, kind=c.kind) for p, line, c in zip(points, fine, courses, strict=True)
    ]
