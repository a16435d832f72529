"""Emphysema, mosaic, septa, scars, atelectasis, effusion on two plain lungs: what was drawn is what the facts say."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings import atelectasis, emphysema, fibrosis, mosaic, pleura, septal
from rect_data.phantom.grid import Grid
from rect_data.phantom.parts import LOBES, LUNGS, Part
from rect_data.phantom.patient import Patient
from rect_data.phantom.pose import Pose
from rect_data.phantom.scene import Scene
from rect_data.phantom.traits import Traits

LABEL_OF = {
    emphysema: "Emphysema",
    mosaic: "Mosaic attenuation pattern",
    septal: "Interlobular septal thickening",
    fibrosis: "Pulmonary fibrotic sequela",
    atelectasis: "Atelectasis",
    pleura: "Pleural effusion",
}
GRID = Grid(shape=(80, 110, 150), spacing_mm=(3.0, 2.0, 2.0), origin_mm=(-150.0, -110.0, -150.0))
PLAIN_HU = -860.0


@cache
def _lungs() -> Scene:
    patient = Patient(age=60, sex="M", stature=1.0, build=0.4)
    pose = Pose(scale=np.ones(3), rotation=np.eye(3), shift=np.zeros(3), knots=np.zeros((3, 16, 16, 16)))
    scene = Scene.empty(GRID, patient, (), pose, Traits.of(patient, (), np.random.default_rng(0)))
    scene.hu[:] = 40.0
    scene.parts[:] = Part.MUSCLE
    for side, (part, middle) in enumerate(zip(LUNGS, (-70.0, 70.0), strict=True)):
        lung = ((scene.z + 30) / 105) ** 2 + (scene.y / 85) ** 2 + ((scene.x - middle) / 55) ** 2 < 1
        scene.parts[lung], scene.hu[lung] = part, PLAIN_HU
        lower = scene.y > scene.z + 30
        scene.lobes[lung] = np.where(lower, 3, np.where(scene.z > -20, 1, 2))[lung] if side == 0 else 4
        scene.lobes[lung & lower & (side == 1)] = 5
    scene.depth_mm()
    return scene


def chest(*labels: str, effusion_ml: tuple[float, float] = (0.0, 0.0), losing: str = "") -> Scene:
    scene = deepcopy(_lungs())
    scene.labels = labels
    scene.traits = replace(scene.traits, effusion_ml=effusion_ml, losing=losing, loss=0.4)
    return scene


def drawn(part: ModuleType, seed: int, scene: Scene | None = None) -> Scene:
    scene = chest(LABEL_OF[part]) if scene is None else scene
    part.draw(scene, np.random.default_rng(seed))
    return scene


def only(facts: list[Fact], kind: str) -> Fact:
    found = [fact for fact in facts if fact.kind == kind]
    assert len(found) == 1
    return found[0]


def first(part: ModuleType, wanted: Callable[[Fact], bool]) -> tuple[Scene, Fact]:
    """The first of a few seeds that draws what a test is about."""
    for seed in range(40):
        scene = drawn(part, seed)
        for fact in scene.facts:
            if wanted(fact):
                return scene, fact
    raise AssertionError("none of 40 seeds drew it")


@pytest.mark.parametrize("part", LABEL_OF)
def test_same_seed_draws_the_same_and_another_seed_does_not(part: ModuleType) -> None:
    one, same, other = drawn(part, 5), drawn(part, 5), drawn(part, 6)
    np.testing.assert_array_equal(one.hu, same.hu)
    assert repr(one.facts) == repr(same.facts)
    assert not np.array_equal(one.hu, other.hu)


@pytest.mark.parametrize("part", LABEL_OF)
@pytest.mark.parametrize("seed", range(4))
def test_every_draw_leaves_a_visible_change_and_a_fact_of_its_label(part: ModuleType, seed: int) -> None:
    scene = drawn(part, seed)
    assert np.count_nonzero(np.abs(scene.hu - _lungs().hu) > 30) > 40
    assert {fact.label for fact in scene.facts} == {LABEL_OF[part]}


@pytest.mark.parametrize("part", [part for part in LABEL_OF if part is not pleura])
@pytest.mark.parametrize("seed", range(3))
def test_named_lobes_hold_what_was_drawn(part: ModuleType, seed: int) -> None:
    scene = drawn(part, seed)
    changed = np.where(scene.lung(), np.abs(scene.hu - _lungs().hu), 0)
    held = np.bincount(scene.lobes.ravel(), changed.ravel(), minlength=6)[1:]
    named = {lobe for fact in scene.facts for lobe in fact.lobes}
    assert named
    assert all(held[LOBES.index(lobe)] > 0 for lobe in named)
    assert LOBES[int(held.argmax())] in named or part is mosaic
    for fact in scene.facts:
        sides = {lobe.split()[0] for lobe in fact.lobes}
        assert fact.side == (sides.pop() if len(sides) == 1 else "bilateral")


@pytest.mark.parametrize("part", [part for part in LABEL_OF if part is not pleura])
def test_nothing_outside_the_lungs_becomes_air(part: ModuleType) -> None:
    scene = drawn(part, 1)
    np.testing.assert_array_equal(scene.parts, _lungs().parts)
    assert scene.hu[~scene.lung()].min() >= 0


@pytest.mark.parametrize("kind", ["centrilobular emphysema", "paraseptal emphysema", "panlobular emphysema"])
def test_emphysema_lies_below_the_threshold_where_its_facts_say(kind: str) -> None:
    scene, fact = first(emphysema, lambda fact: fact.kind == kind)
    low = scene.lung() & (scene.hu < -950)
    assert low.sum() > 60
    heights = scene.z[low].mean() - scene.z[scene.lung()].mean()
    if "upper lobe predominance" in fact.details:
        assert heights > 0
    if "lower lobe predominance" in fact.details:
        assert heights < 0


def test_paraseptal_holes_touch_the_pleura() -> None:
    scene, _ = first(emphysema, lambda fact: fact.kind == "paraseptal emphysema" and np.isnan(fact.size_mm))
    alone = drawn(emphysema, 0)
    low = scene.lung() & (scene.hu < -950)
    assert np.median(scene.depth_mm()[low]) < np.median(alone.depth_mm()[alone.lung()])


def test_bullae_are_as_large_as_their_fact_says() -> None:
    _, fact = first(emphysema, lambda fact: "with bullae" in fact.details)
    assert 8 <= fact.size_mm <= 75


@pytest.mark.parametrize("seed", range(3))
def test_mosaic_splits_the_lung_in_two_levels_with_sharp_borders(seed: int) -> None:
    scene = drawn(mosaic, seed)
    hu = scene.hu[scene.lung()]
    dark = hu < PLAIN_HU - 10
    assert 0.05 < dark.mean() < 0.7
    assert 35 < hu[~dark].mean() - hu[dark].mean() < 125


@pytest.mark.parametrize("seed", range(5))
def test_septa_lie_in_the_outer_lung_of_their_zone(seed: int) -> None:
    scene = drawn(septal, seed)
    lines = scene.hu > PLAIN_HU + 100
    lines &= scene.lung()
    assert scene.depth_mm()[lines].max() <= 25
    middle = scene.z[scene.lung()].mean()
    if "basal" in scene.facts[0].details:
        assert scene.z[lines].mean() < middle
    if "upper" in scene.facts[0].details:
        assert scene.z[lines].mean() > middle


def test_septa_are_thin_lines() -> None:
    scene = drawn(septal, 3)
    lines = scene.lung() & (scene.hu > PLAIN_HU + 150)
    across = lines[:, :, 2:] & lines[:, :, 1:-1] & lines[:, :, :-2]
    assert across.sum() < 0.4 * lines.sum()


def test_apical_scars_lie_in_the_apices_and_calcium_is_said() -> None:
    scene, fact = first(fibrosis, lambda fact: "calcified" in fact.details)
    assert scene.hu[scene.lung()].max() > 200
    assert set(fact.lobes) <= {"right upper lobe", "left upper lobe", "right lower lobe", "left lower lobe"}


@pytest.mark.parametrize("lobe", LOBES)
def test_a_lobe_that_lost_volume_is_dense_in_part(lobe: str) -> None:
    scene = drawn(atelectasis, 2, chest("Atelectasis", losing=lobe))
    fact = only(scene.facts, "lobar atelectasis")
    assert fact.lobes == (lobe,)
    assert "with volume loss" in fact.details
    dense = scene.hu[scene.lobes == LOBES.index(lobe) + 1] > -100
    assert 0.2 < dense.mean() < 0.8


@pytest.mark.parametrize("asked", [(15.0, 0.0), (0.0, 120.0), (300.0, 60.0), (0.0, 450.0)])
@pytest.mark.parametrize("seed", range(3))
def test_effusion_has_the_asked_volume_in_one_piece_on_its_side(asked: tuple[float, float], seed: int) -> None:
    from scipy import ndimage

    scene = drawn(pleura, seed, chest("Pleural effusion", effusion_ml=asked))
    masks = scene.instances["pleural_effusion"]
    facts = iter(scene.facts)
    for (_, _, part), millilitres in zip(pleura.SIDES, asked, strict=True):
        fluid = scene.parts == part
        assert fluid.sum() * 12 / 1000 == pytest.approx(millilitres, rel=0.1)
        if millilitres:
            assert ndimage.label(fluid)[1] == 1
            np.testing.assert_array_equal(masks == next(facts).instances[0], fluid)
            assert not scene.lobes[fluid].any()
            assert -5 <= np.median(scene.hu[fluid]) <= 30
    assert next(facts, None) is None


@pytest.mark.parametrize("seed", range(6))
def test_free_fluid_lies_behind_the_lung_and_a_pocket_at_the_ribs(seed: int) -> None:
    scene = drawn(pleura, seed, chest("Pleural effusion", effusion_ml=(150.0, 0.0)))
    fluid, lung = scene.parts == Part.RIGHT_PLEURA, scene.parts == Part.RIGHT_LUNG
    _, y, x = (np.broadcast_to(axis, GRID.shape) for axis in GRID.axes_mm)
    if scene.facts[0].kind == "free effusion":
        assert y[fluid].mean() > y[lung].mean() + 30
    else:
        assert x[fluid].mean() < x[lung].mean() - 10


def test_depths_leave_the_fluid_out() -> None:
    scene = drawn(pleura, 0, chest("Pleural effusion", effusion_ml=(200.0, 0.0)))
    assert not scene.depth_mm()[scene.parts == Part.RIGHT_PLEURA].any()


def test_label_without_a_volume_still_has_fluid_and_no_label_has_none() -> None:
    assert (drawn(pleura, 0).parts == Part.RIGHT_PLEURA).sum() * 12 / 1000 == pytest.approx(30, rel=0.1)
    assert pleura.effusion_ml(chest("Atelectasis", effusion_ml=(50.0, 0.0))) == (0.0, 0.0)


@pytest.mark.parametrize("labels", [("Pleural effusion",), ("Pleural effusion", "Atelectasis")])
def test_lung_beside_fluid_collapses_only_where_atelectasis_is_true(labels: tuple[str, ...]) -> None:
    scene = drawn(pleura, 4, chest(*labels, effusion_ml=(300.0, 20.0)))
    told = ["with compressive atelectasis" in fact.details for fact in scene.facts]
    if "Atelectasis" in labels:
        drawn(atelectasis, 4, scene)
        assert only(scene.facts, "compressive atelectasis").side == "right"
        assert told == [True, False]
    else:
        assert told == [False, False]
        assert (scene.hu[scene.lung()] > -200).mean() < 0.05
