"""Side, zone and size that a report states, beside the reference's lesions."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import DataError
from rect_core.masks import save_mask
from rect_core.types import Lesion, Lesions
from rect_core.volume import Volume
from rect_eval import label
from rect_eval.cases import Truth
from rect_eval.localization.masks import scan_grid
from rect_eval.reports import agree
from rect_eval.reports.truth_lesions import measurable, measured


def _lesion(finding: str, side: str, region: str, diameter_mm: float = 10.0, instance: int = 1) -> Lesion:
    return Lesion(
        finding=finding,
        instance=instance,
        volume_ml=1.0,
        diameter_mm=diameter_mm,
        short_axis_mm=diameter_mm,
        side=side,
        region=region,
        centroid_ras_mm=(0.0, 0.0, 0.0),
        slices=(0, 1),
        voxels=10,
        prob=float("nan"),
    )


NODULES = Lesions(
    asked=("lung_nodule", "pleural_effusion", "consolidation", "pericardial_effusion"),
    items=(
        _lesion("lung_nodule", "right", "right upper zone", 10.0),
        _lesion("lung_nodule", "left", "left lower zone", 30.0, 2),
        _lesion("pleural_effusion", "left", "left pleural shell", 120.0),
        _lesion("pericardial_effusion", "midline", "heart", 90.0),
    ),
)


def test_an_abbreviated_lobe_may_lie_in_two_zones() -> None:
    lesions = Lesions(asked=("lung_nodule",), items=(_lesion("lung_nodule", "right", "right middle zone"),))
    for text in ("RUL nodule.", "Nodule in the right upper lobe.", "RLL nodule."):
        assert [a.zone for a in agree(label(text).mentions, lesions, text)] == ["right"]


def test_a_ground_glass_nodule_is_compared_with_nodules_only() -> None:
    lesions = Lesions(
        asked=("lung_nodule", "ground_glass_opacity"),
        items=(
            _lesion("lung_nodule", "right", "right upper zone"),
            _lesion("ground_glass_opacity", "left", "left lower zone"),
        ),
    )
    text = "A ground-glass nodule of 10 mm in the right upper lobe."
    (found,) = agree(label(text).mentions, lesions, text)
    assert (found.finding, found.side, found.zone, found.size) == ("lung_nodule", "right", "right", "right")


def _verdicts(text: str) -> list[tuple[str, str, str]]:
    return [(a.side, a.zone, a.size) for a in agree(label(text).mentions, NODULES, text)]


@pytest.mark.parametrize(
    ("text", "side", "zone", "size"),
    [
        ("There is a 10 mm nodule in the right upper zone.", "right", "right", "right"),
        ("There is a nodule in the RML.", "right", "wrong", "not stated"),
        ("There is a nodule in the LLL.", "right", "right", "not stated"),
        ("Right-sided aortic arch and left pleural effusion.", "right", "not stated", "not stated"),
        ("There is a 10 mm nodule in the right lower zone.", "right", "wrong", "right"),
        ("There is a nodule.", "not stated", "not stated", "not stated"),
        ("There is a 13 mm nodule in the right lung.", "right", "not stated", "right"),
        ("There is a 14 mm nodule in the right lung.", "right", "not stated", "wrong"),
        ("There is a 36 mm nodule in the left lung.", "right", "not stated", "right"),
        ("There is a 37 mm nodule in the left lung.", "right", "not stated", "wrong"),
        ("There is a 30 x 22 mm nodule in the left lung.", "right", "not stated", "right"),
        ("There is a 30 mm nodule in the right lung.", "right", "not stated", "wrong"),
        ("There are nodules in both lungs.", "right", "not stated", "not stated"),
        ("There is a right pleural effusion.", "wrong", "not stated", "not stated"),
        ("There are bilateral pleural effusions.", "wrong", "not stated", "not stated"),
        ("There is a left pleural effusion of 25 mm in the lower zone.", "right", "not stated", "not stated"),
        ("There is a 12 mm pericardial effusion.", "not stated", "not stated", "not stated"),
        ("There is consolidation in the right lower lobe.", "no lesion", "no lesion", "not stated"),
        ("A possible nodule in the right upper zone.", "right", "right", "not stated"),
    ],
)
def test_what_a_sentence_states_is_judged(text: str, side: str, zone: str, size: str) -> None:
    assert _verdicts(text) == [(side, zone, size)]


def test_a_lobe_may_lie_in_two_thirds_of_the_lung_and_a_zone_in_one() -> None:
    assert _verdicts("There is a nodule in the left lower lobe.")[0][1] == "right"
    assert _verdicts("There is a nodule in the lingula.")[0][1] == "right"
    assert _verdicts("There is a nodule in the left middle zone.")[0][1] == "wrong"
    assert _verdicts("There is a nodule in the left upper lobe.")[0][1] == "wrong"


@pytest.mark.parametrize(
    "text",
    [
        "There is no nodule in the right lung.",
        "The nodule in the left upper lobe has resolved.",
        "In the previous examination there was a nodule in the right lung.",
        "There is ground-glass opacity in the left lung.",
        "The heart is enlarged.",
        "",
    ],
)
def test_denied_past_unknown_and_other_findings_are_passed_over(text: str) -> None:
    assert _verdicts(text) == []


def _scan(folder: Path) -> Volume:
    """A box of a chest of 2 mm voxels, right lung and left lung in three zones each."""
    path = folder / "scan.nii.gz"
    hu = np.full((40, 30, 30), -1000, np.int16)
    image = nib.Nifti1Image(hu, np.diag([2.0, 2.0, 2.0, 1.0]))
    image.header.set_qform(image.affine, 1)
    image.header.set_sform(image.affine, 1)
    nib.save(image, path)
    return scan_grid(path, "scan")


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    """A nodule of 10 mm in the left lower zone, its scan and its regions."""
    volume = _scan(tmp_path)
    d, h, w = volume.shape
    regions, nodule = np.zeros((d, h, w), np.uint8), np.zeros((d, h, w), np.uint8)
    for zone, (start, stop) in enumerate(((20, 30), (10, 20), (0, 10))):
        regions[start:stop, :, : w // 2], regions[start:stop, :, w // 2 :] = 1 + zone, 4 + zone
    nodule[3:6, 10:15, w - 8 : w - 3] = 1
    save_mask(tmp_path / "regions.nii.gz", regions, volume, description="regions")
    save_mask(tmp_path / "nodule.nii.gz", nodule, volume, description="nodule")
    return Truth(
        case_id="a",
        patient="p",
        scan="s",
        lesions={"lung_nodule": tmp_path / "nodule.nii.gz"},
        volume=tmp_path / "scan.nii.gz",
        regions=tmp_path / "regions.nii.gz",
    )


def test_the_reference_is_measured_from_its_masks(truth: Truth) -> None:
    (lesions,) = measured([truth])
    assert lesions is not None
    (lesion,) = lesions.items
    assert (lesion.side, lesion.region) == ("left", "left lower zone")
    assert lesion.diameter_mm == pytest.approx(np.hypot(10, 10), rel=0.2)
    assert not lesions.crops


def test_partial_masks_and_cases_without_scan_or_regions_are_unknown(truth: Truth) -> None:
    assert measurable(truth)
    prepared = {"volume": Path("hu.b2nd")}
    for changed in (
        {"partial": frozenset({"lung_nodule"})},
        {"volume": None},
        {"regions": None},
        {"lesions": {}},
        prepared,
    ):
        assert measured([replace(truth, **changed)]) == (None,)


def test_a_partial_mask_leaves_the_other_findings_known(truth: Truth, tmp_path: Path) -> None:
    both = {**truth.lesions, "consolidation": tmp_path / "nodule.nii.gz"}
    (lesions,) = measured([replace(truth, lesions=both, partial=frozenset({"consolidation"}))])
    assert lesions is not None
    assert lesions.asked == ("lung_nodule",)


def test_a_mask_that_cannot_be_read_is_an_error_that_names_the_case(truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"case 'a': .*gone\.nii\.gz"):
        measured([replace(truth, lesions={"lung_nodule": tmp_path / "gone.nii.gz"})])


def test_a_mirrored_region_map_is_refused(truth: Truth, tmp_path: Path) -> None:
    image = nib.load(tmp_path / "regions.nii.gz")
    mirrored = np.asanyarray(image.dataobj)[::-1]
    nib.save(nib.Nifti1Image(mirrored, image.affine, image.header), tmp_path / "mirrored.nii.gz")
    with pytest.raises(DataError, match="case 'a'"):
        measured([replace(truth, regions=tmp_path / "mirrored.nii.gz")])
