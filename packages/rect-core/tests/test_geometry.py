"""Our axes and affines are nibabel's: on all 48 orientations and on random oblique grids."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nibabel.orientations import inv_ornt_aff, io_orientation, ornt_transform
from nibabel.quaternions import angle_axis2quat, quat2mat

from rect_core.geometry import HOUSE, apply_affine, axes_code, orientation, parse_axes, turn, turn_affine
from rect_core.volume import StoredGrid, Volume

PAIRS = ("RL", "AP", "SI")
CODES = ["".join(code) for order in permutations(PAIRS) for code in product(*order)]
some = settings(deadline=None)  # time says nothing on a shared machine
SHAPE = (4, 5, 6)


def affine_of(code: str, spacing: tuple[float, float, float] = (0.7, 0.8, 5.0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(parse_axes(code)):
        affine[world, axis] = sign * spacing[axis]
    affine[:3, 3] = (-100.0, 50.0, 20.0)
    return affine


@st.composite
def oblique_affines(draw: st.DrawFn) -> np.ndarray:
    """Any of the 48 orientations with voxels of 0.3 to 10 mm, turned about any axis by any angle."""
    affine = affine_of(draw(st.sampled_from(CODES)), draw(st.tuples(*[st.floats(0.3, 10)] * 3)))
    about = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 3)))
    assume(np.linalg.norm(about) > 0.1)
    turned = quat2mat(angle_axis2quat(draw(st.floats(0, 3.14)), about))
    affine[:3, :3] = turned @ affine[:3, :3]
    return affine


def is_clear(affine: np.ndarray) -> bool:
    """Whether the grid keeps its orientation when turned by 0.06 degrees: an axis halfway between two has no name."""
    turns = [quat2mat(angle_axis2quat(angle, about)) for about in np.eye(3) for angle in (-1e-3, 1e-3)]
    turned = [np.block([[turn @ affine[:3, :3], np.zeros((3, 1))], [affine[3:]]]) for turn in turns]
    return all(orientation(other) == orientation(affine) for other in turned)


def nibabel_orientation(affine: np.ndarray) -> tuple[tuple[int, int], ...]:
    return tuple((int(world), int(sign)) for world, sign in io_orientation(affine))


def test_there_are_48_orientations() -> None:
    assert len(set(CODES)) == 48


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_what_nibabel_calls_it(code: str) -> None:
    affine = affine_of(code)
    assert "".join(nib.aff2axcodes(affine)) == code == axes_code(orientation(affine))
    assert orientation(affine) == parse_axes(code) == parse_axes(code.lower())


@some
@given(oblique_affines())
def test_an_oblique_grid_has_nibabels_orientation(affine: np.ndarray) -> None:
    assert orientation(affine) == nibabel_orientation(affine)


@pytest.mark.parametrize("code", CODES)
def test_turning_is_nibabels_reorientation_there_and_back(code: str) -> None:
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    affine = affine_of(code)
    image = nib.Nifti1Image(array.astype(np.int32), affine)
    target = nib.orientations.axcodes2ornt(("S", "P", "L"))
    theirs = image.as_reoriented(ornt_transform(io_orientation(affine), target))
    ours = turn(array, orientation(affine), HOUSE)
    assert np.array_equal(ours, np.asanyarray(theirs.dataobj))
    assert np.allclose(turn_affine(affine, SHAPE, HOUSE), theirs.affine)
    assert np.array_equal(turn(ours, HOUSE, orientation(affine)), array)
    assert ours.base is not None  # a view: nothing was copied


@some
@given(oblique_affines(), st.tuples(*[st.integers(1, 9)] * 3))
def test_the_turned_affine_is_nibabels(affine: np.ndarray, shape: tuple[int, int, int]) -> None:
    target = nib.orientations.axcodes2ornt(("S", "P", "L"))
    expected = affine @ inv_ornt_aff(ornt_transform(io_orientation(affine), target), shape)
    assert np.allclose(turn_affine(affine, shape, HOUSE), expected, atol=1e-9)


@some
@given(oblique_affines(), st.data())
def test_every_voxel_keeps_its_place_and_value(affine: np.ndarray, data: st.DataObject) -> None:
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    grid = StoredGrid(shape=SHAPE, affine=affine)
    house = grid.to_house(array)
    index = tuple(data.draw(st.integers(0, n - 1)) for n in house.shape)
    value = house[index]
    stored_index = np.argwhere(array == value).astype(float)
    assert np.allclose(
        apply_affine(grid.house_affine, np.array([index], float)), apply_affine(affine, stored_index), atol=1e-6
    )
    assert grid.house_shape == house.shape
    assert np.array_equal(grid.to_stored(house), array)


@some
@given(oblique_affines())
def test_the_house_grid_is_superior_posterior_left(affine: np.ndarray) -> None:
    assume(is_clear(affine))
    assert nib.aff2axcodes(StoredGrid(shape=SHAPE, affine=affine).house_affine) == ("S", "P", "L")


@pytest.mark.parametrize("code", ["", "RA", "RASS", "RAR", "RRS", "XAS", "R-S", "RA S"])
def test_what_is_no_orientation_code_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match=r"is not an orientation code: give one of each pair R/L, A/P, S/I"):
        parse_axes(code)


def test_grids_are_the_same_when_their_corners_are() -> None:
    grid = StoredGrid(shape=SHAPE, affine=affine_of("LPS"))
    near, far = affine_of("LPS"), affine_of("LPS")
    near[0, 3] += 0.05
    far[0, 0] *= 1.2
    assert grid.same_as(StoredGrid(shape=SHAPE, affine=near))
    assert not grid.same_as(StoredGrid(shape=SHAPE, affine=far))
    assert not grid.same_as(StoredGrid(shape=SHAPE, affine=affine_of("RPS")))
    assert not grid.same_as(StoredGrid(shape=(4, 5, 7), affine=affine_of("LPS")))


def test_a_volume_must_lie_where_its_stored_grid_lies() -> None:
    """A mirrored affine would put every finding of the right lung into the left one."""
    grid = StoredGrid(shape=(4, 5, 6), affine=np.diag([-0.7, -0.7, 2.0, 1.0]))
    hu = np.zeros(grid.house_shape, np.int16)
    Volume(hu=hu, affine=grid.house_affine, stored=grid, case_id="a")
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0]) @ grid.house_affine
    with pytest.raises(ValueError, match="another affine than its stored grid"):
        Volume(hu=hu, affine=mirrored, stored=grid, case_id="a")


def test_points_go_through_an_affine() -> None:
    points = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    assert np.allclose(apply_affine(affine_of("RAS"), points), [[-100.0, 50.0, 20.0], [-99.3, 51.6, 35.0]])
