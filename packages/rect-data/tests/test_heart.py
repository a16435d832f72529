"""Heart, great vessels, pericardial fluid and calcium, on chests of lungs and mediastinum alone."""

from functools import cache

import numpy as np
import pytest

from rect_data.phantom.anatomy import great_vessels, heart, mediastinum, thorax
from rect_data.phantom.anatomy.heart_shape import Heart
from rect_data.phantom.anatomy.heart_width import heart_mm, ratio_of, thorax_mm
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.findings import calcification, heart_size, pericardium
from rect_data.phantom.grid import Grid
from rect_data.phantom.parts import Part
from rect_data.phantom.patient import patient_of
from rect_data.phantom.plan import study
from rect_data.phantom.pose import Pose
from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream
from rect_data.phantom.traits import Traits

ARTERIAL, CORONARY = "Arterial wall calcification", "Coronary artery wall calcification"
GRID = Grid(shape=(76, 130, 160), spacing_mm=(4.0, 2.5, 2.5), origin_mm=(-180.0, -160.0, -199.0))


@cache
def chest(seed: int, labels: tuple[str, ...] = ()) -> Scene:
    """Lungs, mediastinum, heart and vessels of a patient. Shared by tests: do not draw on it."""
    return fresh_chest(seed, labels)


def fresh_chest(seed: int, labels: tuple[str, ...] = ()) -> Scene:
    patient = patient_of(PhantomConfig(seed=seed), study(0))
    pose = Pose.of(patient, stream(seed, "pose"))
    scene = Scene.empty(GRID, patient, labels, pose, Traits.of(patient, labels, stream(seed, "traits")))
    for part in (thorax, mediastinum, heart, great_vessels):
        part.draw(scene, stream(seed, part.__name__))
    return scene


def reference(scene: Scene, part: Part) -> np.ndarray:
    """Reference (z, y, x) of the voxels of a part."""
    inside = scene.parts == part
    return np.stack([scene.z[inside], scene.y[inside], scene.x[inside]], -1)


@pytest.mark.parametrize("seed", range(4))
def test_a_normal_heart_is_narrower_than_half_the_thorax(seed: int) -> None:
    scene = chest(seed)
    assert 0.36 < heart_mm(scene) / thorax_mm(scene) < 0.5
    assert scene.facts == [fact for fact in scene.facts if not fact.label]


@pytest.mark.parametrize("seed", range(4))
def test_an_enlarged_heart_is_wider_than_half_the_thorax_and_its_fact_says_how_wide(seed: int) -> None:
    scene = fresh_chest(seed, ("Cardiomegaly",))
    ratio = heart_mm(scene) / thorax_mm(scene)
    assert ratio > 0.51
    heart_size.draw(scene, stream(seed, "size"))
    assert scene.facts[-1].details == (f"cardiothoracic ratio {ratio:.2f}",)


def test_normal_and_enlarged_hearts_are_told_apart_by_their_ratio() -> None:
    assert max(ratio_of(factor) for factor in np.linspace(0.88, 1.06, 10)) < 0.485
    assert min(ratio_of(factor) for factor in np.linspace(1.2, 1.42, 10)) > 0.52


@pytest.mark.parametrize("seed", range(3))
def test_left_is_left(seed: int) -> None:
    scene = chest(seed)
    apex = reference(scene, Part.HEART)
    assert apex[:, 2].max() > -apex[:, 2].min() + 10
    aorta = scene.pose.canonical(scene.tubes["aorta"][0].points)
    below = aorta[(np.arange(len(aorta)) > len(aorta) // 2) & (aorta[:, 0] > -90) & (aorta[:, 0] < 0)]
    assert (below[:, 2] > 12).all()
    assert scene.pose.canonical(scene.landmarks["arch"][None])[0, 2] > 8
    assert (scene.pose.canonical(scene.tubes["svc"][0].points)[:, 2] < -15).all()
    assert scene.landmarks["right hilum"][2] < scene.landmarks["carina"][2] < scene.landmarks["left hilum"][2]


def test_aorta_and_pulmonary_trunk_have_normal_calibres() -> None:
    widths = [2 * chest(seed).tubes["aorta"][0].radii[5:9].max() for seed in range(4)]
    assert all(26 < width < 42 for width in widths)
    trunks = [2 * chest(seed).tubes["pulmonary artery"][0].radii.max() for seed in range(4)]
    assert all(20 < width < 34 for width in trunks)


def test_without_its_label_nothing_in_the_mediastinum_is_as_dense_as_calcium() -> None:
    scene = next(chest(seed) for seed in range(20) if not chest(seed).traits.contrast)
    inside = np.isin(scene.parts, (Part.AORTA, Part.HEART, Part.PERICARDIUM, Part.MEDIASTINUM))
    assert scene.hu[inside].max() < 130


def test_the_coronary_arteries_run_on_the_heart_in_its_fat() -> None:
    scene = chest(1)
    shape = Heart.of(scene)
    assert [tube.kind for tube in scene.tubes["coronary"]] == [
        "left anterior descending",
        "circumflex",
        "right coronary",
    ]
    for tube in scene.tubes["coronary"]:
        z, y, x = scene.pose.canonical(tube.points)[3:].T
        distance = shape.sac(z, y, x)
        assert distance.max() < 1.0
        assert distance.min() > -20


@pytest.mark.parametrize("seed", range(3))
def test_pericardial_fluid_is_one_layer_in_the_sac_around_the_heart(seed: int) -> None:
    from scipy import ndimage

    scene = fresh_chest(seed, ("Pericardial effusion",))
    before = int((scene.parts == Part.HEART).sum())
    pericardium.draw(scene, stream(seed, "fluid"))
    mask = scene.instances["pericardial_effusion"] > 0
    assert (scene.parts[mask] == Part.PERICARDIUM).all()
    assert ndimage.label(mask)[1] == 1
    assert int((scene.parts == Part.HEART).sum()) == before
    assert -5 < scene.hu[mask].mean() < 30
    near = ndimage.binary_dilation(scene.parts == Part.HEART, iterations=12)
    assert near[mask].all()
    assert scene.y[mask].mean() > scene.y[scene.parts == Part.HEART].mean()
    fact = scene.facts[-1]
    assert fact.label == "Pericardial effusion"
    assert fact.severity == ("mild" if fact.size_mm < 10 else "moderate" if fact.size_mm <= 20 else "severe")


@pytest.mark.parametrize("seed", range(3))
def test_arterial_calcium_lies_on_the_wall_of_the_aorta_or_its_branches(seed: int) -> None:
    scene = fresh_chest(seed, (ARTERIAL,))
    before = scene.hu.copy()
    calcification.draw(scene, stream(seed, "calcium"))
    at = np.argwhere(scene.hu - before > 100)
    assert len(at) > 0
    points = scene.grid.point(at)
    tubes = [*scene.tubes["aorta"], *scene.tubes["arch vessels"]]
    centres, radii = np.concatenate([tube.points for tube in tubes]), np.concatenate([tube.radii for tube in tubes])
    away = np.linalg.norm(points[:, None] - centres[None], axis=-1) - radii[None]
    assert np.abs(away).min(1).max() < 6.0
    assert [fact.label for fact in scene.facts if fact.label] == [ARTERIAL]
    assert scene.hu.max() <= 1200


@pytest.mark.parametrize("seed", range(3))
def test_coronary_calcium_lies_in_the_arteries_that_its_fact_names(seed: int) -> None:
    scene = fresh_chest(seed, (CORONARY,))
    before = scene.hu.copy()
    calcification.draw(scene, stream(seed, "calcium"))
    at = np.argwhere(scene.hu - before > 60)
    assert len(at) > 0
    fact = scene.facts[-1]
    named = np.concatenate([tube.points for tube in scene.tubes["coronary"] if tube.kind in fact.details])
    away = np.linalg.norm(scene.grid.point(at)[:, None] - named[None], axis=-1).min(1)
    assert away.max() < 8.0
    assert [fact.label for fact in scene.facts if fact.label] == [CORONARY]


def test_the_same_stream_draws_the_same_heart() -> None:
    np.testing.assert_array_equal(fresh_chest(1).hu, chest(1).hu)
