"""Ground-glass opacity: hazy lung in which vessels and bronchi stay visible (Hansell 2008)."""

from math import inf
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.lobules import Lobules
from rect_data.phantom.findings.place import Place, anywhere
from rect_data.phantom.findings.shapes import crop, haze, level_of, ramp
from rect_data.phantom.grid import Box
from rect_data.phantom.paint import local_mm, noise
from rect_data.phantom.parts import LOBES
from rect_data.phantom.scene import Scene

FINDING: Final = "ground_glass_opacity"
LABEL: Final = "Lung opacity"

_PATTERNS: Final = ("peripheral", "central", "patchy")
_PATTERN_SHARES: Final = (0.5, 0.15, 0.35)
_COUNT: Final = (0.3, 0.22, 0.18, 0.13, 0.1, 0.07)
_MEDIAN_ML: Final = 18.0
_LIMITS_ML: Final = (1.0, 400.0)
_PATCH_ML: Final = 1.0
_LEAST_ML: Final = 0.2
_TRIES: Final = 6
_CLEAR_HU: Final = -720.0
_MOST_FACTS: Final = 4
_CRAZY_ML: Final = 15.0


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints one to six patches; those that touch share a number."""
    pattern = _PATTERNS[int(rng.choice(3, p=_PATTERN_SHARES))]
    total = float(np.clip(np.exp(rng.normal(np.log(_MEDIAN_ML), 1.2)), *_LIMITS_ML))
    count = min(1 + int(rng.choice(6, p=_COUNT)), max(1, int(total)))
    shares = total * rng.dirichlet(np.full(count, 2.0))
    hu, crazy, sharp = float(rng.uniform(-690, -470)), bool(rng.random() < 0.2), bool(rng.random() < 0.35)
    lobules = Lobules(float(rng.uniform(11, 16)), rng)
    alpha = np.zeros(scene.grid.shape, np.float32)
    for share in shares:
        place = _clear_site(scene, rng, pattern)
        if place is not None:
            box, patch = _patch(scene, rng, place, max(float(share), _PATCH_ML), pattern, lobules if sharp else None)
            np.maximum(alpha[box], patch, out=alpha[box])
    box = _held(alpha > 0)
    haze(scene, box, alpha[box] * _texture(scene, rng, box), hu)
    if crazy and total > _CRAZY_ML:
        _pave(scene, rng, box, alpha[box])
    details = [pattern] if pattern != "patchy" or count > 1 else []
    settle(scene, alpha >= 0.5, (*details, *(["with crazy paving"] if crazy and total > _CRAZY_ML else [])))


def settle(scene: Scene, mask: Bool[np.ndarray, "d h w"], details: tuple[str, ...]) -> None:
    """Replaces all ground-glass masks and Facts by those of a mask: one number a connected piece, none for crumbs under
    0.2 ml, one Fact a lobe, or one a side where those are too many."""
    from scipy import ndimage

    scene.facts[:] = [fact for fact in scene.facts if fact.finding != FINDING]
    scene.instances[FINDING] = np.zeros(scene.grid.shape, np.uint16)
    box = _held(mask)
    numbers, count = ndimage.label(mask[box], np.ones((3, 3, 3), bool))
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    millilitre = 1000 / float(np.prod(scene.grid.spacing_mm))
    kept = [i for i in range(count) if sizes[i] >= min(_LEAST_ML * millilitre, float(sizes.max(initial=0)))]
    severity = "mild" if sizes.sum() < 30 * millilitre else "moderate" if sizes.sum() < 150 * millilitre else "severe"
    homes: list[str] = []
    for i in kept:
        piece = numbers == i + 1
        scene.mark(FINDING, box, piece)
        homes.append(LOBES[int(np.bincount(scene.lobes[box][piece], minlength=6)[1:].argmax())])
    for group in _groups(homes):
        _note(scene, group, homes, severity, details)


def _groups(homes: list[str]) -> list[list[int]]:
    """Which pieces go into one Fact, by lobe or by side."""
    names = homes if len(set(homes)) <= _MOST_FACTS else [home.split()[0] for home in homes]
    return [[i for i, other in enumerate(names) if other == name] for name in dict.fromkeys(names)]


def _note(scene: Scene, group: list[int], homes: list[str], severity: str, details: tuple[str, ...]) -> None:
    lobes = tuple(lobe for lobe in LOBES if lobe in [homes[i] for i in group])
    fact = Fact(
        label=LABEL,
        kind="ground-glass opacity",
        side=lobes[0].split()[0],
        lobes=lobes,
        number=len(group),
        severity=severity,
        details=details,
        finding=FINDING,
        instances=tuple(i + 1 for i in group),
    )
    scene.facts.append(fact)


def _clear_site(scene: Scene, rng: np.random.Generator, pattern: str) -> Place | None:
    """A place without large vessels, which haze would not show on."""
    place = None
    for _ in range(_TRIES):
        place = _site(scene, rng, pattern)
        box = None if place is None else scene.grid.around(place.point_mm, 8.0)
        if box is None or float(scene.hu[box][scene.lung(box)].mean()) < _CLEAR_HU:
            break
    return place


def _site(scene: Scene, rng: np.random.Generator, pattern: str) -> Place | None:
    """Peripheral ones lie low and at the back, central ones around the hila and higher."""

    def low_and_behind(at: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        weight: Float[np.ndarray, " n"] = np.exp(np.clip(at[:, 1], -60, 60) / 40 - np.clip(at[:, 0], -150, 60) / 90)
        return weight

    def high(at: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        weight: Float[np.ndarray, " n"] = np.exp(np.clip(at[:, 0], -120, 80) / 60)
        return weight

    if pattern == "peripheral":
        return anywhere(scene, rng, depth_mm=(3.0, 16.0), prefer=low_and_behind)
    if pattern == "central":
        return anywhere(scene, rng, depth_mm=(22.0, inf), prefer=high)
    return anywhere(scene, rng)


def _patch(
    scene: Scene, rng: np.random.Generator, place: Place, millilitres: float, pattern: str, lobules: Lobules | None
) -> tuple[Box, Float32[np.ndarray, "d h w"]]:
    """Box and alpha of one irregular patch in the lung of a place; lobules: whose walls bound it."""
    radius = (750 * millilitres / np.pi) ** (1 / 3)
    reach = 2.1 * radius + 6
    box = scene.grid.around(place.point_mm, reach)
    assert box is not None, "a place lies on the grid"
    grid = crop(scene.grid, box)
    lobes = scene.lobes[box]
    allowed = (lobes > 0) & (lobes <= 3) if place.lobe.startswith("right") else lobes > 3
    z, y, x = local_mm(scene.grid, box, place.point_mm)
    axes = radius * rng.uniform(0.75, 1.35, 3).astype(np.float32)
    field = -np.sqrt((z / axes[0]) ** 2 + (y / axes[1]) ** 2 + (x / axes[2]) ** 2)
    for amount, share in ((0.32, 0.5), (0.2, 0.22)):
        field += np.float32(amount) * noise(grid.shape, grid.spacing_mm, max(3.5, share * radius), rng)
    field += np.float32(min(0.25, 1.3 / radius)) * noise(grid.shape, grid.spacing_mm, 2.5, rng)
    if pattern == "peripheral":
        field -= (scene.depth_mm()[box] / np.float32(1.3 * radius + 6)) ** 2
    soft = float(np.clip(8 / radius, 0.15, 0.6))
    if lobules is not None:
        field, soft = _by_lobule(scene, box, field, allowed, lobules), 0.2
    level = level_of(field, allowed, millilitres, grid)
    return box, np.where(allowed, ramp(field, level, soft), np.float32(0))


def _by_lobule(
    scene: Scene, box: Box, field: Float32[np.ndarray, "d h w"], allowed: Bool[np.ndarray, "d h w"], lobules: Lobules
) -> Float32[np.ndarray, "d h w"]:
    """The field's mean over each lobule, so that borders follow the walls of lobules: a geographic patch."""
    points = _points(scene, box, allowed)
    number = lobules.number(points)
    total = np.bincount(number, field[allowed], minlength=lobules.size)
    mean = total / np.maximum(np.bincount(number, minlength=lobules.size), 1)
    out = np.full(field.shape, field.min(), np.float32)
    out[allowed] = 0.85 * mean[number] + 0.15 * field[allowed]
    return out


def _pave(scene: Scene, rng: np.random.Generator, box: Box, alpha: Float32[np.ndarray, "d h w"]) -> None:
    """Thin lines of thickened septa inside the haze: crazy paving."""
    inside = alpha > 0.4
    away = Lobules(float(rng.uniform(7, 10)), rng).wall_mm(_points(scene, box, inside))
    line = np.zeros(alpha.shape, np.float32)
    line[inside] = np.clip(1.0 - away / np.float32(1.1), 0, 0.6)
    scene.blend(box, line * alpha, -250.0)


def _texture(scene: Scene, rng: np.random.Generator, box: Box) -> Float32[np.ndarray, "d h w"]:
    """Haze is never even: about .6 to 1.1 of its density."""
    grid = crop(scene.grid, box)
    coarse, fine = (noise(grid.shape, grid.spacing_mm, mm, rng) for mm in (9.0, 3.0))
    out: Float32[np.ndarray, "d h w"] = np.clip(np.float32(0.92) + np.float32(0.08) * (coarse + fine), 0.6, 1.1)
    return out


def _points(scene: Scene, box: Box, mask: Bool[np.ndarray, "d h w"]) -> Float32[np.ndarray, "n 3"]:
    """Physical (z, y, x) mm of the voxels of a mask in a box."""
    index = np.argwhere(mask) + np.array([part.start for part in box])
    return scene.grid.point(index).astype(np.float32)


def _held(mask: Bool[np.ndarray, "d h w"]) -> Box:
    """The smallest box around a mask."""
    spans = []
    for axes in ((1, 2), (0, 2), (0, 1)):
        at = np.flatnonzero(mask.any(axes))
        spans.append(slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 1))
    return spans[0], spans[1], spans[2]
