"""A phantom case: the same whenever it is asked for, true in every part, and a scan that the door lets in."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rect_core.findings import LABELS, LOCALIZED, region_value
from rect_core.masks import read_mask, save_mask, save_volume
from rect_core.measure import measure_masks
from rect_core.read import examine
from rect_data.phantom import Case, PhantomConfig, generate
from rect_data.phantom.parts import LUNGS, Part
from rect_data.phantom.written import ORGANS

Cases = tuple[Case, Case, Case]


@pytest.fixture(scope="module")
def again(cases: Cases, config: PhantomConfig) -> Case:
    """The second of `cases` once more, after others were drawn."""
    return generate(5, config, labels=cases[1].positive)


def test_a_case_is_the_same_whatever_was_generated_before(cases: Cases, again: Case) -> None:
    first = cases[1]
    assert np.array_equal(first.volume.hu, again.volume.hu)
    assert np.array_equal(first.parts, again.parts)
    assert np.array_equal(first.regions.labels, again.regions.labels)
    assert first.facts == again.facts or repr(first.facts) == repr(again.facts)  # NaN is not NaN
    assert (first.report, first.settings, first.metadata) == (again.report, again.settings, again.metadata)
    assert [x.id for x in first.lesions] == [x.id for x in again.lesions]


def test_size_and_spacing_are_those_asked_for(cases: Cases, config: PhantomConfig) -> None:
    assert cases[1].volume.shape == config.size
    assert cases[1].volume.spacing_mm == pytest.approx(config.spacing_mm)
    assert cases[0].volume.spacing_mm == pytest.approx((3.0, 1.5, 1.5))


def test_labels_and_facts_agree(cases: Cases) -> None:
    for case in cases:
        assert set(case.labels) <= {0.0, 1.0}
        assert {fact.label for fact in case.facts if fact.label} == set(case.positive)
    assert cases[2].positive == ()
    assert len(cases[2].lesions) == 0


def test_every_phantom_passes_the_door_and_comes_back_in_its_place(cases: Cases, tmp_path: Path) -> None:
    for case in cases:
        save_volume(tmp_path / "scan.nii.gz", case.volume, description="phantom")
        found = examine(tmp_path / "scan.nii.gz")
        assert [row for row in found.checks if row.status in ("fail", "warn")] == []
        assert found.volume is not None
        assert np.array_equal(found.volume.hu, case.volume.hu)
        assert np.allclose(found.volume.affine, case.volume.affine, atol=1e-3)


def test_masks_read_back_measure_the_same_in_millimetres(cases: Cases, tmp_path: Path) -> None:
    case = cases[1]
    save_mask(tmp_path / "regions.nii.gz", case.regions.labels, case.volume, description="regions")
    labels = read_mask(tmp_path / "regions.nii.gz", case.volume)
    assert np.array_equal(labels, case.regions.labels)
    masks = {finding: crop.dense() for finding, crop in case.lesions.crops.items()}
    for one, other in zip(case.lesions, measure_masks(masks, case.volume, case.regions), strict=True):
        assert replace(one, prob=0.0) == replace(other, prob=0.0)


def test_right_is_right_in_millimetres(cases: Cases) -> None:
    for case in cases:
        index = {side: np.argwhere(case.parts == part) for side, part in zip("RL", LUNGS, strict=True)}
        right, left = (float(case.volume.ras_mm(index[side])[:, 0].mean()) for side in "RL")
        assert right > 50
        assert left < -50
        heart = case.volume.ras_mm(np.argwhere(case.parts == Part.HEART)).mean(axis=0)
        spine = case.volume.ras_mm(np.argwhere(case.parts == Part.SPINE)).mean(axis=0)
        assert heart[1] > spine[1] + 30
        assert left < heart[0] < (right + left) / 2


def test_regions_are_all_there_each_in_its_place(cases: Cases) -> None:
    for case in cases:
        assert all(case.regions.present)
        heights = [case.volume.ras_mm(np.argwhere(case.regions.labels == z))[:, 2].mean() for z in range(1, 7)]
        assert heights[0] > heights[1] > heights[2]
        assert heights[3] > heights[4] > heights[5]
        assert (case.regions.labels[case.parts == Part.OUTSIDE] == 0).all()
        hu = case.volume.hu[case.regions.lungs]
        assert -950 < np.median(hu) < -650


def test_pleural_shells_lie_on_the_chest_wall_of_their_side(cases: Cases) -> None:
    case = cases[2]
    for side, sign in (("right", 1), ("left", -1)):
        shell = case.regions.labels == region_value(f"{side} pleural shell")
        x = case.volume.ras_mm(np.argwhere(shell))[:, 0]
        assert (np.sign(x - case.volume.ras_mm(np.argwhere(case.regions.lungs))[:, 0].mean()) == sign).mean() > 0.98
        assert set(np.unique(case.parts[shell])) <= {Part.FAT, Part.MUSCLE, Part.RIGHT_PLEURA, Part.LEFT_PLEURA}
        assert shell.sum() * case.volume.voxel_ml > 200


def test_masks_lie_in_their_organs(cases: Cases) -> None:
    for case in cases:
        assert case.lesions.asked == LOCALIZED
        for finding, crop in case.lesions.crops.items():
            mask = crop.dense() > 0
            assert ORGANS[finding][case.parts[mask]].all()


def test_lesions_carry_the_numbers_of_the_facts_largest_first(cases: Cases) -> None:
    for case in cases:
        for finding in LOCALIZED:
            stated = [i for fact in case.facts if fact.finding == finding for i in fact.instances]
            assert sorted(stated) == list(range(1, len(stated) + 1))
            measured = {x.instance for x in case.lesions.of(finding)}
            unseen = {int(text.split(":")[0].rpartition("-")[2]) for text in case.warnings if text.startswith(finding)}
            assert measured | unseen == set(stated)
            assert not measured & unseen


def test_facts_say_what_the_masks_measure(cases: Cases) -> None:
    case = cases[0] if any(fact.instances for fact in cases[0].facts) else cases[1]
    for fact in case.facts:
        if fact.instances:
            assert fact.number == len(fact.instances)
            assert fact.side in ("right", "left", "bilateral", "midline")
            assert np.isfinite(fact.size_mm)
            assert all(lobe.split()[0] in (fact.side, "right", "left") for lobe in fact.lobes)


def test_reconstructions_of_one_scan_share_the_truth_and_differ_in_noise(config: PhantomConfig) -> None:
    one, other = generate(6, config), generate(7, config)
    assert (one.case_id, other.case_id) == ("7_a_1", "7_a_2")
    assert one.labels == other.labels
    assert np.array_equal(one.parts, other.parts)
    assert one.report == other.report
    assert repr(one.facts) == repr(other.facts)
    assert not np.array_equal(one.volume.hu, other.volume.hu)
    inside = one.regions.labels > 0
    apart = one.volume.hu[inside].astype(int) - other.volume.hu[inside]
    assert abs(apart.mean()) < 5
    assert (one.settings.date, one.settings.model) == (other.settings.date, other.settings.model)


def test_unknown_labels_and_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"labels \['Pneumothorax'\] are not among the 18"):
        generate(0, labels=("Pneumothorax",))
    with pytest.raises(ValueError, match="index -1 is negative"):
        generate(-1)


def test_report_and_reasoning_name_the_labels(cases: Cases) -> None:
    for case in cases:
        assert case.report.findings
        assert len(case.reasoning.steps) >= len(case.positive)
        assert all(step.region for step in case.reasoning.steps)
    assert len(LABELS) == len(cases[0].labels)
