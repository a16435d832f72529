"""Cases from their files to scores: grids, empty and missing masks, partial truth, bands, FROC and units."""

from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import DataError
from rect_core.frame import GridConfig
from rect_core.geometry import parse_axes, turn_affine
from rect_core.masks import save_mask, save_volume
from rect_core.types import Lesion
from rect_core.volume import StoredGrid, Volume
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.localization import dice, hd95, iou, localize_section, nsd
from rect_eval.scores import Section

SHAPE, SPACING = (18, 24, 22), (2.5, 0.7, 0.9)
VOXEL_ML = 2.5 * 0.7 * 0.9 / 1000
Box = tuple[slice, slice, slice]
BODY = np.s_[4:10, 4:16, 4:16]


def volume(case_id: str = "case", code: str = "LPS", moved_mm: float = 0.0) -> Volume:
    """An empty scan of one place, stored in the axes `code`."""
    house = np.eye(4)
    house[:3, :3] = [[0, 0, -0.9], [0, -0.7, 0], [2.5, 0, 0]]
    house[:3, 3] = (90.0 + moved_mm, 33.0, -500.0)
    affine = turn_affine(house, SHAPE, parse_axes(code))
    spl = StoredGrid(shape=SHAPE, affine=house)
    i, j, k = (SHAPE[[abs(row).argmax() for row in house[:3, :3].T].index(world)] for world, _ in parse_axes(code))
    assert spl.house_shape == SHAPE
    grid = StoredGrid(shape=(i, j, k), affine=affine)
    return Volume(hu=np.zeros(SHAPE, np.int16), affine=grid.house_affine, stored=grid, case_id=case_id)


def boxes(*lesions: Box) -> np.ndarray:
    """Instances 1, 2, ..."""
    mask = np.zeros(SHAPE, np.uint8)
    for number, box in enumerate(lesions, 1):
        mask[box] = number
    return mask


@dataclass
class World:
    """Truths and predictions on disk; a mask given as None is not written."""

    root: Path
    truths: list[Truth] = field(default_factory=list)
    predictions: list[Predicted | None] = field(default_factory=list)

    def mask(self, name: str, ids: np.ndarray, place: Volume) -> Path:
        path = self.root / f"{name}.nii.gz"
        save_mask(path, ids, place, description="test")
        return path

    def add(
        self,
        truth: dict[str, np.ndarray],
        predicted: dict[str, np.ndarray] | None,
        *,
        case_id: str = "",
        patient: str = "",
        scan: str = "",
        truth_at: Volume | None = None,
        predicted_at: Volume | None = None,
        with_volume: bool = True,
        partial: frozenset[str] = frozenset(),
        prob: dict[tuple[str, int], float] | None = None,
        **more: Any,
    ) -> "World":
        name = case_id or f"case_{len(self.truths)}"
        scan_file = None
        if with_volume:
            scan_file = self.root / f"{name}.nii.gz"
            save_volume(scan_file, volume(name), description="test")
        place = truth_at or volume(name)
        lesions = {finding: self.mask(f"{name}_t_{finding}", ids, place) for finding, ids in truth.items()}
        self.truths.append(
            Truth(
                case_id=name,
                patient=patient or name,
                scan=scan or name,
                lesions=lesions,
                partial=partial,
                volume=scan_file,
                **{key: value for key, value in more.items() if key == "regions"},
            )
        )
        if predicted is None:
            self.predictions.append(None)
            return self
        place = predicted_at or volume(name)
        found = {finding: self.mask(f"{name}_p_{finding}", ids, place) for finding, ids in predicted.items()}
        self.predictions.append(
            Predicted(
                case_id=name,
                lesions=found,
                assessed=more.get("assessed", ()),
                measured=tuple(lesion(finding, n, p) for (finding, n), p in (prob or {}).items()),
                folder=more.get("folder"),
            )
        )
        return self

    def score(self, **more: Any) -> Section:
        pairs = Pairs(truths=tuple(self.truths), predictions=tuple(self.predictions))
        return localize_section(pairs, **{"grid": None, "resamples": 0, **more})


def lesion(finding: str, number: int, prob: float) -> Lesion:
    return Lesion(
        finding=finding,
        instance=number,
        volume_ml=1.0,
        diameter_mm=1.0,
        short_axis_mm=1.0,
        side="left",
        region="heart",
        centroid_ras_mm=(0.0, 0.0, 0.0),
        slices=(0, 1),
        voxels=1,
        prob=prob,
    )


def cases(section: Section) -> list[dict[str, Any]]:
    return [dict(zip(section.cases.columns, row, strict=True)) for row in section.cases.rows]


def classes(section: Section, finding: str = "lung_nodule", band: str = "all") -> dict[str, Any]:
    rows = [dict(zip(section.classes.columns, row, strict=True)) for row in section.classes.rows]
    return next(row for row in rows if (row["finding"], row["band"]) == (finding, band))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_row_holds_what_the_masks_say(world: World) -> None:
    truth, predicted = boxes(BODY, np.s_[14:16, 2:5, 2:5]), boxes(np.s_[5:11, 6:18, 4:14])
    (row,) = cases(world.add({"lung_nodule": truth}, {"lung_nodule": predicted}, case_id="a", patient="p").score())
    one, other = truth > 0, predicted > 0
    assert (row["case_id"], row["patient"], row["scan"], row["finding"]) == ("a", "p", "a", "lung_nodule")
    assert row["status"] == "scored"
    assert row["dice"] == dice(one, other)
    assert row["iou"] == iou(one, other)
    assert row["hd95_mm"] == pytest.approx(hd95(one, other, SPACING))
    assert row["nsd_2mm"] == pytest.approx(nsd(one, other, SPACING))
    assert row["sensitivity"] == (one & other).sum() / one.sum()
    assert row["precision"] == (one & other).sum() / other.sum()
    assert row["truth_ml"] == pytest.approx(one.sum() * VOXEL_ML)
    assert row["volume_error_ml"] == pytest.approx((other.sum() - one.sum()) * VOXEL_ML)
    # From edge to edge of the largest lesion: 12 x 12 voxels against 12 x 10, without the four corners.
    assert row["diameter_error_mm"] == pytest.approx(-1.3, abs=0.3)
    assert (row["lesions_truth"], row["lesions_found"], row["lesions_false"]) == (2, 1, 0)
    assert isnan(row["oracle_dice"])


@pytest.mark.parametrize("code", ["RAS", "LAS", "RPI", "PIR", "SPL", "ARS"])
def test_masks_stored_in_other_axes_of_the_same_grid_score_the_same(world: World, code: str) -> None:
    rng = np.random.default_rng(0)
    truth, predicted = boxes(BODY, np.s_[14:16, 2:5, 2:5]), boxes(np.s_[5:11, 6:18, 4:14])
    truth[rng.random(SHAPE) < 0.02] = 3
    world.add({"lung_nodule": truth}, {"lung_nodule": predicted})
    world.add(
        {"lung_nodule": truth}, {"lung_nodule": predicted}, truth_at=volume(code=code), predicted_at=volume(code="LAS")
    )
    first, second = world.score().cases.rows
    np.testing.assert_allclose(np.array(first[4:-1], float), np.array(second[4:-1], float), rtol=1e-5)


def test_a_mirrored_mask_under_the_scans_affine_does_not_pass_as_right(world: World) -> None:
    mask = boxes(np.s_[4:10, 4:16, 2:9])
    (row,) = cases(world.add({"lung_nodule": mask}, {"lung_nodule": mask[:, :, ::-1].copy()}).score())
    assert row["dice"] == 0


def test_a_mask_on_another_grid_is_refused_by_the_name_of_its_case(world: World) -> None:
    mask = boxes(BODY)
    world.add({"lung_nodule": mask}, {"lung_nodule": mask}, case_id="good")
    world.add({"lung_nodule": mask}, {"lung_nodule": mask}, case_id="bad", predicted_at=volume(moved_mm=4.0))
    with pytest.raises(DataError, match=r"case 'bad', predicted lung_nodule: mask .*resample the mask") as caught:
        world.score()
    assert "\n" not in str(caught.value)
    assert str(world.root) not in str(caught.value)


def test_a_truth_on_another_grid_than_the_scan_is_refused_too(world: World) -> None:
    mask = boxes(BODY)
    world.add({"lung_nodule": mask}, {"lung_nodule": mask}, case_id="bad", truth_at=volume(moved_mm=4.0))
    with pytest.raises(DataError, match=r"case 'bad', true lung_nodule"):
        world.score()


def test_a_missing_file_and_a_damaged_scan_name_the_case(world: World) -> None:
    mask = boxes(BODY)
    world.add({"lung_nodule": mask}, {"lung_nodule": mask}, case_id="gone")
    world.predictions[0].lesions["lung_nodule"].unlink()
    with pytest.raises(DataError, match=r"case 'gone', predicted lung_nodule: .*no such file"):
        world.score()
    world.truths[0].volume.write_bytes(b"no scan at all")
    with pytest.raises(DataError, match=r"case 'gone': .*header cannot be read"):
        world.score()


def test_only_the_header_of_a_scan_is_read(world: World) -> None:
    mask = boxes(BODY)
    world.add({"lung_nodule": mask}, {"lung_nodule": mask})
    path = world.truths[0].volume
    path.write_bytes(path.read_bytes()[:400])
    assert cases(world.score())[0]["dice"] == 1


def test_without_the_scan_the_truth_gives_the_grid_and_it_is_said(world: World) -> None:
    mask = boxes(BODY)
    section = world.add({"lung_nodule": mask}, {"lung_nodule": mask}, with_volume=False).score()
    assert section.scores["macro_dice"].value == 1
    assert any("Cases without a scan to compare grids with: 1;" in text for text in section.warnings)


def test_empty_masks_follow_the_rule_that_the_notes_state(world: World) -> None:
    full, empty = boxes(BODY), boxes()
    world.add({"lung_nodule": full}, {"lung_nodule": full})
    world.add({"lung_nodule": full}, {"lung_nodule": empty})
    world.add({"lung_nodule": empty}, {"lung_nodule": full})
    world.add({"lung_nodule": empty}, {"lung_nodule": empty})
    world.add({"lung_nodule": empty}, {}, assessed=("lung_nodule",))
    section = world.score()
    rows = cases(section)
    expected = ["scored", "prediction empty", "truth empty", "both empty", "both empty"]
    assert [row["status"] for row in rows] == expected
    for name in ("dice", "iou", "nsd_2mm"):
        np.testing.assert_array_equal([row[name] for row in rows], [1, 0, 0, nan, nan])
    np.testing.assert_array_equal([row["hd95_mm"] for row in rows], [0, nan, nan, nan, nan])
    np.testing.assert_array_equal([row["sensitivity"] for row in rows], [1, 0, nan, nan, nan])
    np.testing.assert_array_equal([row["precision"] for row in rows], [1, nan, 0, nan, nan])
    np.testing.assert_array_equal([row["diameter_error_mm"] for row in rows], [0, nan, nan, nan, nan])
    values = {name: score.value for name, score in section.scores.items()}
    assert values["macro_dice"] == pytest.approx(1 / 3)
    assert values["macro_dice_present"] == 0.5
    assert values["hd95_mm"] == 0
    assert values["hd95_undefined"] == pytest.approx(2 / 3)
    assert values["specificity_of_empty"] == pytest.approx(2 / 3)
    assert section.scores["macro_dice"].n == 3
    assert section.scores["specificity_of_empty"].n == 3
    assert values["volume_abs_error_ml"] == pytest.approx(2 / 3 * (full > 0).sum() * VOXEL_ML)
    assert (values["lesion_sensitivity_dice"], values["lesion_precision_dice"]) == (0.5, 0.5)
    assert "both empty nothing is counted" in section.notes[0]


def test_a_missing_prediction_is_an_empty_one_but_no_true_negative(world: World) -> None:
    full, empty = boxes(BODY), boxes()
    world.add({"lung_nodule": full, "consolidation": full}, {"lung_nodule": full})
    world.add({"lung_nodule": full, "consolidation": full}, None)
    world.add({"lung_nodule": empty}, None)
    section = world.score()
    rows = {(row["case_id"], row["finding"]): row for row in cases(section)}
    assert rows["case_1", "lung_nodule"]["status"] == rows["case_2", "lung_nodule"]["status"] == "missing"
    assert rows["case_1", "lung_nodule"]["dice"] == 0
    assert isnan(rows["case_2", "lung_nodule"]["dice"])
    assert section.scores["specificity_of_empty"].value == 0
    # No prediction ever looked for consolidation: a missing one is not blamed for it.
    assert rows["case_0", "consolidation"]["status"] == rows["case_1", "consolidation"]["status"] == "not assessed"
    assert any("Cases without a prediction: 2;" in text for text in section.warnings)


def test_what_was_not_looked_for_and_what_is_not_known_is_not_scored_but_counted(world: World) -> None:
    full = boxes(BODY)
    world.add({"lung_nodule": full, "pleural_effusion": full}, {"lung_nodule": full, "consolidation": full})
    section = world.score()
    status = {row["finding"]: row["status"] for row in cases(section)}
    assert status == {"lung_nodule": "scored", "pleural_effusion": "not assessed", "consolidation": "unknown truth"}
    assert [row[0] for row in section.classes.rows if row[1] == "all"] == ["lung_nodule"]
    said = " ".join(section.warnings)
    assert "True masks that no prediction says it looked for: 1;" in said
    assert "Predicted masks whose truth is unknown: 1;" in said


def test_a_prediction_without_any_mask_gives_undefined_scores_with_the_reason(world: World) -> None:
    section = world.add({"lung_nodule": boxes(BODY)}, {}).score(resamples=20)
    assert all(isnan(score.value) and score.why for score in section.scores.values())
    assert any("No finding has both" in text for text in section.warnings)


def test_of_a_partial_truth_only_the_outlined_lesions_count(world: World) -> None:
    truth = boxes(np.s_[2:4, 2:6, 2:6])
    predicted = boxes(np.s_[2:4, 2:6, 2:5], np.s_[8:16, 2:20, 2:20])  # the second may be right, and is large
    world.add({"lung_nodule": truth}, {"lung_nodule": predicted}, partial=frozenset({"lung_nodule"}))
    section = world.score()
    (row,) = cases(section)
    assert row["status"] == "partial truth"
    for name in ("dice", "iou", "hd95_mm", "nsd_2mm", "precision", "lesions_false", "volume_error_ml"):
        assert isnan(row[name]), name
    assert row["sensitivity"] == 0.75
    assert (row["hit"], row["lesions_found"]) == (1, 1)
    assert section.scores["hit_rate"].value == section.scores["instance_recall"].value == 1
    for name in ("macro_dice", "instance_precision", "instance_f1", "froc", "macro_precision"):
        assert isnan(section.scores[name].value), name
    assert any("partial truth: 1;" in text for text in section.warnings)


def test_hits_and_instances_are_counted_as_rexgroundingct_does(world: World) -> None:
    one, two = np.s_[2:4, 2:6, 2:6], np.s_[8:10, 2:6, 2:6]
    world.add({"lung_nodule": boxes(one, two)}, {"lung_nodule": boxes(one)})  # Dice 2/3: hit, 1 of 2
    world.add({"consolidation": boxes(BODY)}, {"consolidation": boxes(np.s_[4:10, 4:5, 4:11])})  # Dice .09: neither
    world.add({"lung_nodule": boxes()}, {"lung_nodule": boxes(two)})
    values = {name: score.value for name, score in world.score().scores.items()}
    assert values["hit_rate"] == 0.5
    assert values["instance_recall"] == pytest.approx(1 / 3)
    assert values["instance_precision"] == pytest.approx(1 / 3)
    assert values["instance_f1"] == pytest.approx(1 / 3)
    assert values["mean_dice"] == pytest.approx((2 / 3 + cases(world.score())[1]["dice"]) / 3)
    assert values["macro_dice"] == pytest.approx((1 / 3 + cases(world.score())[1]["dice"]) / 2)


def test_bands_hold_cases_by_volume_and_lesions_by_diameter(world: World) -> None:
    small, large = np.s_[2:4, 2:6, 2:6], np.s_[6:16, 2:20, 2:20]  # 0.05 ml and 4.5 mm; 5.1 ml and 20 mm
    world.add({"lung_nodule": boxes(small)}, {"lung_nodule": boxes()})
    world.add({"lung_nodule": boxes(small, large)}, {"lung_nodule": boxes(large)})
    section = world.score()
    assert (classes(section, band="<0.1 ml")["dice"], classes(section, band="<0.1 ml")["n"]) == (0, 1)
    assert classes(section, band="1-10 ml")["dice"] > 0.98
    assert isnan(classes(section, band=">=100 ml")["dice"])
    assert classes(section, band="lesions <6 mm")["lesion_sensitivity_dice"] == 0
    assert classes(section, band="lesions <6 mm")["lesions"] == 2
    assert classes(section, band="lesions 20-30 mm")["lesion_sensitivity_dice"] == 1
    assert classes(section, band="lesions 20-30 mm")["dice"] == 1
    assert classes(section, band="lesions 20-30 mm")["hd95_mm"] is None


def test_froc_follows_the_probability_of_the_predicted_lesions(world: World) -> None:
    one, two, three = np.s_[2:4, 2:6, 2:6], np.s_[8:10, 2:6, 2:6], np.s_[13:15, 2:6, 2:6]
    prob = {("lung_nodule", 1): 0.9, ("lung_nodule", 2): 0.3, ("lung_nodule", 3): 0.6}
    world.add({"lung_nodule": boxes(one, two)}, {"lung_nodule": boxes(one, two, three)}, prob=prob)
    world.add({"lung_nodule": boxes()}, {"lung_nodule": boxes()})
    section = world.score()
    false, found = section.curves["froc"]["lung_nodule"]
    np.testing.assert_array_equal(false, [0, 0, 0.5, 0.5])
    np.testing.assert_array_equal(found, [0, 0.5, 0.5, 1])
    assert section.scores["froc"].value == pytest.approx((2 * 0.5 + 5 * 1.0) / 7)
    assert section.scores["froc_iou"].value == section.scores["froc"].value


def test_froc_without_probabilities_is_undefined_and_says_why(world: World) -> None:
    score = world.add({"lung_nodule": boxes(BODY)}, {"lung_nodule": boxes(BODY)}).score().scores["froc"]
    assert isnan(score.value)
    assert "no probability" in score.why


def test_two_reconstructions_of_a_scan_count_as_one(world: World) -> None:
    full, empty = boxes(BODY), boxes()
    for scan, predicted in (("s1", full), ("s1", full), ("s2", empty)):
        found = {("lung_nodule", 1): 0.5}
        world.add({"lung_nodule": full}, {"lung_nodule": predicted}, patient="p" + scan, scan=scan, prob=found)
    by_scan, by_case = world.score(unit="scan"), world.score(unit="reconstruction")
    for name in ("macro_dice", "hit_rate", "instance_recall", "froc", "lesion_f1_distance"):
        expected = (0.5, 2 / 3) if name != "lesion_f1_distance" else (2 / 3, 0.8)
        assert by_scan.scores[name].value == pytest.approx(expected[0]), name
        assert by_case.scores[name].value == pytest.approx(expected[1]), name
    assert (by_scan.scores["macro_dice"].n, by_case.scores["macro_dice"].n) == (2, 3)
    with pytest.raises(ValueError, match="unit 'patient'"):
        world.score(unit="patient")


def test_intervals_are_of_patients_and_hold_the_value(world: World) -> None:
    for row in range(6):
        world.add({"lung_nodule": boxes(BODY)}, {"lung_nodule": boxes(np.s_[4:10, 4:16, 4 : 8 + row])})
    section = world.score(resamples=200, seed=1)
    score = section.scores["macro_dice"]
    assert score.low < score.value < score.high
    assert classes(section)["dice_low"] == score.low
    assert score == world.score(resamples=200, seed=1).scores["macro_dice"]
    alone = World(world.root / "x")
    alone.root.mkdir()
    one = alone.add({"lung_nodule": boxes(BODY)}, {"lung_nodule": boxes(BODY)}).score(resamples=50)
    assert isnan(one.scores["macro_dice"].low)


def test_the_oracle_stands_beside_the_dice_and_uses_the_regions_of_the_prediction(world: World) -> None:
    regions = np.zeros(SHAPE, np.uint8)
    regions[0:14, 2:20, 2:10], regions[0:14, 2:20, 12:20] = 1, 4
    small = boxes(np.s_[7:10, 8:14, 8:12])
    own = world.root / "prediction"
    own.mkdir()
    save_mask(own / "regions.nii.gz", regions, volume(), description="test")
    other = world.mask("regions_elsewhere", np.roll(regions, 3, 0), volume())
    world.add({"lung_nodule": small}, {"lung_nodule": small}, regions=other, folder=own)
    world.add({"lung_nodule": small}, {"lung_nodule": small}, regions=other)
    world.add({"lung_nodule": small}, {"lung_nodule": small}, regions=world.root / "regions_here.nii.gz")
    save_mask(world.root / "regions_here.nii.gz", regions, volume(), description="test")
    grid = GridConfig(shape=(16, 24, 24), spacing_mm=(6.5, 3.0, 3.0))
    first, second, third = (row["oracle_dice"] for row in cases(world.score(grid=grid)))
    assert first == third != second
    assert 0 < first < 1
    fine = world.score(grid=GridConfig(shape=(32, 32, 32), spacing_mm=SPACING))
    assert fine.scores["oracle_dice"].value == 1
    assert classes(fine, band="lesions <6 mm")["oracle_dice"] == 1


def test_without_a_lung_there_is_no_oracle_and_it_is_said(world: World) -> None:
    section = world.add({"lung_nodule": boxes(BODY)}, {"lung_nodule": boxes(BODY)}).score(grid=GridConfig())
    assert isnan(section.scores["oracle_dice"].value)
    assert any("Masks without an oracle Dice: 1;" in text for text in section.warnings)


def test_a_truth_may_be_a_value_of_a_file(world: World) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:4, 2:6, 2:6], labels[8:10, 2:6, 2:6], labels[13:15, 2:6, 2:6] = 2, 2, 1
    world.add({"lung_nodule": labels}, {"lung_nodule": boxes(np.s_[2:4, 2:6, 2:6])})
    path = world.truths[0].lesions["lung_nodule"]
    for with_scan in (True, False):
        world.truths[0] = Truth(
            case_id="case_0",
            patient="p",
            scan="s",
            lesions={"lung_nodule": path.with_name(f"{path.name}#value=2")},
            volume=world.truths[0].volume if with_scan else None,
        )
        (row,) = cases(world.score())
        assert (row["lesions_truth"], row["lesions_found"]) == (2, 1)
    world.truths[0].lesions["lung_nodule"] = path.with_name(f"{path.name}#slice=2")
    with pytest.raises(DataError, match="names no part"):
        world.score()


def test_a_truth_may_be_findings_of_a_file_of_rexgroundingct(world: World) -> None:
    one, two = boxes(np.s_[2:4, 2:6, 2:6]), boxes(np.s_[8:10, 2:6, 2:6], np.s_[13:15, 2:6, 2:6])
    world.add({"lung_nodule": one}, {"lung_nodule": boxes(np.s_[13:15, 2:6, 2:6])})
    stored = np.stack([volume().stored.to_stored(mask) for mask in (one, np.zeros_like(one), two)])

    def write(affine: np.ndarray) -> None:
        nib.save(nib.Nifti1Image(stored, affine), world.root / "rex.nii.gz")

    world.truths[0].lesions["lung_nodule"] = world.root / "rex.nii.gz#findings=0,2"
    write(np.eye(4))  # as the data set's masks are: the scan's own axes, whatever the affine says
    (row,) = cases(world.score())
    assert (row["lesions_truth"], row["lesions_found"], row["precision"]) == (3, 1, 1)
    write(volume().stored.affine)
    assert cases(world.score())[0]["precision"] == 1
    write(np.diag([-1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(DataError, match=r"case 'case_0', true lung_nodule: .*neither the identity"):
        world.score()
    write(np.eye(4))
    world.truths[0].lesions["lung_nodule"] = world.root / "rex.nii.gz#findings=7"
    with pytest.raises(DataError, match="has 3 findings, but finding 7"):
        world.score()


def test_progress_tells_every_case(world: World) -> None:
    for _ in range(3):
        world.add({"lung_nodule": boxes(BODY)}, {"lung_nodule": boxes(BODY)})
    told: list[tuple[int, int]] = []
    world.score(progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
