"""The lungs of phantoms: shape, lobes, airways, vessels and the findings of bronchi."""

from dataclasses import fields

import numpy as np
import pytest
from jaxtyping import Float

from rect_data.phantom import anatomy
from rect_data.phantom.anatomy import lungs, parenchyma, thorax
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.field import field_of_view
from rect_data.phantom.findings import bronchi
from rect_data.phantom.grid import Grid
from rect_data.phantom.paint import splat, upsample
from rect_data.phantom.parts import LOBES, Part
from rect_data.phantom.patient import Patient
from rect_data.phantom.pose import Pose
from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream
from rect_data.phantom.traits import Traits

SPACING = (4.0, 3.0, 3.0)


def empty(sex: str = "M", labels: tuple[str, ...] = (), seed: int = 3, **changes: object) -> Scene:
    """A scene of air for a patient of mean build at full inspiration."""
    patient = Patient(age=50, sex=sex, stature=1.0, build=0.4)
    pose = Pose.of(patient, stream(seed, "pose"))
    config = PhantomConfig(spacing_mm=(3, 1.5, 1.5))
    whole = field_of_view(config, pose, stream(seed, "field"))
    size = tuple(int(n * a / b) for n, a, b in zip(whole.shape, whole.spacing_mm, SPACING, strict=True))
    grid = Grid(shape=(size[0], size[1], size[2]), spacing_mm=SPACING, origin_mm=whole.origin_mm)
    drawn = Traits.of(patient, labels, stream(seed, "traits"))
    values = {f.name: getattr(drawn, f.name) for f in fields(Traits)}
    plain = {"inspiration": 0.95, "losing": "", "hyperinflation": 0.1, "azygos": False, "heart": 1.0, "contrast": 0.0}
    return Scene.empty(grid, patient, labels, pose, Traits(**{**values, **plain, **changes}))


def lobe_ml(scene: Scene) -> Float[np.ndarray, " 5"]:
    return np.bincount(scene.lobes.ravel(), minlength=6)[1:] * float(np.prod(scene.grid.spacing_mm)) / 1000


def lobe_height(scene: Scene, lobe: str) -> float:
    return float(np.nonzero(scene.lobes == LOBES.index(lobe) + 1)[0].mean())


@pytest.fixture(scope="module")
def chest() -> Scene:
    scene = empty()
    anatomy.draw(scene, 5)
    return scene


@pytest.fixture(scope="module")
def woman() -> Scene:
    scene = empty("F")
    anatomy.draw(scene, 5)
    return scene


def test_lobes_lie_on_their_sides_and_in_order_of_height(chest: Scene) -> None:
    for value, lobe in enumerate(LOBES, 1):
        part = Part.RIGHT_LUNG if lobe.startswith("right") else Part.LEFT_LUNG
        assert set(np.unique(chest.parts[chest.lobes == value])) == {part}
    heights = [lobe_height(chest, lobe) for lobe in LOBES]
    assert heights[0] > heights[1] > heights[2]
    assert heights[3] > heights[4]


def test_lung_voxels_are_those_that_have_a_lobe(chest: Scene) -> None:
    assert np.array_equal(chest.lobes > 0, chest.lung())


def test_lung_volumes_are_those_of_adults_at_full_inspiration(chest: Scene, woman: Scene) -> None:
    """Total lung capacity, less what lying down takes (Stocks and Quanjer 1995, doi:10.1183/09031936.95.08030492)."""
    man_ml, woman_ml = lobe_ml(chest), lobe_ml(woman)
    assert 3500 < man_ml.sum() < 7500
    assert 2500 < woman_ml.sum() < 5800
    assert man_ml.sum() > woman_ml.sum()
    for volumes in (man_ml, woman_ml):
        assert volumes[:3].sum() > volumes[3:].sum()
        assert volumes[1] == volumes.min()


def test_less_breath_leaves_smaller_denser_lungs() -> None:
    volumes, densities = [], []
    for inspiration in (1.0, 0.5):
        scene = empty(inspiration=inspiration)
        thorax.draw(scene, stream(1))
        parenchyma.draw(scene, stream(1))
        volumes.append(lobe_ml(scene).sum())
        densities.append(float(np.median(scene.hu[scene.lung()])))
    assert volumes[1] < 0.95 * volumes[0]
    assert densities[0] + 30 < densities[1] < -700


@pytest.mark.parametrize("lobe", LOBES)
def test_volume_loss_makes_its_lobe_smaller(lobe: str) -> None:
    whole, shrunk = empty(), empty(losing=lobe, loss=0.5)
    for scene in (whole, shrunk):
        thorax.draw(scene, stream(1))
    at = LOBES.index(lobe)
    assert lobe_ml(shrunk)[at] < 0.9 * lobe_ml(whole)[at]


def test_no_lung_lies_above_the_apices(chest: Scene) -> None:
    assert chest.z[chest.lung()].max() <= thorax.TOP_Z + 1


def test_the_back_of_the_lung_is_denser_than_the_front(chest: Scene) -> None:
    lung = chest.lung()
    front, back = (float(np.median(chest.hu[lung & part])) for part in (chest.y < -30, chest.y > 45))
    assert 10 < back - front < 90


def test_every_lobe_has_bronchi_arteries_and_veins(chest: Scene) -> None:
    for kind in ("airway", "artery", "vein"):
        branches = [tube.lobe for tube in chest.tubes[kind] if tube.order > 2]
        assert min(branches.count(lobe) for lobe in LOBES) >= 20


def test_there_are_ten_segments_on_the_right_and_eight_on_the_left(chest: Scene) -> None:
    names = [tube.kind for tube in chest.tubes["airway"] if tube.order == 3]
    assert sum(name.startswith("right") for name in names) == 10
    assert sum(name.startswith("left") for name in names) == 8


def test_airways_and_vessels_get_thinner_with_every_order(chest: Scene) -> None:
    for kind in ("airway", "artery", "vein"):
        by_order = [np.mean([t.radii[-1] for t in chest.tubes[kind] if t.order == order]) for order in range(3, 8)]
        assert by_order == sorted(by_order, reverse=True)
        assert all(tube.radii[-1] <= tube.radii[0] for tube in chest.tubes[kind])


def test_vessels_stay_in_the_lungs(chest: Scene) -> None:
    for kind in ("artery", "vein"):
        points = np.concatenate([tube.points for tube in chest.tubes[kind] if tube.order > 4])
        index = np.rint(chest.grid.index(points)).astype(int)
        assert (chest.lobes[tuple(index.T)] > 0).mean() > 0.95


def test_bronchi_of_the_young_are_narrower_than_the_arteries_beside_them() -> None:
    young = np.stack([lungs.bronchoarterial(25, stream(seed)) for seed in range(60)])
    assert 0.45 < young.min() <= young.max() < 1


def test_bronchi_exceed_their_arteries_mildly_in_two_of_five_people_over_65() -> None:
    """Matsuoka et al. 2003, doi:10.2214/ajr.180.2.1800513."""
    old = np.stack([lungs.bronchoarterial(66 + seed % 18, stream(seed)) for seed in range(300)])
    assert 0.3 < (old.mean(1) > 1).mean() < 0.5
    assert old.max() < 1.3


def test_each_bronchus_runs_beside_an_artery_of_about_its_size(chest: Scene) -> None:
    arteries = {tube.kind: tube for tube in chest.tubes["artery"]}
    ratios = [t.radii[-1] / arteries[t.kind].radii[-1] for t in chest.tubes["airway"] if t.order > 2]
    assert 0.45 < min(ratios) <= max(ratios) < 1.3


def test_the_trachea_is_air_as_wide_as_a_thumb(chest: Scene) -> None:
    at = chest.pose.physical(np.array([[60.0, 8.0, 0.5]]))
    d, h, w = np.rint(chest.grid.index(at)[0]).astype(int)
    assert chest.parts[d, h, w] == Part.AIRWAY
    assert chest.hu[d, h, w] < -900
    assert 12 < 2 * chest.tubes["airway"][0].radii.mean() < 25


def test_bronchiectasis_widens_bronchi_in_the_lobes_that_it_names() -> None:
    scene = empty(labels=("Bronchiectasis",))
    anatomy.draw(scene, 5)
    before = scene.hu.copy()
    bronchi.draw(scene, stream(2))
    arteries = {tube.kind: tube for tube in scene.tubes["artery"]}
    inside = [tube for tube in scene.tubes["airway"] if tube.order > 2]
    wide = [tube for tube in inside if tube.radii[-1] > 1.1 * arteries[tube.kind].radii[-1]]
    (fact,) = (fact for fact in scene.facts if fact.label)
    assert fact.label == "Bronchiectasis"
    assert wide
    assert {tube.lobe for tube in wide} >= set(fact.lobes)
    changed = scene.lobes[np.abs(scene.hu - before) > 100]
    assert {LOBES[value - 1] for value in np.unique(changed)} >= set(fact.lobes)


def test_peribronchial_thickening_leaves_the_lumens_as_they_are() -> None:
    scene = empty(labels=("Peribronchial thickening",))
    anatomy.draw(scene, 5)
    before, tubes = scene.hu.copy(), list(scene.tubes["airway"])
    bronchi.draw(scene, stream(2))
    assert scene.tubes["airway"] == tubes
    assert (scene.hu > before + 50).sum() > (scene.hu < before - 50).sum()
    assert [fact.label for fact in scene.facts if fact.label] == ["Peribronchial thickening"]


def test_bronchi_draws_nothing_without_its_labels(chest: Scene) -> None:
    before = chest.hu.copy()
    bronchi.draw(chest, stream(2))
    assert np.array_equal(before, chest.hu)
    assert not [fact for fact in chest.facts if fact.label]


def test_an_azygos_lobe_is_a_fact() -> None:
    scene = empty(azygos=True)
    thorax.draw(scene, stream(1))
    parenchyma.draw(scene, stream(1))
    assert [(fact.label, fact.kind, fact.side) for fact in scene.facts] == [("", "azygos lobe", "right")]


def test_splat_keeps_the_weight_of_points_inside_the_grid() -> None:
    grid = Grid(shape=(6, 7, 8), spacing_mm=(2.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0))
    out = splat(grid, np.array([[3.1, 2.2, 4.7], [50.0, 0.0, 0.0]]), np.array([0.5, 0.9]))
    assert float(out.sum()) == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("shape", [(2, 7, 9), (2, 8, 10)])
def test_upsampling_is_linear_between_known_voxels(shape: tuple[int, int, int]) -> None:
    y, x = np.arange(shape[1], dtype=np.float32)[:, None], np.arange(shape[2], dtype=np.float32)
    field = np.broadcast_to(2 * y + 3 * x, shape).astype(np.float32)
    out = upsample(field[:, ::2, ::2], shape)
    inner = (slice(None), slice(0, shape[1] - 1), slice(0, shape[2] - 1))
    assert np.allclose(out[inner], field[inner])


def test_the_same_case_is_drawn_the_same_way_twice(chest: Scene) -> None:
    again = empty()
    anatomy.draw(again, 5)
    assert np.array_equal(chest.hu, again.hu)
