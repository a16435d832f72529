"""What would make a localization score silently wrong: cases left out, plain masks, odd names, foreign region maps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rect_core.frame import GridConfig
from rect_core.masks import save_mask, save_volume
from rect_core.volume import StoredGrid, Volume
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.localization import localize_section
from rect_eval.localization.regions import regions_of
from rect_eval.localization.sizes import lesion_diameters, longest_diameter
from rect_eval.scores import Section

SHAPE = (12, 16, 20)
ONE, OTHER = np.s_[2:5, 2:6, 2:6], np.s_[7:10, 9:13, 12:17]


def scan() -> Volume:
    affine = np.array([[0, 0, -1.0, 90], [0, -1.0, 0, 30], [2.0, 0, 0, 0], [0, 0, 0, 1]])
    grid = StoredGrid(shape=SHAPE, affine=affine)
    return Volume(hu=np.zeros(SHAPE, np.int16), affine=grid.house_affine, stored=grid, case_id="scan")


def ids(**values: Any) -> np.ndarray:
    """A mask with `one` and `other` at the two places."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[ONE], mask[OTHER] = values.get("one", 0), values.get("other", 0)
    return mask


def saved(path: Path, mask: np.ndarray) -> Path:
    save_mask(path, mask, scan(), description="test")
    return path


def truth(case: str, mask: Path, **more: Any) -> Truth:
    return Truth(case_id=case, patient=case, scan=case, lesions={"lung_nodule": mask}, **more)


def score(*pairs: tuple[Truth, Predicted | None], **more: Any) -> Section:
    truths, predictions = zip(*pairs, strict=True)
    return localize_section(Pairs(truths=truths, predictions=predictions), grid=None, resamples=0, **more)


def rows(section: Section) -> list[dict[str, Any]]:
    return [dict(zip(section.cases.columns, row, strict=True)) for row in section.cases.rows]


def test_a_system_cannot_choose_the_cases_it_is_scored_on(tmp_path: Path) -> None:
    mask = saved(tmp_path / "m.nii.gz", ids(one=1))
    easy = truth("easy", mask), Predicted(case_id="easy", lesions={"lung_nodule": mask})
    hard = truth("hard", mask), Predicted(case_id="hard", prob=(0.5,) * 18)
    section = score(easy, hard)
    assert [(row["status"], row["dice"]) for row in rows(section)] == [("scored", 1.0), ("missing", 0.0)]
    assert section.scores["macro_dice"].value == 0.5
    assert any("did not look for, though others did: 1;" in text for text in section.warnings)
    assert not any("Cases without a prediction" in text for text in section.warnings)


def test_what_was_not_looked_for_is_no_true_negative(tmp_path: Path) -> None:
    empty = saved(tmp_path / "m.nii.gz", ids())
    looked = truth("a", empty), Predicted(case_id="a", assessed=("lung_nodule",))
    section = score(looked, (truth("b", empty), Predicted(case_id="b")))
    assert section.scores["specificity_of_empty"].value == 0.5


@pytest.mark.parametrize(("one", "other", "lumped"), [(1, 1, 2), (1, 2, 0), (1, 0, 0), (0, 0, 0), (7, 7, 2)])
def test_one_id_in_several_pieces_is_said_to_count_as_one_lesion(
    tmp_path: Path, one: int, other: int, lumped: int
) -> None:
    mask = saved(tmp_path / "m.nii.gz", ids(one=one, other=other))
    section = score((truth("a", mask), Predicted(case_id="a", lesions={"lung_nodule": mask})))
    said = [text for text in section.warnings if "hold one id in several separate pieces" in text]
    assert len(said) == bool(lumped)
    assert all(f"pieces: {lumped};" in text for text in said)


@pytest.mark.parametrize("name", ["a#b.nii.gz", "a#1#2.nii.gz", "#.nii.gz"])
@pytest.mark.parametrize("with_volume", [True, False])
def test_a_number_sign_in_a_name_names_no_part(tmp_path: Path, name: str, with_volume: bool) -> None:
    mask = saved(tmp_path / name, ids(one=1, other=2))
    save_volume(tmp_path / "scan.nii.gz", scan(), description="test")
    volume = tmp_path / "scan.nii.gz" if with_volume else None
    whole = truth("a", mask, volume=volume), Predicted(case_id="a", lesions={"lung_nodule": mask})
    assert rows(score(whole))[0]["dice"] == 1
    part = truth("a", mask.with_name(f"{name}#value=2"), volume=volume), whole[1]
    assert rows(score(part))[0]["lesions_truth"] == 1


def test_a_map_that_is_numbered_otherwise_is_not_taken_for_ours(tmp_path: Path) -> None:
    """The values of a foreign map (here: 1 on the patient's left) are no regions of ours though they are below 20."""
    ours = np.zeros(SHAPE, np.uint8)
    for number, (d, w) in enumerate([(8, 2), (5, 2), (2, 2), (8, 12), (5, 12), (2, 12)], 1):
        ours[d : d + 3, 4:12, w : w + 6] = number
    case = truth("a", saved(tmp_path / "m.nii.gz", ids(one=1)), regions=saved(tmp_path / "r.nii.gz", ours))
    found = regions_of(case, None, scan(), None)
    assert found is not None
    np.testing.assert_array_equal(found.labels, ours)
    other = truth("a", tmp_path / "m.nii.gz", regions=saved(tmp_path / "s.nii.gz", ours[:, :, ::-1]))
    assert regions_of(other, None, scan(), None) is None
    grid = GridConfig(shape=(8, 8, 8), spacing_mm=(2.0, 2.0, 2.0))
    section = localize_section(
        Pairs(truths=(other,), predictions=(Predicted(case_id="a", assessed=("lung_nodule",)),)), grid=grid, resamples=0
    )
    assert any("Masks without an oracle Dice: 1" in text for text in section.warnings)


@pytest.mark.parametrize("seed", range(5))
def test_the_longest_of_many_diameters_is_found_without_measuring_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = [rng.random(rng.integers(1, 8, 3)) < 0.4 for _ in range(30)]
    lesions = [(mask, (0, 0, 0)) for mask in masks if mask.any()]
    spacing = (2.0, 0.7, 0.9)
    assert longest_diameter(lesions, spacing) == lesion_diameters(lesions, spacing).max()
