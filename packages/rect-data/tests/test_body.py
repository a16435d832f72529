"""What the outer body is made of, and where its bones, gas and couch lie."""

import numpy as np
import pytest

from rect_data.phantom.anatomy import abdomen, body, bones, table, thorax
from rect_data.phantom.anatomy.ribs import rib_z
from rect_data.phantom.anatomy.thorax import cavity
from rect_data.phantom.anatomy.wall import Lattice, oval
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.field import field_of_view
from rect_data.phantom.parts import Part
from rect_data.phantom.patient import patient_of
from rect_data.phantom.plan import study
from rect_data.phantom.pose import Pose
from rect_data.phantom.scene import Scene
from rect_data.phantom.traits import Traits

_CONFIG = PhantomConfig(spacing_mm=(3.0, 1.5, 1.5))
_CASE = 8


def _empty(case: int) -> Scene:
    patient, rng = patient_of(_CONFIG, study(case)), np.random.default_rng(case)
    pose, traits = Pose.of(patient, rng), Traits.of(patient, (), rng)
    return Scene.empty(field_of_view(_CONFIG, pose, rng), patient, (), pose, traits)


def _outer(case: int) -> Scene:
    scene = _empty(case)
    for part in (body, abdomen, bones, table):
        part.draw(scene, np.random.default_rng(case))
    return scene


@pytest.fixture(scope="module")
def outer() -> Scene:
    """A body with bones, abdomen and couch, but nothing inside the rib cage."""
    return _outer(_CASE)


def _share(mask: np.ndarray, of: np.ndarray) -> float:
    return float((mask & of).sum() / of.sum())


def test_the_same_stream_draws_the_same_body(outer: Scene) -> None:
    again = _outer(_CASE)
    assert np.array_equal(again.hu, outer.hu)
    assert np.array_equal(again.parts, outer.parts)


def test_bones_lie_outside_the_rib_cage(outer: Scene) -> None:
    inside = cavity(outer.z, outer.y, outer.x) < -1
    for part in (Part.RIB, Part.STERNUM, Part.SHOULDER):
        assert _share(inside, outer.parts == part) < 0.01, part


def test_lungs_take_next_to_nothing_from_the_bones(outer: Scene) -> None:
    before = np.isin(outer.parts, (Part.RIB, Part.STERNUM, Part.SPINE, Part.SHOULDER))
    kept = outer.hu.copy(), outer.parts.copy(), outer.lobes.copy()
    thorax.draw(outer, np.random.default_rng(0))
    lung = outer.lung()
    outer.hu[:], outer.parts[:], outer.lobes[:] = kept
    assert _share(lung, before) < 0.02


def test_every_side_has_twelve_ribs(outer: Scene) -> None:
    """Down the back of each side, along a line that ribs 1 to 12 cross."""
    from scipy import ndimage

    angle = np.degrees(np.arctan2(np.abs(outer.x), 10 - outer.y))
    line = (outer.parts == Part.RIB) & (angle > 150) & (angle < 156)
    for side in (outer.x < 0, outer.x > 0):
        _, count = ndimage.label(line & side, np.ones((3, 3, 3)))
        assert count == 12


def test_ribs_fall_toward_the_front_and_keep_their_order() -> None:
    z = rib_z(np.arange(30.0, 161.0, 5.0))
    back, side = z[:, -1], rib_z(np.array([90.0]))[:, 0]
    assert (back[:11] - side[:11] > 10).all()
    assert (np.diff(z[:10], axis=0) < 0).all()


@pytest.mark.parametrize(
    ("part", "low", "high"),
    [
        (Part.FAT, -120, -85),
        (Part.MUSCLE, 35, 65),
        (Part.RIB, 90, 650),
        (Part.SPINE, 30, 500),
        (Part.LIVER, 5, 160),
        (Part.SPLEEN, 30, 200),
    ],
)
def test_tissue_has_its_median_hu(outer: Scene, part: Part, low: float, high: float) -> None:
    assert low < float(np.median(outer.hu[outer.parts == part])) < high


def test_gas_of_the_abdomen_lies_before_what_it_floats_on(outer: Scene) -> None:
    stomach = outer.parts == Part.STOMACH
    gas = stomach & (outer.hu < -900)
    y = outer.grid.axes_mm[1] + np.zeros(outer.grid.shape, np.float32)
    assert set(np.unique(outer.parts[(outer.hu < -900) & (outer.parts != Part.OUTSIDE)])) <= {
        Part.STOMACH,
        Part.ABDOMEN,
        Part.TABLE,
    }
    assert gas.any()
    assert float(y[gas].mean()) < float(y[stomach & ~gas].mean())


def test_the_couch_lies_behind_the_body_and_never_on_it() -> None:
    scene = _empty(_CASE)
    body.draw(scene, np.random.default_rng(0))
    own = scene.parts > 0
    hu = scene.hu.copy()
    table._couch(scene, 0.0, 500.0, (10.0, 2.0))
    couch = scene.parts == Part.TABLE
    assert couch.any()
    assert not (couch & own).any()
    assert np.array_equal(scene.hu[own], hu[own])


@pytest.mark.parametrize("case", range(0, 40, 4))
def test_the_field_of_view_holds_the_lungs(case: int) -> None:
    grid, pose = (scene := _empty(case)).grid, scene.pose
    sides = pose.physical(np.array([[-70.0, 10.0, x] for x in (-137.0, 137.0)]))[:, 2]
    assert grid.low_mm[2] + 5 < sides[0] < sides[1] < grid.high_mm[2] - 5


def test_a_lattice_gives_back_a_smooth_field() -> None:
    scene = _empty(_CASE)
    lattice = Lattice.of(scene)
    z, _, x = lattice.pick(scene)
    slab = slice(scene.grid.shape[0] - 5, scene.grid.shape[0])
    assert np.abs(lattice.fill(z, slab) - scene.z[slab]).max() < 0.2
    assert np.abs(lattice.fill(x, slab) - scene.x[slab]).max() < 0.2


def test_an_oval_has_the_radii_of_its_half_axes() -> None:
    radii = oval(np.array([10.0]), np.array([30.0]), np.array([50.0]))[0]
    assert radii[[0, 36, 72]] == pytest.approx([30.0, 50.0, 30.0])
