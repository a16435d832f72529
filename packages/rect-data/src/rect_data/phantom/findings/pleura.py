"""Pleural effusion: fluid between lung and chest wall. Free fluid lies where a supine patient is lowest, behind and
below the lung, in a crescent that is concave toward it; loculated fluid is a lens against the chest wall anywhere.

Transudates and exudates alike measure 0 to 30 HU, most near 8 (Abramowitz, AJR 2009;192:618, PMID 19234255).
"""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.extent import box_of, close_seam
from rect_data.phantom.findings.place import anywhere
from rect_data.phantom.grid import Box, Grid
from rect_data.phantom.paint import noise, upsample
from rect_data.phantom.parts import LOBES, Part
from rect_data.phantom.scene import Scene

Field = Float32[np.ndarray, "a b c"]
Half = Float32[np.ndarray, "a p q"]
"""A field on every second voxel in the plane of a box."""

Mask = Bool[np.ndarray, "a b c"]

SIDES: Final = (("right", Part.RIGHT_LUNG, Part.RIGHT_PLEURA), ("left", Part.LEFT_LUNG, Part.LEFT_PLEURA))
_LABEL: Final = "Pleural effusion"
_FALLBACK_ML: Final = (30.0, 0.0)
_LOCULATED: Final = 0.25
_MOST: Final = 0.6
"""Share of a pleural cavity that fluid fills at most."""

_COMPRESSES_ML: Final = 60.0
_SOFT_MM: Final = 2.2


def effusion_ml(scene: Scene) -> tuple[float, float]:
    """Fluid on the right and on the left, ml; at least some where the label is true."""
    asked = scene.traits.effusion_ml if _LABEL in scene.labels else (0.0, 0.0)
    return _FALLBACK_ML if _LABEL in scene.labels and not any(asked) else asked


def compresses(scene: Scene, side: int) -> bool:
    """Whether the fluid on the right (0) or left (1) has collapsed the lung next to it, as a true label allows."""
    return "Atelectasis" in scene.labels and effusion_ml(scene)[side] >= _COMPRESSES_ML


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Fills the asked millilitres on each side. Lungs are smaller afterwards: depths are found anew."""
    density = float(np.clip(rng.normal(9, 8), -2, 30))
    for side, millilitres in enumerate(effusion_ml(scene)):
        loculated, extends = rng.random() < _LOCULATED, rng.random() < 0.3
        own = np.random.Generator(np.random.PCG64(int(rng.integers(1 << 62))))
        if millilitres:
            _fill(scene, own, side, millilitres, density, loculated, extends)
    scene.forget_depth()


def _fill(
    scene: Scene,
    rng: np.random.Generator,
    side: int,
    millilitres: float,
    density: float,
    loculated: bool,
    extends: bool,
) -> None:
    """Paints the fluid of one side, marks it and says so."""
    _, lung, pleura = SIDES[side]
    box = box_of(scene.parts == lung)
    if box is None:
        return
    inside = scene.parts[box] == lung
    extends = extends and not loculated and millilitres > 80
    score = _lens(scene, rng, box, inside, millilitres) if loculated else _crescent(scene, rng, box, extends)
    most = _MOST * float(inside.sum() * np.prod(scene.grid.spacing_mm)) / 1000
    alpha = _level(upsample(score, inside.shape), inside, min(millilitres, most), scene.grid)
    scene.blend(box, alpha, density, pleura)
    close_seam(scene, box, alpha >= 0.5, density)
    number = scene.mark("pleural_effusion", box, alpha >= 0.5)
    details = (
        *(("with fissural extension",) if extends else ()),
        *(("with compressive atelectasis",) if compresses(scene, side) else ()),
    )
    kind = "loculated effusion" if loculated else "free effusion"
    scene.facts.append(Fact(label=_LABEL, kind=kind, finding="pleural_effusion", instances=(number,), details=details))


def _crescent(scene: Scene, rng: np.random.Generator, box: Box, extends: bool) -> Half:
    """Score (mm) of free fluid: lower in the room is higher, and less so away from the pleura, so that fluid climbs the
    chest wall; the bases are preferred, and the main fissure lets some in."""
    (z, y, _), depth = _halved_mm(scene.grid, box), _smooth(scene.depth_mm()[box][:, ::2, ::2], scene.grid, 3.0)
    score = y - np.float32(rng.uniform(0.25, 0.5)) * z - depth / np.float32(rng.uniform(0.45, 1.0))
    score += 1.5 * _unevenness(depth, scene.grid, rng)
    if extends:
        score += np.float32(rng.uniform(25, 45)) * _fissure(scene, box)
    return score


def _fissure(scene: Scene, box: Box) -> Half:
    """1 on the main fissure, falling to 0 over about 3 mm."""
    lobes = scene.lobes[box][:, ::2, ::2]
    whole = _smooth((lobes > 0).astype(np.float32), scene.grid, 2.5)
    share = _smooth(np.isin(lobes, [3, 5]).astype(np.float32), scene.grid, 2.5) / np.maximum(whole, 0.05)
    return np.asarray(np.clip(4 * share * (1 - share), 0, 1) ** 3, np.float32)


def _lens(scene: Scene, rng: np.random.Generator, box: Box, inside: Mask, millilitres: float) -> Half:
    """Score of a lens-shaped pocket against the chest wall, away from the lowest place: highest in its middle, falling
    along the pleura and, faster, away from it."""
    lobes = tuple(name for i, name in enumerate(LOBES) if (scene.lobes[box][inside] == i + 1).any())
    place = anywhere(scene, rng, lobes=lobes, depth_mm=(0, 3), prefer=_sideways)
    middle = scene.grid.point(np.argwhere(inside)[:1] + [s.start for s in box])[0] if place is None else place.point_mm
    apart = [axis - np.float32(m) for axis, m in zip(_halved_mm(scene.grid, box), middle, strict=True)]
    width = np.float32((1000 * millilitres) ** (1 / 3))
    depth = _smooth(scene.depth_mm()[box][:, ::2, ::2], scene.grid, 2.5)
    score = width * np.float32(0.08) * _unevenness(depth, scene.grid, rng)
    score -= ((apart[0] / 1.3) ** 2 + apart[1] ** 2 + apart[2] ** 2) / width + np.float32(2.2) * depth
    return score


def _sideways(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Pockets sit against the ribs rather than behind, below or on the mediastinum."""
    level = np.exp(-(((points[:, 1] - 5) / 40) ** 2) - ((points[:, 0] + 25) / 35) ** 2)
    return np.asarray(level * (np.abs(points[:, 2]) > 85) + 1e-9)


def _halved_mm(grid: Grid, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Physical (z, y, x) mm of every second voxel in the plane of a box, broadcastable."""
    z, y, x = grid.axes_mm
    return z[box[0]], y[:, box[1]][:, ::2], x[:, :, box[2]][:, :, ::2]


def _smooth(half: Half, grid: Grid, blur_mm: float) -> Half:
    """A blurred copy of a field."""
    from scipy import ndimage

    sz, sy, sx = grid.spacing_mm
    out: Half = ndimage.gaussian_filter(half, (blur_mm / sz, blur_mm / 2 / sy, blur_mm / 2 / sx), truncate=3.0)
    return out


def _unevenness(half: Half, grid: Grid, rng: np.random.Generator) -> Half:
    """Noise as large as a field: no lung is as smooth as a formula."""
    sz, sy, sx = grid.spacing_mm
    return noise(half.shape, (sz, 2 * sy, 2 * sx), 14.0, rng)


def _level(score: Field, inside: Mask, millilitres: float, grid: Grid) -> Field:
    """Share of each voxel that is fluid: where the score is highest, as one piece of the asked volume."""
    from scipy import ndimage

    asked = max(1, round(1000 * millilitres / float(np.prod(grid.spacing_mm))))
    scores = score[inside]
    count, piece, tight = asked, inside, (slice(None),) * 3
    for _ in range(4):
        level = np.partition(scores, -min(count, len(scores)))[-min(count, len(scores))]
        above = inside & (score >= level)
        tight = box_of(above, 1) or tight
        labels, _ = ndimage.label(above[tight])
        piece = labels == np.bincount(labels.ravel())[1:].argmax() + 1
        held = int(piece.sum())
        if abs(held - asked) <= 0.02 * asked:
            break
        count = int(np.clip(count * asked / held, asked, len(scores)))
    soft = np.clip(0.5 + (score[tight] - level) / np.float32(_SOFT_MM), 0, 1)
    soft *= inside[tight] & ndimage.binary_dilation(piece)
    out = np.zeros(score.shape, np.float32)
    out[tight] = np.where(piece, np.maximum(soft, 0.5), np.minimum(soft, 0.49))
    return out
