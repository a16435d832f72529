"""Findings drawn into the lungs of a scan that is already there; a phantom without findings stands for the scan."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from rect_core.anatomy import RegionMap
from rect_core.errors import ScanError
from rect_core.findings import LABEL_OF_LOCALIZED, LABELS, region_value
from rect_core.volume import StoredGrid, Volume
from rect_data.phantom import Case
from rect_data.phantom.insert import INSERTABLE, Insertion, insert

CHOSEN = ("Lung nodule", "Consolidation", "Pleural effusion")
MASKED = {finding: label for finding, label in LABEL_OF_LOCALIZED.items() if label in CHOSEN}


@dataclass(frozen=True)
class Scan:
    volume: Volume
    regions: RegionMap
    lobes: np.ndarray


@pytest.fixture(scope="module")
def scan(cases: tuple[Case, Case, Case]) -> Scan:
    """The phantom without any finding, with every second slice left out: 6 mm slices, as old scans have."""
    case = cases[2]
    hu = np.ascontiguousarray(case.volume.hu[::2])
    affine = case.volume.affine @ np.diag([2.0, 1, 1, 1])
    stored = StoredGrid(shape=(hu.shape[0], hu.shape[1], hu.shape[2]), affine=affine)
    house = Volume(hu=stored.to_house(hu), affine=stored.house_affine, stored=stored, case_id="scan")
    regions = replace(case.regions, labels=np.ascontiguousarray(case.regions.labels[::2]))
    return Scan(house, regions, np.ascontiguousarray(case.lobes[::2]))


@pytest.fixture(scope="module")
def done(scan: Scan) -> Insertion:
    return insert(scan.volume, scan.regions, CHOSEN, 4)


def lesion_voxels(done: Insertion) -> np.ndarray:
    return np.any([crop.dense() > 0 for crop in done.lesions.crops.values()], axis=0)


def test_the_scan_keeps_its_grid_and_type(scan: Scan, done: Insertion) -> None:
    assert done.volume.hu.dtype == np.int16
    assert done.volume.shape == scan.volume.shape
    assert np.array_equal(done.volume.affine, scan.volume.affine)
    assert done.volume.stored == scan.volume.stored


def test_every_chosen_finding_has_a_mask_inside_the_lungs(scan: Scan, done: Insertion) -> None:
    assert set(done.lesions.asked) == set(MASKED)
    for finding in MASKED:
        mask = done.lesions.crops[finding].dense() > 0
        assert mask.any(), finding
        assert scan.regions.lungs[mask].all(), finding


def test_nothing_changes_away_from_the_lungs(scan: Scan, done: Insertion) -> None:
    from scipy import ndimage

    changed = done.volume.hu != scan.volume.hu
    assert changed[lesion_voxels(done)].mean() > 0.95
    assert not changed[~ndimage.maximum_filter(scan.regions.lungs, 5)].any()
    assert changed.mean() < 0.1


def test_only_what_was_inserted_is_known(done: Insertion) -> None:
    known = {label for label, value in zip(LABELS, done.labels, strict=True) if value == 1}
    assert known == set(CHOSEN)
    assert sum(np.isnan(done.labels)) == len(LABELS) - len(CHOSEN)
    assert {fact.label for fact in done.facts} == set(CHOSEN)


def test_fluid_is_no_lung_any_more(done: Insertion) -> None:
    fluid = done.lesions.crops["pleural_effusion"].dense() > 0
    assert not done.regions.lungs[fluid].any()
    assert not done.lobes[fluid].any()
    assert -40 < np.median(done.volume.hu[fluid]) < 60


def test_lesions_are_as_noisy_as_the_scan(scan: Scan, done: Insertion) -> None:
    from scipy import ndimage

    hu = done.volume.hu.astype(np.float32)
    rest = hu - ndimage.uniform_filter(hu, (1, 3, 3))
    tissues = (done.lesions.crops["pleural_effusion"].dense() > 0, scan.regions.labels == region_value("liver"))
    fluid, liver = (rest[ndimage.minimum_filter(tissue, (1, 5, 5))].std() for tissue in tissues)
    assert 0.5 < fluid / liver < 1.6


def test_a_seed_inserts_the_same_again_and_another_does_not(scan: Scan) -> None:
    one, again, other = (insert(scan.volume, scan.regions, ["Lung nodule"], seed) for seed in (1, 1, 2))
    assert np.array_equal(one.volume.hu, again.volume.hu)
    assert one.facts == again.facts
    assert not np.array_equal(one.volume.hu, other.volume.hu)


def test_given_lobes_are_kept(scan: Scan) -> None:
    done = insert(scan.volume, scan.regions, ["Lung nodule"], 3, lobes=scan.lobes)
    lung = scan.regions.lungs & (scan.lobes > 0)
    assert (done.lobes[lung] == scan.lobes[lung]).mean() > 0.99


def test_fitted_lobes_resemble_the_true_ones(scan: Scan, done: Insertion) -> None:
    lung = done.regions.lungs & (scan.lobes > 0)
    assert (done.lobes[lung] == scan.lobes[lung]).mean() > 0.75


@pytest.mark.parametrize("labels", [["Cardiomegaly"], ["Lung nodule", "Hiatal hernia"], []])
def test_other_labels_are_refused_with_the_list_of_possible_ones(scan: Scan, labels: list[str]) -> None:
    with pytest.raises(ValueError, match=", ".join(INSERTABLE)):
        insert(scan.volume, scan.regions, labels, 1)


def test_a_map_without_lungs_is_refused(scan: Scan) -> None:
    empty = replace(scan.regions, labels=np.zeros_like(scan.regions.labels))
    with pytest.raises(ScanError, match="no lung"):
        insert(scan.volume, empty, ["Lung nodule"], 1)


def test_maps_of_another_size_are_refused(scan: Scan) -> None:
    cut = replace(scan.regions, labels=scan.regions.labels[:-1])
    with pytest.raises(ValueError, match=r"the region map has .* voxels but the scan 'scan'"):
        insert(scan.volume, cut, ["Lung nodule"], 1)
    with pytest.raises(ValueError, match=r"the lobe map has .* voxels but the scan 'scan'"):
        insert(scan.volume, scan.regions, ["Lung nodule"], 1, lobes=scan.lobes[:, :-2])


def test_lobes_that_do_not_exist_and_negative_seeds_are_refused(scan: Scan) -> None:
    with pytest.raises(ValueError, match="the lobe map has the value 9: give 0 to 5"):
        insert(scan.volume, scan.regions, ["Lung nodule"], 1, lobes=np.full_like(scan.lobes, 9))
    with pytest.raises(ValueError, match="seed -1 is negative"):
        insert(scan.volume, scan.regions, ["Lung nodule"], -1)


def test_a_crumb_of_lung_is_refused(scan: Scan) -> None:
    crumb = np.zeros_like(scan.regions.labels)
    crumb[20, 60, 60] = 1
    with pytest.raises(ScanError, match="ml of lung, less than 100"):
        insert(scan.volume, replace(scan.regions, labels=crumb), ["Lung nodule"], 1)


def test_the_order_in_which_a_file_stores_its_voxels_changes_nothing(scan: Scan) -> None:
    one = insert(scan.volume, scan.regions, ["Lung nodule"], 1)
    for axes in ("LPS", "PIR"):
        turned = insert(stored_as(scan.volume, axes), scan.regions, ["Lung nodule"], 1)
        assert turned.volume.stored.axes == axes
        assert np.array_equal(one.volume.hu, turned.volume.hu)
        assert [lesion.side for lesion in one.lesions] == [lesion.side for lesion in turned.lesions]


def stored_as(volume: Volume, axes: str) -> Volume:
    """The same scan from a file with other axes."""
    from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

    old = volume.stored
    turn = ornt_transform(io_orientation(old.affine), axcodes2ornt(axes))
    shape = tuple(old.shape[int(np.flatnonzero(turn[:, 0] == axis)[0])] for axis in range(3))
    stored = StoredGrid(shape=(shape[0], shape[1], shape[2]), affine=old.affine @ inv_ornt_aff(turn, old.shape))
    return Volume(hu=volume.hu, affine=stored.house_affine, stored=stored, case_id="scan")
