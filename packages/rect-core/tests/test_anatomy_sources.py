"""Regions from a given map and from TotalSegmentator: right sides, right names, or a refusal."""

import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.anatomy import lobes_from_totalsegmentator, regions
from rect_core.anatomy.totalsegmentator import V1, V2, class_region
from rect_core.errors import ScanError
from rect_core.findings import REGIONS, region_value
from rect_core.volume import StoredGrid, Volume

LOBES_R = ("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right")
V2_IDS = {
    "spleen": 1,
    "liver": 5,
    "stomach": 6,
    "lung_upper_lobe_left": 10,
    "lung_lower_lobe_left": 11,
    "lung_upper_lobe_right": 12,
    "lung_middle_lobe_right": 13,
    "lung_lower_lobe_right": 14,
    "esophagus": 15,
    "trachea": 16,
    "vertebrae_S1": 26,
    "vertebrae_L5": 27,
    "vertebrae_T1": 43,
    "vertebrae_C1": 50,
    "heart": 51,
    "aorta": 52,
    "pulmonary_vein": 53,
    "subclavian_artery_right": 55,
    "common_carotid_artery_left": 58,
    "atrial_appendage_left": 61,
    "superior_vena_cava": 62,
    "inferior_vena_cava": 63,
    "scapula_left": 71,
    "spinal_cord": 79,
    "skull": 91,
    "rib_left_1": 92,
    "rib_right_12": 115,
    "sternum": 116,
    "costal_cartilages": 117,
}
V1_IDS = {
    "aorta": 7,
    "pancreas": 10,
    "lung_upper_lobe_left": 13,
    "lung_lower_lobe_right": 17,
    "vertebrae_L5": 18,
    "esophagus": 42,
    "trachea": 43,
    "heart_myocardium": 44,
    "heart_ventricle_right": 48,
    "pulmonary_artery": 49,
    "rib_left_1": 58,
    "rib_right_12": 81,
    "scapula_left": 84,
    "sacrum": 92,
    "urinary_bladder": 104,
}


@pytest.fixture(scope="module")
def scan() -> Volume:
    import nrrd

    spec = importlib.util.find_spec("slicerio")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    hu, header = nrrd.read(str(Path(spec.submodule_search_locations[0]) / "data" / "CTChest4.nrrd"))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = header["space directions"].T, header["space origin"]
    grid = StoredGrid(shape=hu.shape, affine=np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    house = np.clip(grid.to_house(hu.astype(np.int16)), -1024, None)
    return Volume(hu=house, affine=grid.house_affine, stored=grid, case_id="chest")


@pytest.fixture(scope="module")
def classical(scan: Volume) -> np.ndarray:
    return regions(scan).labels


@pytest.fixture(scope="module")
def classes(classical: np.ndarray) -> dict[str, np.ndarray]:
    """Masks as TotalSegmentator would name them, cut from the scan's own regions: [d h w] bool."""
    low = (np.arange(len(classical)) < 18)[:, None, None]
    right, left = np.isin(classical, (1, 2, 3)), np.isin(classical, (4, 5, 6))
    front = (np.arange(classical.shape[1]) < 55)[None, :, None]
    masks = {
        "lung_upper_lobe_left": left & ~low,
        "lung_lower_lobe_left": left & low,
        "lung_upper_lobe_right": right & ~low,
        "lung_middle_lobe_right": right & low & front,
        "lung_lower_lobe_right": right & low & ~front,
    }
    for name, region in (("trachea", "airway"), ("liver", "liver"), ("vertebrae_T6", "spine"), ("rib_left_4", None)):
        masks[name] = classical == (region_value(region) if region else 16)
    return masks


def label_file(masks: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    labels = np.zeros(next(iter(masks.values())).shape, np.uint8)
    for name, mask in masks.items():
        labels[mask] = names.index(name) + 1
    return labels


def save(path: Path, labels: np.ndarray, scan: Volume, names: tuple[str, ...] = ()) -> Path:
    stored = np.ascontiguousarray(scan.stored.to_stored(labels))
    image = nib.Nifti1Image(stored, scan.stored.affine)
    if names:
        rows = "".join(
            f'<Label Key="{i}" Red="1" Green="0" Blue="0" Alpha="1"><![CDATA[{n}]]></Label>'
            for i, n in enumerate(names, 1)
        )
        xml = f'<?xml version="1.0" encoding="UTF-8"?><CaretExtension><VolumeInformation Index="0"><LabelTable>{rows}'
        xml += "</LabelTable></VolumeInformation></CaretExtension>"
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, xml.encode()))
    nib.save(image, path)
    return path


def test_class_tables_have_the_published_numbers() -> None:
    assert (len(V2), len(V1)) == (117, 104)
    assert len(set(V2)) == 117
    assert {name: V2.index(name) + 1 for name in V2_IDS} == V2_IDS
    assert {name: V1.index(name) + 1 for name in V1_IDS} == V1_IDS


def test_classes_go_to_their_regions() -> None:
    expected = {"heart": "heart", "esophagus": "oesophagus", "pulmonary_vein": "other mediastinum", "aorta": "aorta"}
    expected |= {"vertebrae_C7": "spine", "rib_right_3": "ribs and sternum", "spleen": "stomach and spleen"}
    expected |= {"pulmonary_artery": "pulmonary artery", "kidney_left": "rest of the body"}
    assert {name: REGIONS[class_region(name) - 1] for name in expected} == expected
    assert class_region("lung_nodules") == 0


def test_a_given_map_comes_back_unchanged_from_file_and_array(
    tmp_path: Path, scan: Volume, classical: np.ndarray
) -> None:
    path = save(tmp_path / "regions.nii.gz", classical, scan)
    for source in (path, str(path), np.ascontiguousarray(scan.stored.to_stored(classical)), nib.load(path)):
        given = regions(scan, source)
        assert given.origin == "given"
        np.testing.assert_array_equal(given.labels, classical)


@pytest.mark.parametrize("tables", [True, False])
@pytest.mark.parametrize("names", [V2, V1])
def test_a_totalsegmentator_file_is_known_by_its_header_or_its_values(
    names: tuple[str, ...], tables: bool, tmp_path: Path, scan: Volume, classes: dict[str, np.ndarray]
) -> None:
    labels = label_file(classes, names)
    path = save(tmp_path / "total.nii.gz", labels, scan, names if tables else ())
    found = regions(scan, path)
    assert found.origin == "totalsegmentator"
    assert found.present[region_value("liver") - 1]
    np.testing.assert_array_equal(
        np.isin(found.labels, (1, 2, 3)), np.isin(labels, [names.index(n) + 1 for n in LOBES_R])
    )
    np.testing.assert_array_equal(found.labels == region_value("airway"), classes["trachea"])
    assert found.present[region_value("right pleural shell") - 1]
    assert found.present[region_value("chest wall") - 1]
    assert not found.present[region_value("pulmonary artery") - 1]
    assert any("pulmonary artery" in warning for warning in found.warnings) == (names is V2)


def test_a_totalsegmentator_folder_gives_the_same_map_as_its_file(
    tmp_path: Path, scan: Volume, classes: dict[str, np.ndarray]
) -> None:
    folder = tmp_path / "segmentations"
    folder.mkdir()
    for name, mask in classes.items():
        save(folder / f"{name}.nii.gz", mask.astype(np.uint8), scan)
    save(folder / "lung_nodules.nii.gz", np.ones(scan.shape, np.uint8), scan)
    from_file = regions(scan, save(tmp_path / "total.nii.gz", label_file(classes, V2), scan))
    from_folder = regions(scan, folder)
    assert from_folder.origin == "totalsegmentator"
    np.testing.assert_array_equal(from_folder.labels, from_file.labels)
    np.testing.assert_array_equal(
        lobes_from_totalsegmentator(scan, folder), lobes_from_totalsegmentator(scan, tmp_path / "total.nii.gz")
    )


def test_lobes_keep_their_own_numbers(tmp_path: Path, scan: Volume, classes: dict[str, np.ndarray]) -> None:
    lobes = lobes_from_totalsegmentator(scan, save(tmp_path / "t.nii.gz", label_file(classes, V2), scan))
    order = (*LOBES_R, "lung_upper_lobe_left", "lung_lower_lobe_left")
    for value, name in enumerate(order, start=1):
        np.testing.assert_array_equal(lobes == value, classes[name])


def test_zones_come_from_thirds_of_the_lung_and_not_from_lobes(
    tmp_path: Path, scan: Volume, classes: dict[str, np.ndarray], classical: np.ndarray
) -> None:
    found = regions(scan, save(tmp_path / "t.nii.gz", label_file(classes, V2), scan)).labels
    for value in range(1, 7):
        np.testing.assert_array_equal(found == value, classical == value)


def test_a_mirrored_map_is_refused(scan: Volume, classical: np.ndarray, classes: dict[str, np.ndarray]) -> None:
    for labels in (classical, label_file(classes, V2)):
        mirrored = np.ascontiguousarray(scan.stored.to_stored(labels[:, :, ::-1]))
        with pytest.raises(ScanError, match=r"mirrored|does not fit") as caught:
            regions(scan, mirrored)
        assert caught.value.check == "regions"


def test_an_upside_down_map_is_refused(scan: Volume, classical: np.ndarray) -> None:
    swapped = np.array([0, 3, 2, 1, 6, 5, 4, *range(7, 21)], np.uint8)[classical]
    with pytest.raises(ScanError, match="upside down"):
        regions(scan, np.ascontiguousarray(scan.stored.to_stored(swapped)))


def test_a_map_of_another_scan_or_without_lungs_is_refused(scan: Volume, classical: np.ndarray) -> None:
    moved = np.roll(classical, (60, 0), axis=(1, 2))
    with pytest.raises(ScanError, match="of its lung zones is air inside the body"):
        regions(scan, np.ascontiguousarray(scan.stored.to_stored(moved)))
    bones = np.where(classical == 15, 15, 0).astype(np.uint8)
    with pytest.raises(ScanError, match="it holds no lung"):
        regions(scan, np.ascontiguousarray(scan.stored.to_stored(bones)))


def test_values_above_every_numbering_are_refused(scan: Volume, classical: np.ndarray) -> None:
    high = np.where(classical == 7, 200, classical).astype(np.uint8)
    with pytest.raises(ScanError, match=r"highest value is 200.*values 0 to 20"):
        regions(scan, np.ascontiguousarray(scan.stored.to_stored(high)))


def test_a_folder_without_totalsegmentator_masks_is_refused(tmp_path: Path, scan: Volume) -> None:
    with pytest.raises(ScanError, match="no TotalSegmentator mask in this folder"):
        regions(scan, tmp_path)


def test_a_map_of_half_the_lungs_is_refused(scan: Volume, classical: np.ndarray) -> None:
    lower = np.where(np.isin(classical, (1, 2, 4, 5)), 17, classical).astype(np.uint8)
    with pytest.raises(ScanError, match="of the lung-like air"):
        regions(scan, np.ascontiguousarray(scan.stored.to_stored(lower)))


def test_a_single_lung_on_the_wrong_side_is_refused(scan: Volume, classical: np.ndarray) -> None:
    hu = np.where(np.isin(classical, (4, 5, 6)), np.int16(30), scan.hu).astype(np.int16)
    opaque = Volume(hu=hu, affine=scan.affine, stored=scan.stored, case_id="opaque")
    named_left = np.where(np.isin(classical, (1, 2, 3)), classical + 3, 0).astype(np.uint8)
    with pytest.raises(ScanError, match="mirrored"):
        regions(opaque, np.ascontiguousarray(scan.stored.to_stored(named_left)))
    named_right = np.where(np.isin(classical, (1, 2, 3)), classical, 0).astype(np.uint8)
    assert regions(opaque, np.ascontiguousarray(scan.stored.to_stored(named_right))).origin == "given"


def test_a_destroyed_lung_does_not_make_a_given_map_unfit(scan: Volume, classical: np.ndarray) -> None:
    hu = np.where(np.isin(classical, (4, 5, 6)), np.int16(30), scan.hu).astype(np.int16)
    opaque = Volume(hu=hu, affine=scan.affine, stored=scan.stored, case_id="opaque")
    assert regions(opaque, np.ascontiguousarray(scan.stored.to_stored(classical))).origin == "given"
