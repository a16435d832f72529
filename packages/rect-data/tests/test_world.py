"""300 phantoms of the default world, looked at once: reports against masks, masks against organs, scans at the door."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

from rect_core.anatomy import regions
from rect_core.door import inspect
from rect_core.findings import LABELS
from rect_core.raw import RawScan
from rect_core.types import Lesions
from rect_data.phantom import generate
from rect_data.phantom.facts import Fact
from rect_data.phantom.parts import LOBES, LUNGS, Part

CASES = 300
ORGANS = {
    "pericardial_effusion": (Part.PERICARDIUM,),
    "pleural_effusion": (Part.RIGHT_PLEURA, Part.LEFT_PLEURA),
    "consolidation": LUNGS,
    "ground_glass_opacity": LUNGS,
    "lung_nodule": LUNGS,
}

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Seen:
    """What is kept of a case: no volume."""

    index: int
    labels: tuple[str, ...]
    facts: tuple[Fact, ...]
    text: str
    lesions: Lesions
    inside: dict[str, float]
    lobes: dict[str, frozenset[int]]
    refused: tuple[str, ...]
    dice: float


def see(index: int) -> Seen:
    case = generate(index)
    stored = case.volume.stored.to_stored(case.volume.hu).copy()
    raw = RawScan(array=stored, affine=case.volume.stored.affine, format="array", name="x", case_id="x")
    checks, volume = inspect(raw)
    dice = np.nan
    if index < 60:
        ours, true = regions(case.volume).lungs, np.isin(case.parts, LUNGS)
        dice = 2 * float((ours & true).sum()) / float(ours.sum() + true.sum())
    inside, lobes = {}, {}
    for finding, parts in ORGANS.items():
        mask = case.lesions.crops[finding].dense()
        if mask.any():
            inside[finding] = float(np.isin(case.parts[mask > 0], parts).mean())
        for lesion in case.lesions.of(finding):
            held = np.bincount(case.lobes[mask == lesion.instance], minlength=6)[1:]
            lobes[lesion.id] = frozenset(np.flatnonzero(held >= 0.15 * max(held.sum(), 1)).tolist())
    return Seen(
        index=index,
        labels=tuple(label for label, value in zip(LABELS, case.labels, strict=True) if value),
        facts=tuple(case.facts),
        text=case.report.findings,
        lesions=Lesions(asked=case.lesions.asked, items=case.lesions.items),
        inside=inside,
        lobes=lobes,
        refused=tuple(check.message for check in checks if check.status == "fail"),
        dice=dice if volume is not None else 0.0,
    )


@pytest.fixture(scope="module")
def world() -> list[Seen]:
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        return list(pool.map(see, range(CASES), chunksize=5))


def test_the_door_refuses_no_phantom(world: list[Seen]) -> None:
    assert [(seen.index, seen.refused) for seen in world if seen.refused] == []


def test_every_label_has_positives_and_a_fact(world: list[Seen]) -> None:
    assert {label for seen in world for label in seen.labels} == set(LABELS)
    for seen in world:
        assert {fact.label for fact in seen.facts if fact.label} == set(seen.labels), seen.index


def test_masks_lie_in_their_organs(world: list[Seen]) -> None:
    shares = [(seen.index, finding, share) for seen in world for finding, share in seen.inside.items()]
    assert len(shares) > 200
    assert [row for row in shares if row[2] < 0.99] == []


def test_classical_lungs_are_the_true_ones(world: list[Seen]) -> None:
    dice = [seen.dice for seen in world if np.isfinite(seen.dice)]
    assert np.mean(dice) >= 0.95
    assert np.median(dice) >= 0.96


def test_reports_say_side_lobe_size_and_number_of_what_the_masks_hold(world: list[Seen], read_back: Any) -> None:
    wrong = [
        (seen.index, problem) for seen in world for problem in read_back.of(seen.text).problems(seen.facts, seen.labels)
    ]
    assert wrong == []


def test_facts_hold_the_size_of_their_masks(world: list[Seen]) -> None:
    checked = 0
    for seen in world:
        sizes = {lesion.id: lesion.diameter_mm for lesion in seen.lesions}
        for fact in seen.facts:
            mine = [sizes[f"{fact.finding}-{i}"] for i in fact.instances if f"{fact.finding}-{i}" in sizes]
            if mine and fact.finding in ("lung_nodule", "consolidation", "ground_glass_opacity"):
                assert fact.size_mm == pytest.approx(max(mine), abs=0.01), (seen.index, fact)
                checked += 1
    assert checked > 200


def test_facts_name_the_lobes_and_the_side_of_their_masks(world: list[Seen]) -> None:
    checked = 0
    for seen in world:
        places = {lesion.id: lesion.centroid_ras_mm[0] for lesion in seen.lesions}
        for fact in seen.facts:
            mine = [f"{fact.finding}-{i}" for i in fact.instances if f"{fact.finding}-{i}" in places]
            if not mine or fact.finding in ("pericardial_effusion", "pleural_effusion"):
                continue
            if len(mine) == 1:
                assert set(fact.lobes) == {LOBES[i] for i in seen.lobes[mine[0]]}, (seen.index, fact)
            sides = {"right" if places[name] > 0 else "left" for name in mine if abs(places[name]) > 20}
            said = {"right", "left"} if fact.side == "bilateral" else {fact.side}
            assert sides <= said, (seen.index, fact)
            checked += 1
    assert checked > 200


def test_effusions_lie_on_the_side_that_is_told(world: list[Seen]) -> None:
    for seen in world:
        places = {lesion.id: lesion.centroid_ras_mm[0] for lesion in seen.lesions}
        for fact in seen.facts:
            if fact.finding == "pleural_effusion" and len(fact.instances) == 1 and fact.side in ("right", "left"):
                place = places[f"pleural_effusion-{fact.instances[0]}"]
                assert (place > 0) == (fact.side == "right"), (seen.index, fact, place)
