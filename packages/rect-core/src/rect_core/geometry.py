"""Axes and affines: which way an array is stored, and how to turn it without resampling.

An orientation is a tuple of (world axis, sign), one pair an array axis: world axis 0 is left-right with + = Right, 1 is
back-front with + = Anterior, 2 is feet-head with + = Superior (RAS+, the NIfTI convention).
"""

import numpy as np
from jaxtyping import Float, Real, Shaped

Orientation = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

HOUSE: Orientation = ((2, 1), (1, -1), (0, -1))
"""(d, h, w) with increasing index toward Superior, Posterior, Left."""

_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))


def orientation(affine: Float[np.ndarray, "4 4"]) -> Orientation:
    """The world axis nearest to each array axis and its sign, the clearest first, as nibabel does."""
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(columns)
    rotation = left @ right
    free, found = np.abs(rotation), {}
    for axis in np.argsort(-free.max(axis=0)):
        world = int(free[:, axis].argmax())
        free[world] = 0
        found[int(axis)] = (world, 1 if rotation[world, axis] > 0 else -1)
    return found[0], found[1], found[2]


def axes_code(found: Orientation) -> str:
    """An orientation as letters, such as "RAS"; each letter is where increasing index leads."""
    return "".join(_LETTERS[world][(sign + 1) // 2] for world, sign in found)


def parse_axes(code: str) -> Orientation:
    """The orientation of a code such as "LPS"; anything else raises ValueError."""
    pairs = {letters[i]: (world, 2 * i - 1) for world, letters in enumerate(_LETTERS) for i in (0, 1)}
    found = [pairs[letter] for letter in code.upper() if letter in pairs]
    if len(code) != 3 or sorted(world for world, _ in found) != [0, 1, 2]:
        raise ValueError(
            f"axes {code!r} is not an orientation code: give one of each pair R/L, A/P, S/I, such as 'RAS'"
        )
    return found[0], found[1], found[2]


def turn(array: Shaped[np.ndarray, "i j k"], source: Orientation, target: Orientation) -> Shaped[np.ndarray, "x y z"]:
    """A view of an array stored as `source` in the axes of `target`: permuted and flipped, never resampled."""
    order, signs = _plan(source, target)
    return np.transpose(array, order)[tuple(slice(None, None, sign) for sign in signs)]


def turn_affine(
    affine: Float[np.ndarray, "4 4"], shape: tuple[int, int, int], target: Orientation
) -> Float[np.ndarray, "4 4"]:
    """The affine of `turn(array, orientation(affine), target)` for an array of this shape."""
    order, signs = _plan(orientation(affine), target)
    step = np.zeros((4, 4))
    step[3, 3] = 1.0
    for new, (old, sign) in enumerate(zip(order, signs, strict=True)):
        step[old, new] = sign
        step[old, 3] = 0 if sign > 0 else shape[old] - 1
    return affine @ step


def apply_affine(affine: Float[np.ndarray, "4 4"], points: Real[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Points through an affine."""
    return np.asarray(points @ affine[:3, :3].T + affine[:3, 3], np.float64)


def _plan(source: Orientation, target: Orientation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    worlds = [world for world, _ in source]
    order = tuple(worlds.index(world) for world, _ in target)
    signs = tuple(source[old][1] * target[new][1] for new, old in enumerate(order))
    return order, signs
