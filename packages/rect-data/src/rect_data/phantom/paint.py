"""Drawing with partial volumes: signed distances, tubes, thin threads, textures, and distances inside a mask."""

from itertools import pairwise
from typing import Any

import numpy as np
from einops import reduce, repeat
from jaxtyping import Bool, Float, Float32, Int

from rect_data.phantom.grid import Box, Grid, Point
from rect_data.phantom.scene import Scene, Tube


def coverage(distance_mm: Float32[np.ndarray, "..."], width_mm: float) -> Float32[np.ndarray, "..."]:
    """Share of a voxel inside a surface, from the signed distance of its centre (negative inside); width_mm: of the
    voxel, or of the blur that the surface should have."""
    return np.clip(0.5 - distance_mm / np.float32(width_mm), 0, 1).astype(np.float32, copy=False)


def local_mm(grid: Grid, box: Box, centre_mm: Point) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(z, y, x) mm of the voxels of a box relative to a point, as broadcastable float32 arrays."""
    z, y, x = grid.axes_mm
    cz, cy, cx = (np.float32(c) for c in centre_mm)
    return z[box[0]] - cz, y[:, box[1]] - cy, x[:, :, box[2]] - cx


def ellipsoid(grid: Grid, centre_mm: Point, radii_mm: Point, reach_mm: float = 3.0) -> tuple[Box, np.ndarray] | None:
    """Box around an ellipsoid and the approximate signed distance to it in mm; None outside the grid."""
    reach = tuple(r + reach_mm for r in radii_mm)
    box = grid.around(centre_mm, (reach[0], reach[1], reach[2]))
    if box is None:
        return None
    z, y, x = local_mm(grid, box, centre_mm)
    rz, ry, rx = (np.float32(r) for r in radii_mm)
    norm = np.sqrt((z / rz) ** 2 + (y / ry) ** 2 + (x / rx) ** 2)
    slope = np.sqrt((z / rz**2) ** 2 + (y / ry**2) ** 2 + (x / rx**2) ** 2) / np.maximum(norm, 1e-3)
    return box, ((norm - 1) / np.maximum(slope, 1 / max(radii_mm))).astype(np.float32)


def tube_distance(grid: Grid, tube: Tube, reach_mm: float = 3.0) -> tuple[Box, np.ndarray] | None:
    """Box around a tube and the signed distance to its surface in mm (rounded cones between its points); voxels farther
    than reach_mm outside hold at least that. None outside the grid."""
    margin = tube.radii.max() + reach_mm
    low, high = tube.points.min(0) - margin, tube.points.max(0) + margin
    box = grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    if box is None:
        return None
    out = np.full(tuple(s.stop - s.start for s in box), np.float32(reach_mm))
    for (a, b), (ra, rb) in zip(_pairs(tube.points), _pairs(tube.radii), strict=True):
        reach = max(ra, rb) + reach_mm
        low, high = np.minimum(a, b) - reach, np.maximum(a, b) + reach
        inner = grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        if inner is None:
            continue
        z, y, x = local_mm(grid, inner, (a[0], a[1], a[2]))
        along = (b - a).astype(np.float32)
        t = (z * along[0] + y * along[1] + x * along[2]) / np.float32(max(along @ along, 1e-6))
        np.clip(t, 0, 1, out=t)
        distance = np.sqrt((z - t * along[0]) ** 2 + (y - t * along[1]) ** 2 + (x - t * along[2]) ** 2)
        distance -= np.float32(ra) + t * np.float32(rb - ra)
        place = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, box, strict=True))
        np.minimum(out[place], distance, out=out[place])
    return box, out


def stroke(scene: Scene, tube: Tube, hu: float, part: object = None, width_mm: float = 1.5) -> None:
    """Paints a tube thicker than a voxel."""
    found = tube_distance(scene.grid, tube)
    if found is not None:
        scene.blend(found[0], coverage(found[1], width_mm), hu, part)  # type: ignore[arg-type]


def pieces(tubes: list[Tube]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The straight pieces of tubes: starts [n 3], ends [n 3] and the radii at both [n 2]."""
    if not tubes:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 2))
    starts, ends = (np.concatenate([t.points[cut] for t in tubes]) for cut in (slice(None, -1), slice(1, None)))
    radii = [np.concatenate([t.radii[cut] for t in tubes]) for cut in (slice(None, -1), slice(1, None))]
    return starts, ends, np.stack(radii, 1)


def threads(grid: Grid, tubes: list[Tube], step_mm: float = 0.7) -> Float32[np.ndarray, "d h w"]:
    """Share of each voxel that thin tubes fill: their cross-sections spread over the eight voxels around each point of
    their centrelines. Exact in volume for tubes thinner than a voxel, where signed distances are not."""
    return strands(grid, *pieces(tubes), step_mm)


def strands(
    grid: Grid,
    starts_mm: Float[np.ndarray, "n 3"],
    ends_mm: Float[np.ndarray, "n 3"],
    radii_mm: Float[np.ndarray, "n 2"],
    step_mm: float = 0.7,
) -> Float32[np.ndarray, "d h w"]:
    """As `threads`, for straight pieces with a radius at either end."""
    points, radius, step = _along(starts_mm, ends_mm, radii_mm, step_mm)
    return splat(grid, points, np.pi * radius**2 * step / float(np.prod(grid.spacing_mm)))


def beads(
    grid: Grid,
    starts_mm: Float[np.ndarray, "n 3"],
    ends_mm: Float[np.ndarray, "n 3"],
    radii_mm: Float[np.ndarray, "n 2"],
    reach_mm: float = 1.0,
) -> tuple[Int[np.ndarray, " m"], Float32[np.ndarray, " m"]]:
    """Voxels (their places in the flattened grid) within reach_mm of straight pieces, and their signed distances in mm:
    as `tube_distance`, but for hundreds of tubes at once. Each voxel comes once."""
    points, radius, _ = _along(starts_mm, ends_mm, radii_mm, 0.6 * min(grid.spacing_mm))
    field = np.full(int(np.prod(grid.shape)), np.float32(reach_mm))
    at = grid.index(points)
    size = np.ceil((radius + reach_mm) / min(grid.spacing_mm)).astype(np.int64)
    for widest in np.unique(size):
        flat, distance = _balls(grid, at[size == widest], radius[size == widest], reach_mm)
        np.minimum.at(field, flat, distance)
    near = np.flatnonzero(field < reach_mm)
    return near, field[near]


def _balls(
    grid: Grid, at: Float[np.ndarray, "n 3"], radius: Float[np.ndarray, " n"], reach_mm: float
) -> tuple[Int[np.ndarray, " m"], Float32[np.ndarray, " m"]]:
    """Voxels near balls at fractional indices and the signed distances to their surfaces, with repeats."""
    first, squares = np.rint(at).astype(np.int64), []
    place: np.ndarray = np.zeros((len(at), 1), np.int64)
    good: np.ndarray = np.ones((len(at), 1), np.bool_)
    for axis, (n, spacing) in enumerate(zip(grid.shape, grid.spacing_mm, strict=True)):
        half = int(np.ceil((radius.max() + reach_mm) / spacing))
        index = first[:, axis, None] + np.arange(-half, half + 1)
        squares.append((((index - at[:, axis, None]) * spacing) ** 2).astype(np.float32))
        place = (place[:, :, None] * n + index[:, None]).reshape(len(at), -1)
        good = (good[:, :, None] & ((index >= 0) & (index < n))[:, None]).reshape(len(at), -1)
    z, y, x = squares
    distance = np.sqrt((z[:, :, None, None] + y[:, None, :, None]) + x[:, None, None, :]).reshape(len(at), -1)
    distance -= radius[:, None].astype(np.float32)
    good &= distance < reach_mm
    return place[good], distance[good]


def _along(
    starts: Float[np.ndarray, "n 3"], ends: Float[np.ndarray, "n 3"], radii: Float[np.ndarray, "n 2"], step_mm: float
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Points along pieces, the radius at each and the length that each stands for."""
    along = ends - starts
    length = np.sqrt((along**2).sum(1))
    count = np.maximum(1, np.ceil(length / step_mm)).astype(np.int64)
    piece = np.repeat(np.arange(len(count)), count)
    t = (np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[piece]
    radius = radii[piece, 0] + t * (radii[:, 1] - radii[:, 0])[piece]
    return starts[piece] + t[:, None] * along[piece], radius, (length / count)[piece]


def splat(grid: Grid, points_mm: Float[np.ndarray, "n 3"], weights: Float[np.ndarray, " n"]) -> np.ndarray:
    """Adds each weight to the eight voxels around its point, trilinearly; [d h w], at most 1."""
    at = grid.index(points_mm)
    inside = ((at >= 0) & (at < np.array(grid.shape) - 1)).all(1)
    at, weights = at[inside], weights[inside].astype(np.float32)
    first = at.astype(np.int64)
    rest = (at - first).astype(np.float32)
    _, h, w = grid.shape
    flat = (first[:, 0] * h + first[:, 1]) * w + first[:, 2]
    out = np.zeros(int(np.prod(grid.shape)), np.float32)
    for i, j, k in np.ndindex(2, 2, 2):
        share = weights * np.abs(1 - i - rest[:, 0]) * np.abs(1 - j - rest[:, 1]) * np.abs(1 - k - rest[:, 2])
        np.add.at(out, flat + ((i * h + j) * w + k), share)
    return np.minimum(out, 1, out=out).reshape(grid.shape)


def noise(
    shape: tuple[int, int, int], spacing_mm: Point, correlation_mm: float, rng: np.random.Generator
) -> Float32[np.ndarray, "d h w"]:
    """Smooth noise of mean 0 and standard deviation 1, drawn on a lattice no finer than it needs to be."""
    from scipy import ndimage

    steps = [max(1, int(correlation_mm / s / 1.2)) for s in spacing_mm]
    lattice = tuple(n // f + 3 for n, f in zip(shape, steps, strict=True))
    out = rng.standard_normal(lattice, dtype=np.float32)
    out = ndimage.gaussian_filter(
        out, [correlation_mm / s / f for s, f in zip(spacing_mm, steps, strict=True)], mode="wrap"
    )
    out /= max(float(out.std()), 1e-6)
    for axis, (n, f) in enumerate(zip(shape, steps, strict=True)):
        out = _stretch(out, axis, n, f)
    return out


def _stretch(values: Float32[np.ndarray, "d h w"], axis: int, size: int, factor: int) -> Float32[np.ndarray, "a b c"]:
    """Linear interpolation along one axis of a lattice."""
    if factor == 1:
        return np.take(values, np.arange(size), axis=axis)
    at = np.arange(size) / factor
    first = at.astype(np.int64)
    shape = [1, 1, 1]
    shape[axis] = size
    rest = (at - first).astype(np.float32).reshape(shape)
    low, high = np.take(values, first, axis=axis), np.take(values, first + 1, axis=axis)
    low += rest * (high - low)
    return low


def upsample(half: Float32[np.ndarray, "d a b"], shape: tuple[int, int, int]) -> Float32[np.ndarray, "d h w"]:
    """A smooth field known at every second voxel in the plane (the even ones) on all voxels."""
    _, h, w = shape
    rows = np.empty((half.shape[0], h, half.shape[2]), np.float32)
    rows[:, ::2] = half
    rows[:, 1::2] = half[:, : h // 2]
    last = (h - 1) // 2
    rows[:, 1 : 2 * last : 2] += half[:, 1 : last + 1]
    rows[:, 1 : 2 * last : 2] *= np.float32(0.5)
    out = np.empty((half.shape[0], h, w), np.float32)
    out[:, :, ::2] = rows
    out[:, :, 1::2] = rows[:, :, : w // 2]
    last = (w - 1) // 2
    out[:, :, 1 : 2 * last : 2] += rows[:, :, 1 : last + 1]
    out[:, :, 1 : 2 * last : 2] *= np.float32(0.5)
    return out


def depth_of(mask: Bool[np.ndarray, "d h w"], grid: Grid) -> Float32[np.ndarray, "d h w"]:
    """Distance in mm from the outside of a mask, on blocks of two by two voxels in the plane."""
    from scipy import ndimage

    _, h, w = mask.shape
    padded = np.pad(mask, ((0, 0), (0, h % 2), (0, w % 2)))
    blocks = reduce(padded, "d (h a) (w b) -> d h w", "min", a=2, b=2)
    sz, sy, sx = grid.spacing_mm
    out = np.zeros(blocks.shape, np.float32)
    where = ndimage.find_objects(blocks.astype(np.uint8))
    if where:
        box = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in where[0])
        out[box] = ndimage.distance_transform_edt(blocks[box], sampling=(sz, 2 * sy, 2 * sx))
    fine = repeat(out, "d h w -> d (h a) (w b)", a=2, b=2)[:, :h, :w]
    return np.where(mask, np.maximum(fine, np.float32(0.75)), np.float32(0))


def _pairs(values: np.ndarray) -> list[tuple[Any, Any]]:
    return list(pairwise(values))
