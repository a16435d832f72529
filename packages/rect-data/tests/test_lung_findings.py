"""Nodules, ground glass, consolidation and what looks like them, drawn into a plain pair of lungs."""

from copy import deepcopy

import numpy as np
import pytest
from scipy import ndimage

from rect_core.findings import LABELS
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.findings import consolidation, lookalikes, nodules, opacity
from rect_data.phantom.findings.place import anywhere, on_fissure, on_vessel, pleura_near
from rect_data.phantom.findings.shapes import Lump, feret_mm, sized
from rect_data.phantom.grid import Grid
from rect_data.phantom.paint import stroke
from rect_data.phantom.parts import LOBES, Part
from rect_data.phantom.patient import patient_of
from rect_data.phantom.plan import study
from rect_data.phantom.pose import Pose
from rect_data.phantom.scene import Scene, Tube
from rect_data.phantom.streams import stream
from rect_data.phantom.traits import Traits

ANYWHERE = (slice(None),) * 3
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def chest() -> Scene:
    """Two egg-shaped lungs with five lobes, a few vessels and bronchi."""
    config, who = PhantomConfig(), study(0)
    patient = patient_of(config, who)
    pose, traits = Pose.of(patient, stream(1, "pose")), Traits.of(patient, (), stream(1, "traits"))
    grid = Grid(shape=(56, 130, 150), spacing_mm=(3.0, 1.5, 1.5), origin_mm=(-84.0, -97.0, -112.0))
    scene = Scene.empty(grid, patient, LABELS, pose, traits)
    scene.hu[:] = 40
    z, y, x = grid.axes_mm
    lung = ((z / 75) ** 2 + (y / 85) ** 2 + ((np.abs(x) - 56) / 48) ** 2) < 1
    scene.hu[lung] = -860
    upper = np.broadcast_to(z > 0.8 * y - 5, lung.shape)
    right = np.where(upper, np.where(z > 0, 1, 2), 3)
    scene.lobes[:] = np.where(lung, np.where(x < 0, right, np.where(upper, 4, 5)), 0)
    scene.parts[:] = np.where(lung, np.where(x < 0, Part.RIGHT_LUNG, Part.LEFT_LUNG), Part.MEDIASTINUM)
    _plumb(scene)
    scene.depth_mm()
    return scene


def _plumb(scene: Scene) -> None:
    """A bronchus and a vessel for each of ten directions from either hilum."""
    rng = np.random.default_rng(0)
    for side, sign in (("right", -1.0), ("left", 1.0)):
        hilum = np.array([0.0, 5.0, 14.0 * sign])
        scene.landmarks[f"{side} hilum"] = hilum
        for _ in range(10):
            end = hilum + rng.normal(0, 1, 3) * (35, 35, 8) + (0, 0, 45 * sign)
            for kind, shift, hu in (("artery", 0.0, 45.0), ("airway", 5.0, -990.0)):
                points = np.linspace(hilum, end, 8) + shift
                tube = Tube(points=points, radii=np.linspace(2.4, 0.9, 8), kind=kind, order=3)
                stroke(scene, tube, hu)
                scene.tubes.setdefault(kind, []).append(tube)
    scene.landmarks["heart"] = np.array([-20.0, -20.0, 15.0])


def drawn(chest: Scene, part: object, seed: int) -> Scene:
    scene = deepcopy(chest)
    part.draw(scene, np.random.default_rng(seed))  # type: ignore[attr-defined]
    return scene


@pytest.fixture(scope="module")
def with_nodules(chest: Scene) -> list[Scene]:
    return [drawn(chest, nodules, seed) for seed in range(6)]


@pytest.fixture(scope="module")
def with_haze(chest: Scene) -> list[Scene]:
    return [drawn(chest, opacity, seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def with_consolidation(chest: Scene) -> list[Scene]:
    return [drawn(chest, consolidation, seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def everything(with_nodules: list[Scene], with_haze: list[Scene], with_consolidation: list[Scene]) -> list[Scene]:
    return [*with_nodules, *with_haze, *with_consolidation]


@pytest.mark.parametrize("diameter", [4.0, 7.0, 12.0, 24.0])
def test_a_lump_is_as_long_as_it_should_be(chest: Scene, diameter: float) -> None:
    body = sized(chest.grid, (0.0, 0.0, -56.0), Lump.of(np.random.default_rng(3)), diameter)
    assert body is not None
    assert feret_mm(body.alpha >= 0.5, (1.5, 1.5)) == pytest.approx(diameter, abs=1.6)


def test_nodules_have_their_true_size(with_nodules: list[Scene]) -> None:
    wrong = []
    for scene in with_nodules:
        for fact in scene.facts:
            mask = scene.instances[nodules.FINDING] == fact.instances[0]
            wrong.append(feret_mm(mask, (1.5, 1.5)) - fact.size_mm)
    assert np.abs(wrong).max() < 2.2, wrong  # a voxel's diagonal
    assert abs(float(np.median(wrong))) < 1.0


def test_every_nodule_is_one_piece_that_touches_no_other(with_nodules: list[Scene]) -> None:
    for scene in with_nodules:
        assert [fact.label for fact in scene.facts] == ["Lung nodule"] * len(scene.facts)
        assert pieces(scene, nodules.FINDING) == len(np.unique(scene.instances[nodules.FINDING])) - 1


def pieces(scene: Scene, finding: str) -> int:
    return int(ndimage.label(scene.instances[finding] > 0, np.ones((3, 3, 3), bool))[1])


def test_masks_lie_in_the_lungs_and_in_the_lobes_that_are_named(everything: list[Scene]) -> None:
    for scene in everything:
        assert scene.facts
        for fact in scene.facts:
            mask = np.isin(scene.instances[fact.finding], fact.instances)
            assert scene.lung()[mask].all()
            held = np.bincount(scene.lobes[mask], minlength=6)[1:]
            assert LOBES[int(held.argmax())] in fact.lobes
            assert all(lobe.startswith(fact.side) for lobe in fact.lobes)


def test_patches_and_consolidations_are_separate_pieces(
    with_haze: list[Scene], with_consolidation: list[Scene]
) -> None:
    for finding, scenes in ((opacity.FINDING, with_haze), (consolidation.FINDING, with_consolidation)):
        for scene in scenes:
            numbers = {number for fact in scene.facts for number in fact.instances}
            assert pieces(scene, finding) == len(numbers) == len(np.unique(scene.instances[finding])) - 1


def test_ground_glass_is_hazy_and_leaves_vessels_and_bronchi_visible(chest: Scene, with_haze: list[Scene]) -> None:
    for scene in with_haze:
        mask = scene.instances[opacity.FINDING] > 0
        vessel, bronchus = chest.hu[mask] > 20, chest.hu[mask] < -960
        plain = scene.hu[mask][chest.hu[mask] == -860]
        assert -760 < float(np.median(plain)) < -430
        assert np.abs(scene.hu - chest.hu)[mask][vessel].max(initial=0) < 15
        assert not bronchus.any() or float(scene.hu[mask][bronchus].mean()) < float(plain.mean()) - 100


def test_consolidation_hides_vessels_and_stays_in_its_lobe(with_consolidation: list[Scene]) -> None:
    for scene in with_consolidation:
        mask = scene.instances[consolidation.FINDING] > 0
        assert (scene.hu[mask] > -200).mean() > 0.6
        assert 0 < float(np.median(scene.hu[mask])) < 100
        for fact in scene.facts:
            own = scene.instances[consolidation.FINDING] == fact.instances[0]
            assert set(scene.lobes[own].tolist()) == {LOBES.index(fact.lobes[0]) + 1}


@pytest.mark.parametrize("seed", SEEDS)
def test_consolidation_wins_over_ground_glass(chest: Scene, seed: int) -> None:
    scene = drawn(chest, opacity, seed)
    consolidation.draw(scene, np.random.default_rng(seed))
    hazy, solid = scene.instances[opacity.FINDING] > 0, scene.instances[consolidation.FINDING] > 0
    assert hazy.any()
    assert solid.any()
    assert not (hazy & solid).any()
    named = {n for fact in scene.facts if fact.finding == opacity.FINDING for n in fact.instances}
    assert named == set(np.unique(scene.instances[opacity.FINDING]).tolist()) - {0}
    assert pieces(scene, opacity.FINDING) == len(named)


def test_consolidation_alone_has_no_ground_glass(chest: Scene) -> None:
    scene = deepcopy(chest)
    scene.labels = ("Consolidation",)
    consolidation.draw(scene, np.random.default_rng(1))
    assert set(scene.instances) == {consolidation.FINDING}
    assert {fact.label for fact in scene.facts} == {"Consolidation"}


@pytest.mark.parametrize("seed", range(5))
def test_lookalikes_deserve_no_label_and_no_mask(chest: Scene, seed: int) -> None:
    scene = drawn(chest, lookalikes, seed)
    assert not scene.instances
    assert {fact.label for fact in scene.facts} <= {""}


def test_every_lookalike_can_be_drawn(chest: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_GRANULOMA", "_DEPENDENT", "_VESSEL", "_MOTION", "_MICRO", "_CAP"):
        monkeypatch.setattr(lookalikes, name, 1.0)
    scene = drawn(chest, lookalikes, 0)
    assert {"calcified granuloma", "motion artefact"} <= {fact.kind for fact in scene.facts}
    assert np.isfinite(scene.hu).all()


@pytest.mark.parametrize("part", [nodules, opacity, consolidation, lookalikes])
def test_the_same_seed_draws_the_same(chest: Scene, part: object) -> None:
    one, other = drawn(chest, part, 5), drawn(chest, part, 5)
    assert np.array_equal(one.hu, other.hu)
    assert one.facts == other.facts


def test_places_keep_to_lobes_depths_and_distances(chest: Scene) -> None:
    rng = np.random.default_rng(0)
    for lobe in LOBES:
        place = anywhere(chest, rng, lobes=(lobe,), depth_mm=(2.0, 8.0))
        assert place is not None
        assert place.lobe == lobe
        assert 2 <= chest.depth_mm()[place.index] <= 8
        wall = pleura_near(chest, place.point_mm, 20.0)
        assert wall is not None
        assert np.linalg.norm(np.subtract(wall[0], place.point_mm)) < 12
        assert np.linalg.norm(wall[1]) == pytest.approx(1)
    assert anywhere(chest, rng, depth_mm=(500.0, 600.0)) is None
    assert anywhere(chest, rng, away=[((0.0, 0.0, 0.0), 500.0)]) is None
    edge, vessel = on_fissure(chest, rng), on_vessel(chest, rng)
    assert edge is not None
    assert vessel is not None
    assert vessel[1].kind == "artery"
