"""Lung without air and smaller for it: plates near the diaphragm, wedges on the pleura, a collapsed lobe, lung pressed
flat by pleural fluid. Unlike consolidation it has sharp, straight or hollow borders and draws its surroundings in
(Fleischner glossary, Hansell 2008, doi:10.1148/radiol.2462070712; Woodring and Reed, J Thorac Imaging 1996;11:92).
"""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.extent import box_of, close_seam, lobes_of, side_of, voxels_of
from rect_data.phantom.findings.place import anywhere, pleura_near
from rect_data.phantom.findings.pleura import SIDES, compresses
from rect_data.phantom.findings.sheets import Sheet, axes_from, paint_sheet
from rect_data.phantom.grid import Box, Point
from rect_data.phantom.paint import local_mm, noise, upsample
from rect_data.phantom.parts import LOBES
from rect_data.phantom.scene import Scene

Drawn = list[tuple[Box, Float32[np.ndarray, "..."]]]

_AWAY: Final = {
    "right upper lobe": (-0.5, 0.0, 1.0),
    "right middle lobe": (0.2, 0.4, 1.0),
    "right lower lobe": (0.1, -0.7, 1.0),
    "left upper lobe": (0.0, 0.7, 0.5),
    "left lower lobe": (0.1, -0.7, 1.0),
}
"""How fast one leaves the place that a lobe collapses to, along reference z, y and away from the midline. Upper lobes
fold up and forward against the mediastinum, lower lobes back and inward against the spine."""


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints what the traits and the fluid ask for, and plates or a wedge."""
    done = [_compressed(scene, rng, side) for side in (0, 1) if compresses(scene, side)]
    if scene.traits.losing:
        done.append(_collapsed(scene, rng, scene.traits.losing))
    kind = rng.random()
    if kind < 0.65 or not any(done):
        done.append(_plates(scene, rng))
    if kind > 0.8 or not any(done):
        _wedge(scene, rng)


def _plates(scene: Scene, rng: np.random.Generator) -> bool:
    """One to three plates 2 to 4 mm thick and 30 to 60 mm long over the diaphragm."""
    drawn: Drawn = []
    for _ in range(int(rng.choice(3, p=(0.5, 0.32, 0.18))) + 1):
        place = anywhere(scene, rng, depth_mm=(8, 25), prefer=_basal)
        tilt, turn = np.clip(rng.normal(0.8, 0.3), 0.35, 1.35), rng.uniform(0, 2 * np.pi)
        half = (float(rng.uniform(0.7, 1.7)), float(rng.uniform(14, 28)), float(rng.uniform(7, 16)))
        bend, hu = float(rng.uniform(0, 2)), _airless_hu(scene, rng)
        if place is None:
            continue
        across = np.array([np.cos(tilt), np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn)])
        along = np.array([0.0, -np.sin(turn), np.cos(turn)])
        axes = np.stack([across, along, np.cross(across, along)])
        sheet = Sheet(middle_mm=place.point_mm, axes=axes, half_mm=half, bend_mm=bend)
        found = paint_sheet(scene, rng, sheet, hu, ragged=0.12, pull_mm=float(rng.uniform(0.5, 2)))
        drawn += [] if found is None else [found]
    return _report(scene, "linear atelectasis", drawn, number=len(drawn))


def _basal(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Lower zones first; middle lobe and lingula too."""
    return np.asarray(1 / (1 + np.exp((points[:, 0] + 60) / 10)) + 0.01)


def _airless_hu(scene: Scene, rng: np.random.Generator) -> float:
    """Collapsed lung keeps its blood: it enhances more than pneumonia does."""
    return float(rng.uniform(18, 50) + 0.2 * scene.traits.contrast)


def _wedge(scene: Scene, rng: np.random.Generator) -> bool:
    """A triangle with its base on the pleura and hollow sides."""
    place = anywhere(scene, rng, depth_mm=(0, 4), prefer=_behind_below)
    wall = None if place is None else pleura_near(scene, place.point_mm, 20.0)
    long, wide, flat = (float(v) for v in rng.uniform((18, 9, 5), (38, 20, 10)))
    axes, hollow, hu = rng.standard_normal(3), rng.uniform(1.1, 1.7), _airless_hu(scene, rng)
    if wall is None:
        return False
    start, inward = wall
    across, along, aside = axes_from(np.asarray(inward) + 0.25 * axes, rng)
    box = scene.grid.around(_point(np.asarray(start) + along * long / 2), 0.6 * long + wide)
    if box is None:
        return False
    z, y, x = local_mm(scene.grid, box, start)
    u, a, v = (np.float32(w[0]) * z + np.float32(w[1]) * y + np.float32(w[2]) * x for w in (across, along, aside))
    room = np.clip(1 - (a + 4) / np.float32(long + 4), 0, 1.3) ** np.float32(hollow)
    radius = np.sqrt((u / np.float32(flat)) ** 2 + (v / np.float32(wide)) ** 2)
    radius += 0.1 * noise(radius.shape, scene.grid.spacing_mm, 7.0, rng)
    alpha = np.clip(0.5 + (room - radius) * np.float32(flat) / np.float32(1.6), 0, 1) * scene.lung(box)
    alpha *= a > -8
    _solidify(scene, box, alpha, hu)
    return _report(scene, "subsegmental atelectasis", [(box, alpha)])


def _behind_below(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    return _basal(points) * (0.2 + 1 / (1 + np.exp(-(points[:, 1] - 30) / 10)))


def _collapsed(scene: Scene, rng: np.random.Generator, lobe: str) -> bool:
    """The dense part of a lobe that has lost volume: its share grows with the loss, its vessels are crowded."""
    value = LOBES.index(lobe) + 1
    box = box_of(scene.lobes == value)
    uneven, share, hu = rng.uniform(3, 7), 0.12 + 0.75 * scene.traits.loss, _airless_hu(scene, rng)
    if box is None:
        return False
    own = scene.lobes[box] == value
    up, back, out = (np.float32(w) for w in _AWAY[lobe])
    score = up * scene.z[box] + back * scene.y[box] + out * np.abs(scene.x[box])
    score += np.float32(uneven) * noise(own.shape, scene.grid.spacing_mm, 12.0, rng)
    level = np.quantile(score[own], share)
    alpha = np.clip(0.5 + (level - score) / 6, 0, 1).astype(np.float32) * own
    haze = 0.12 * np.clip(1 - (score - level) / 50, 0, 1).astype(np.float32) * own
    scene.blend(box, haze, np.maximum(scene.hu[box], np.float32(-100)))
    _solidify(scene, box, alpha, hu)
    return _report(scene, "lobar atelectasis", [(box, alpha)], details=("with volume loss",))


def _compressed(scene: Scene, rng: np.random.Generator, side: int) -> bool:
    """A dense band of lung along pleural fluid."""
    from scipy import ndimage

    _, lung, pleura = SIDES[side]
    box = box_of(scene.parts == pleura, 12)
    thick, hu = float(rng.uniform(3, 9)), _airless_hu(scene, rng)
    if box is None:
        return False
    sz, sy, sx = scene.grid.spacing_mm
    half = ndimage.distance_transform_edt(scene.parts[box][:, ::2, ::2] != pleura, sampling=(sz, 2 * sy, 2 * sx))
    half = ndimage.gaussian_filter(half.astype(np.float32), (0.5, 0.7, 0.7))
    near = upsample(half, scene.parts[box].shape)
    band = thick * (0.8 + 0.4 * noise(near.shape, scene.grid.spacing_mm, 16.0, rng))
    alpha = np.clip(0.5 + (band - near) / 3, 0, 1) * (scene.parts[box] == lung)
    _solidify(scene, box, alpha, hu)
    return _report(scene, "compressive atelectasis", [(box, alpha)])


def _solidify(scene: Scene, box: Box, alpha: Float32[np.ndarray, "a b c"], hu: float) -> None:
    """Fills lung with tissue and leaves what is denser than that."""
    scene.blend(box, alpha, np.maximum(scene.hu[box], np.float32(hu)))
    close_seam(scene, box, alpha >= 0.5, hu)


def _point(values: Float[np.ndarray, " 3"]) -> Point:
    z, y, x = (float(v) for v in values)
    return z, y, x


def _report(scene: Scene, kind: str, drawn: Drawn, number: int = 1, details: tuple[str, ...] = ()) -> bool:
    """Adds the fact of what was drawn, if any of it lies in the lungs."""
    pieces = [voxels_of(scene, box, alpha) for box, alpha in drawn]
    lobes: tuple[str, ...] = ()
    if pieces:
        voxels, amounts = (np.concatenate(part) for part in zip(*pieces, strict=True))
        lobes = lobes_of(scene, voxels, amounts)
    if not lobes:
        return False
    scene.facts.append(
        Fact(
            label="Atelectasis",
            kind=kind,
            side=side_of(lobes),
            lobes=lobes,
            number=number,
            details=details,
        )
    )
    return True
