"""What lies around the body: couch and mattress, a blanket and leads."""

import numpy as np

from rect_data.phantom.grid import Box
from rect_data.phantom.paint import coverage, tube_distance
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints air outside the body alone. The couch bends up at its sides, as the back does."""
    bend, mattress, shell = rng.uniform(420, 900), rng.uniform(6, 22), rng.uniform(1.5, 3.0)
    gap, blanket, leads = rng.uniform(2, 9), rng.random(), int(rng.integers(0, 4))
    back = _back_mm(scene)
    if back is not None:
        _couch(scene, back + gap, bend, (mattress, shell))
        _blanket(scene, blanket, rng)
        _leads(scene, leads, rng)


def _back_mm(scene: Scene) -> float | None:
    """Physical y of the lowest place of the body as it lies."""
    rows = np.flatnonzero((scene.parts[::4] > 0).any(axis=(0, 2)))
    return float(scene.grid.origin_mm[1] + rows[-1] * scene.grid.spacing_mm[1]) if len(rows) else None


def _free(scene: Scene, box: Box) -> np.ndarray:
    """Where nothing of the body is or touches."""
    from scipy import ndimage

    return np.asarray(~ndimage.binary_dilation(scene.parts[box] > 0, np.ones((1, 3, 3), bool), iterations=2))


def _couch(scene: Scene, top_mm: float, bend_mm: float, thick_mm: tuple[float, float]) -> None:
    """A mattress on a thin carbon shell around foam."""
    mattress, shell = thick_mm
    grid = scene.grid
    box = grid.box((grid.low_mm[0], top_mm - 40, grid.low_mm[2]), grid.high_mm)
    if box is None:
        return
    _, y, x = grid.axes_mm
    middle = np.float32(grid.low_mm[2] + grid.high_mm[2]) / 2
    rise = (x - middle) ** 2 / np.float32(2 * bend_mm)
    depth = (y[:, box[1]] - np.float32(top_mm) + np.maximum(rise - 2, 0) * np.float32(0.8))[0]
    beside = np.maximum(np.abs(x[0] - middle) - 215, 0)
    plate = np.abs(depth - np.float32(mattress + shell / 2)) - np.float32(shell / 2)
    foam = np.maximum(mattress + shell - depth, depth - (mattress + 60))
    cushion = np.maximum(-depth, depth - mattress)
    free = _free(scene, box)
    for distance, hu in ((cushion, -935.0), (foam, -955.0), (plate, -120.0)):
        alpha = coverage(np.maximum(distance, beside).astype(np.float32), 1.6)[None] * free
        scene.blend(box, alpha.astype(np.float32), hu, Part.TABLE)


def _blanket(scene: Scene, chance: float, rng: np.random.Generator) -> None:
    """A fold of cloth over the front, a few mm above the skin."""
    start, high, amplitude = rng.uniform(-200, -40), rng.uniform(5, 14), rng.uniform(1, 4)
    phase, wave = rng.uniform(0, 6), rng.uniform(25, 70)
    if chance > 0.35:
        return
    for index in np.flatnonzero(scene.grid.axes_mm[0].ravel() < start):
        _cloth(scene, int(index), high, amplitude, (phase, wave))


def _cloth(scene: Scene, index: int, high: float, amplitude: float, fold: tuple[float, float]) -> None:
    body = scene.parts[index] > 0
    x = scene.grid.axes_mm[2].ravel()
    columns = body.any(axis=0)
    if not columns.any():
        return
    sy = scene.grid.spacing_mm[1]
    top = np.where(columns, body.argmax(axis=0) * sy, np.nan)
    reach = np.flatnonzero(columns)[[0, -1]]
    top = np.interp(np.arange(len(x)), np.flatnonzero(columns), top[columns])
    drape = np.pad(np.minimum(top, top[columns].min() + 60), 10, mode="edge")
    line = np.convolve(drape, np.ones(21) / 21, mode="valid")
    line = line - high - amplitude * np.sin((x + index * 0.7) / fold[1] * 6.28 + fold[0])
    y = np.arange(body.shape[0])[:, None] * sy
    alpha = coverage((np.abs(y - line[None]) - 0.4).astype(np.float32), 1.6)
    alpha[:, : reach[0]] = alpha[:, reach[1] :] = 0
    alpha *= ~(body | np.roll(body, -1, axis=0) | np.roll(body, -2, axis=0))
    scene.blend((slice(index, index + 1), slice(None), slice(None)), alpha[None].astype(np.float32), -420.0, Part.TABLE)


def _leads(scene: Scene, count: int, rng: np.random.Generator) -> None:
    """Leads of an ECG in the air before the chest."""
    for _ in range(count):
        z, x, slope = rng.uniform(-60, 60), rng.uniform(-110, 110), rng.uniform(-1.2, 1.2)
        heights = z + np.arange(0.0, 160.0, 8.0)
        aside = x + slope * (heights - z) * 0.5 + 6 * np.sin(heights / 21)
        points = np.stack([heights, np.zeros_like(heights), aside], -1)
        lifted = _lift(scene, points, float(rng.uniform(5, 14)))
        if lifted is None:
            continue
        found = tube_distance(scene.grid, Tube(points=lifted, radii=np.full(len(lifted), 1.1), kind="lead"), 2.0)
        if found is not None:
            box, distance = found
            scene.blend(box, (coverage(distance, 1.5) * _free(scene, box)).astype(np.float32), 250.0, Part.TABLE)


def _lift(scene: Scene, points: np.ndarray, over_mm: float) -> np.ndarray | None:
    """The points, moved in y to before the skin; None where the line leaves the picture or the body."""
    index = np.rint(scene.grid.index(points)).astype(np.int64)
    inside = ((index >= 0) & (index < np.array(scene.grid.shape)))[:, [0, 2]].all(1)
    index, points = index[inside], points[inside].copy()
    columns = scene.parts[index[:, 0], :, index[:, 2]] > 0
    on = columns.any(axis=1)
    if on.sum() < 3:
        return None
    first = np.minimum.accumulate(columns[on].argmax(axis=1))
    points = points[on]
    points[:, 1] = scene.grid.origin_mm[1] + first * scene.grid.spacing_mm[1] - over_mm
    return points
