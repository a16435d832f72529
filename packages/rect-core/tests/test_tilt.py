"""Gantry tilt: a sheared grid is measured, straightened, and everything in it keeps its place in millimetres."""

import numpy as np
import pytest

from rect_core.geometry import apply_affine, axes_code, orientation, parse_axes, turn, turn_affine
from rect_core.tilt import shear_degrees, unshear

SHAPE = (40, 48, 24)
SPACING = (1.5, 1.5, 3.0)
BALL_MM = 12.0


def tilted(degrees: float, across: float = 0.0) -> np.ndarray:
    """RAS+ affine of a stack of 24 axial slices whose rows (and columns, `across`) drift from slice to slice."""
    affine = np.diag([*SPACING, 1.0])
    affine[1, 2] = SPACING[2] * np.tan(np.radians(degrees))
    affine[0, 2] = SPACING[2] * np.tan(np.radians(across))
    affine[:3, 3] = (-30.0, 15.0, -200.0)
    return affine


def ball(affine: np.ndarray, shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """A ball of 100 HU in -800 HU, drawn in millimetres, and its centre."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    centre = apply_affine(affine, np.array([[n * f for n, f in zip(shape, (0.4, 0.55, 0.6), strict=True)]]))
    apart = np.linalg.norm(apply_affine(affine, index.reshape(-1, 3).astype(float)) - centre, axis=1).reshape(shape)
    # A soft rim of one voxel: the centroid then does not depend on where voxel centres fall.
    return np.rint(-800 + 900 * np.clip((BALL_MM - apart) / 1.5 + 0.5, 0, 1)).astype(np.int16), centre[0]


def centroid(hu: np.ndarray, affine: np.ndarray) -> np.ndarray:
    weight = np.clip(hu.astype(float) + 800, 0, None)
    index = np.stack(np.meshgrid(*map(np.arange, hu.shape), indexing="ij"), -1)
    return apply_affine(affine, (index * weight[..., None]).sum(axis=(0, 1, 2))[None] / weight.sum())[0]


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SPL", "PIR"])
@pytest.mark.parametrize("degrees", [-20.0, 12.5, 25.0])
def test_a_ball_keeps_its_place_whatever_the_tilt_and_the_axes(degrees: float, axes: str) -> None:
    affine = tilted(degrees)
    hu, centre = ball(affine)
    stored = turn(hu, orientation(affine), parse_axes(axes))
    stored_affine = turn_affine(affine, SHAPE, parse_axes(axes))
    assert shear_degrees(stored_affine) == pytest.approx(abs(degrees), abs=1e-6)

    straight, grid = unshear(stored, stored_affine)

    assert shear_degrees(grid) == pytest.approx(0.0, abs=1e-6)
    assert axes_code(orientation(grid)) == axes
    assert straight.dtype == np.int16
    assert np.linalg.norm(centroid(straight, grid) - centre) < 0.1
    again = np.clip((straight.astype(float) + 800) / 900, 0, 1).sum() * abs(np.linalg.det(grid[:3, :3]))
    assert again == pytest.approx(4 / 3 * np.pi * BALL_MM**3, rel=0.03)


def test_slices_stay_in_their_planes_and_nothing_is_cut_off() -> None:
    affine = tilted(20.0)
    hu = np.random.default_rng(0).integers(-900, 200, SHAPE).astype(np.int16)
    straight, grid = unshear(hu, affine)
    drift = (SHAPE[2] - 1) * SPACING[2] * np.tan(np.radians(20.0)) / SPACING[1]
    assert straight.shape == (SHAPE[0], SHAPE[1] + int(np.ceil(drift)), SHAPE[2])
    assert np.allclose(np.linalg.norm(grid[:3, :3], axis=0), SPACING)
    # The first slice does not move, so its values stay exactly; the room made for the others is air.
    assert np.array_equal(straight[:, : SHAPE[1], 0], hu[:, :, 0])
    assert (straight[:, SHAPE[1] :, 0] == -1024).all()
    inside = straight.astype(float) + 1024
    assert np.allclose(inside.sum(axis=(0, 1)), (hu.astype(float) + 1024).sum(axis=(0, 1)), rtol=1e-3)


def test_a_grid_that_leans_both_ways_is_straightened_too() -> None:
    affine = tilted(15.0, across=-10.0)
    hu, centre = ball(affine)
    straight, grid = unshear(hu, affine)
    assert shear_degrees(affine) > 15.0
    assert shear_degrees(grid) == pytest.approx(0.0, abs=1e-6)
    assert np.linalg.norm(centroid(straight, grid) - centre) < 0.1


def test_a_grid_skewed_in_its_slices_as_well_becomes_orthogonal() -> None:
    affine = tilted(15.0, across=8.0)
    affine[0, 1] = 0.2
    hu, centre = ball(affine)
    straight, grid = unshear(hu, affine)
    cosines = grid[:3, :3] / np.linalg.norm(grid[:3, :3], axis=0)
    assert np.allclose(cosines.T @ cosines, np.eye(3), atol=1e-6)
    assert np.linalg.norm(centroid(straight, grid) - centre) < 0.2


def test_rotation_anisotropy_and_flips_are_not_tilt() -> None:
    a, b = np.radians(20.0), np.radians(-35.0)
    turned = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turned @ np.diag([0.6, -0.7, 7.0])
    assert shear_degrees(affine) == pytest.approx(0.0, abs=1e-6)


def test_padding_counts_as_air_and_float_stays_float() -> None:
    affine = tilted(10.0)
    hu = np.full(SHAPE, -3024, np.float32)
    straight, _ = unshear(hu, affine)
    assert straight.dtype == np.float32
    assert (straight == -1024).all()
