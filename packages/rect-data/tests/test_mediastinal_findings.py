"""Lymph nodes, hiatal hernias and medical material: where they lie, how large they are, what they are."""

from collections.abc import Callable
from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.draw import draw_scene
from rect_data.phantom.findings import devices, hernia, lines, metal, nodes, pockets
from rect_data.phantom.grid import Grid
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene

METAL_HU = 2500
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def chest() -> Scene:
    """One chest without findings, contrast or effusion."""
    return draw_scene(4, PhantomConfig(), labels=())


def copy_of(chest: Scene) -> Scene:
    """The same chest, to be drawn into."""
    return replace(
        chest, hu=chest.hu.copy(), parts=chest.parts.copy(), lobes=chest.lobes.copy(), facts=[], instances={}
    )


def drawn(chest: Scene, draw: Callable[[Scene, np.random.Generator], object], seed: int) -> tuple[Scene, np.ndarray]:
    """A chest with something drawn into it, and where its HU differ by more than 20."""
    scene = copy_of(chest)
    draw(scene, np.random.default_rng(seed))
    return scene, np.abs(scene.hu - chest.hu) > 20


def middle_mm(scene: Scene, where: np.ndarray) -> np.ndarray:
    """Reference (z, y, x) of the middle of some voxels."""
    return np.array([axis[where].mean() for axis in (scene.z, scene.y, scene.x)])


@pytest.mark.parametrize("axes_mm", [(12.0, 10.0, 18.0), (9.0, 15.0, 15.0), (14.0, 11.0, 24.0)])
def test_a_short_axis_is_measured_as_drawn(axes_mm: tuple[float, float, float]) -> None:
    grid = Grid(shape=(20, 40, 40), spacing_mm=(3.0, 1.5, 1.5), origin_mm=(0.0, 0.0, 0.0))
    tall, short, long = axes_mm
    node = nodes.Node(centre=(30.0, 30.0, 30.0), radii=(tall / 2, short / 2, long / 2), angle=0.7, phases=(0, 0, 0))
    distance = nodes.distance_mm(grid, (slice(None),) * 3, replace(node, wave_mm=0.0))
    alpha = np.clip(0.5 - distance / 1.6, 0, 1).astype(np.float32)
    assert nodes.short_axis_mm(alpha, grid.spacing_mm) == pytest.approx(short, abs=0.7)


@pytest.mark.parametrize("seed", range(6))
def test_nodes_are_enlarged_and_lie_in_their_stations(chest: Scene, seed: int) -> None:
    scene, changed = drawn(chest, nodes.draw, seed)
    assert 1 <= len(scene.facts) <= 3
    assert 1 <= sum(fact.number for fact in scene.facts) <= 5
    for fact in scene.facts:
        assert fact.label == nodes.LABEL
        assert nodes.ENLARGED_MM <= fact.size_mm <= 27
        (station,) = [s for s in nodes.STATIONS if (s.name, s.side) == (fact.details[0], fact.side)]
        near = [
            abs(axis - c) < 2.5 * r + 15
            for axis, c, r in zip((scene.z, scene.y, scene.x), station.centre, station.spread, strict=True)
        ]
        held = changed & near[0] & near[1] & near[2]
        assert held.any(), fact
        x = middle_mm(scene, held)[2]
        assert {"right": x < 0, "left": x > 0, "midline": abs(x) < 15}[fact.side]


@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_leave_aorta_airways_and_bones_alone(chest: Scene, seed: int) -> None:
    _, changed = drawn(chest, nodes.draw, seed)
    touched = set(np.unique(chest.parts[changed]))
    assert not touched & {Part.AORTA, Part.AIRWAY, Part.HEART, Part.SPINE, Part.RIB, Part.OESOPHAGUS}


@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_are_soft_tissue(chest: Scene, seed: int) -> None:
    scene, changed = drawn(chest, nodes.draw, seed)
    assert 25 < np.median(scene.hu[changed & (scene.hu > 10)]) < 70


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hernia_sits_on_the_hiatus_before_spine_and_aorta(chest: Scene, seed: int) -> None:
    scene, changed = drawn(chest, hernia.draw, seed)
    (fact,) = scene.facts
    pouch = changed & (scene.parts == Part.STOMACH) & (chest.parts != Part.STOMACH)
    middle = scene.grid.point(np.argwhere(pouch)).mean(0)
    assert 20 <= fact.size_mm <= 80
    assert np.linalg.norm(middle - scene.landmarks["hiatus"]) < 45
    assert not (chest.parts[pouch] == Part.AORTA).any()
    assert not (chest.parts[pouch] == Part.SPINE).any()


def test_gas_lies_before_fluid_at_a_level(chest: Scene) -> None:
    levels = 0
    for seed in range(5):
        scene, changed = drawn(chest, hernia.draw, seed)
        gas = changed & (scene.hu < -700) & (chest.hu > -200)
        if "with air-fluid level" not in scene.facts[0].details:
            assert not gas.any()
            continue
        levels += 1
        last = np.argwhere(gas)[:, 1].max()
        assert not gas[:, last + 1 :].any()
        behind = scene.hu[:, last + 3 : last + 6][scene.parts[:, last + 3 : last + 6] == Part.STOMACH]
        assert np.median(behind) > 0
    assert levels >= 2


DEVICES = {
    "sternal wires": metal.sternal_wires,
    "surgical clips": metal.clips,
    "valve prosthesis": metal.valve,
    "coronary stent": metal.stent,
    "pacemaker": pockets.pacemaker,
    "port catheter": pockets.port,
    "central venous catheter": lines.central_line,
    "tracheostomy tube": lines.tracheostomy,
    "nasogastric tube": lines.nasogastric,
    "chest tube": lines.chest_tube,
}


@pytest.mark.parametrize("kind", DEVICES)
def test_each_device_shows_and_says_where_it_is(chest: Scene, kind: str) -> None:
    scene, changed = drawn(chest, lambda scene, rng: scene.facts.append(DEVICES[kind](scene, rng)), 2)
    (fact,) = scene.facts
    assert (fact.label, fact.kind) == (metal.LABEL, kind)
    assert isnan(fact.size_mm)
    assert changed.any()
    assert scene.hu.max() <= metal.TOP_HU + 1
    bright = changed & (scene.hu > 250) & (scene.hu > chest.hu + 60)
    if fact.side in ("right", "left") and kind not in ("central venous catheter", "surgical clips"):
        far = np.abs(scene.x[bright]) > 35
        assert ((scene.x[bright][far] > 0) == (fact.side == "left")).mean() > 0.9


def test_wires_go_round_the_sternum(chest: Scene) -> None:
    scene, changed = drawn(chest, metal.sternal_wires, 3)
    bone = scene.grid.point(np.argwhere(chest.parts == Part.STERNUM))
    wires = scene.grid.point(np.argwhere(changed & (scene.hu > 1000)))
    apart = np.abs(wires[:, None] - bone[None, ::7]).max(-1).min(1)
    assert apart.max() < 14
    assert wires[:, 1].min() < bone[:, 1].min() + 3
    assert wires[:, 1].max() > np.median(bone[:, 1])


@pytest.mark.parametrize("kind", ["pacemaker", "sternal wires", "valve prosthesis"])
def test_metal_is_as_dense_as_the_streaks_need(chest: Scene, kind: str) -> None:
    scene, _ = drawn(chest, DEVICES[kind], 1)
    assert (scene.hu > METAL_HU).any()


def test_there_is_no_metal_without_the_label(chest: Scene) -> None:
    inside = ~np.isin(chest.parts, (Part.OUTSIDE, Part.TABLE))
    assert chest.hu[inside].max() < METAL_HU


@pytest.mark.parametrize("seed", range(8))
def test_the_label_always_shows(chest: Scene, seed: int) -> None:
    scene, changed = drawn(chest, devices.draw, seed)
    assert scene.facts
    assert changed.any()
    assert {fact.kind for fact in scene.facts} <= set(DEVICES)


@pytest.mark.parametrize("draw", [nodes.draw, hernia.draw, devices.draw])
def test_a_seed_draws_the_same_again(chest: Scene, draw: Callable[[Scene, np.random.Generator], None]) -> None:
    one, other = (drawn(chest, draw, 5)[0] for _ in range(2))
    assert np.array_equal(one.hu, other.hu)
    assert np.array_equal(one.parts, other.parts)
    assert [fact.kind for fact in one.facts] == [fact.kind for fact in other.facts]
