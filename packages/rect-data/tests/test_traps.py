"""Every trap of CT-RATE, planted into a copy of the phantom tree: each is caught or repaired, with its message."""

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.anatomy import RegionMap, regions
from rect_core.errors import DataError, ScanError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.frame import GridConfig
from rect_core.manifest import read_manifest, write_manifest
from rect_core.masks import read_mask, save_mask, save_volume
from rect_core.preprocess import Preprocess
from rect_core.read import examine, read_volume
from rect_core.types import ManifestRow
from rect_core.volume import StoredGrid, Volume
from rect_data import ct_rate
from rect_data.ct_rate import lesion_path, map_path, volume_path
from rect_data.readers import CtRate, read_lesions, read_regions
from rect_data.readers.door import metadata_affine
from rect_data.readers.tables import read_table

NAME = "train_1_a_1"
FILE = f"{NAME}.nii.gz"
METADATA = ct_rate.METADATA["train"]


def scan(root: Path) -> Volume:
    return read_volume(root / volume_path(NAME))


def plant(root: Path, hu: np.ndarray) -> None:
    """Other voxels in the scan's file."""
    volume = scan(root)
    save_volume(root / volume_path(NAME), replace(volume, hu=hu), description="planted")


def row(reader: CtRate, name: str = NAME) -> ManifestRow:
    return next(row for row in reader.rows() if row.case_id == name)


def load(root: Path) -> Volume:
    reader = CtRate(root)
    return reader.load(row(reader))


def edit(path: Path, change: Callable[[list[list[str]]], None]) -> None:
    with path.open(newline="") as file:
        cells = list(csv.reader(file))
    change(cells)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(cells)


def set_cell(path: Path, column: str, value: str, number: int = 1) -> None:
    def change(cells: list[list[str]]) -> None:
        cells[number][cells[0].index(column)] = value

    edit(path, change)


def set_slope(path: Path) -> None:
    """Writes scl_slope 1 and scl_inter -1024 into a header, which is where nibabel will not put them."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[112:120] = np.array([1, -1024], "<f4").tobytes()
    path.write_bytes(gzip.compress(bytes(raw), 1))


def version_1(root: Path, slope: int, intercept: int) -> np.ndarray:
    """Plants the scan as version 1 holds it: stored values in the order that DICOM gives, and an empty header."""
    hu = scan(root).hu
    set_cell(root / METADATA, "RescaleSlope", str(slope))
    set_cell(root / METADATA, "RescaleIntercept", str(intercept))
    stored = ((hu.astype(np.int32) - intercept) // slope).T
    path = root / f"dataset/train/{ct_rate.folder(NAME)}/{FILE}"
    path.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(stored.astype(np.int16), None), path)
    return (stored.T * slope + intercept).astype(np.int16)


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (1, -8192), (2, -1024)])
def test_version_1_is_rescaled_once_and_takes_its_place_from_the_metadata(
    tree_copy: Path, slope: int, intercept: int
) -> None:
    hu = version_1(tree_copy, slope, intercept)
    reader = CtRate(tree_copy, version=1, splits=("train",))
    found = row(reader)
    volume = reader.load(found)
    assert np.array_equal(volume.hu, hu)
    assert volume.hu.dtype == np.int16
    assert volume.stored.axes == "LPS"
    assert found.spacing_mm == volume.spacing_mm == (6.0, 4.0, 4.0)
    assert found.exclusion == ""
    assert found.volume == f"dataset/train/train_1/train_1_a/{FILE}"


def test_version_1_whose_header_rescales_is_not_rescaled_again(tree_copy: Path) -> None:
    hu = version_1(tree_copy, 1, -1024)
    set_slope(tree_copy / f"dataset/train/{ct_rate.folder(NAME)}/{FILE}")
    reader = CtRate(tree_copy, version=1, splits=("train",))
    assert np.array_equal(reader.load(row(reader)).hu, hu)


def test_version_1_taken_for_version_2_is_refused(tree_copy: Path) -> None:
    plant(tree_copy, scan(tree_copy).hu + 1024)
    with pytest.raises(ScanError) as error:
        load(tree_copy)
    assert str(error.value) == (
        "train_1_a_1.nii.gz: not Hounsfield units (values 0 to 1462): no value is negative, as in stored "
        "values without rescale slope and intercept; give the CT in HU (air is -1000)"
    )


def test_version_2_taken_for_version_1_is_refused(tree_copy: Path) -> None:
    version_1(tree_copy, 1, 0)
    set_cell(tree_copy / METADATA, "RescaleIntercept", "-1024")
    reader = CtRate(tree_copy, version=1, splits=("train",))
    with pytest.raises(ScanError) as error:
        reader.load(row(reader))
    assert str(error.value) == (
        "train_1_a_1.nii.gz: not Hounsfield units: the body lies near -1024 and the air near -2048: "
        "rescale slope and intercept were applied twice; read the file as it came (CT-RATE version 2 is "
        "already in HU)"
    )


@pytest.mark.parametrize("intercept", ["-8192", "-1024"])
def test_version_2_is_never_rescaled_whatever_the_metadata_say(tree_copy: Path, intercept: str) -> None:
    before = scan(tree_copy).hu
    set_cell(tree_copy / METADATA, "RescaleIntercept", intercept)
    assert np.array_equal(load(tree_copy).hu, before)


@pytest.mark.parametrize(
    ("intercept", "message"),
    [
        (
            -8192,
            "every voxel is at or below -1024 (values -9216 to -7754): rescale slope and intercept were probably "
            "applied twice; read the file as it came (CT-RATE version 2 is already in HU)",
        ),
        (
            -1024,
            "not Hounsfield units: the body lies near -1024 and the air near -2048: rescale slope and intercept were "
            "applied twice; read the file as it came (CT-RATE version 2 is already in HU)",
        ),
    ],
)
def test_a_scan_that_was_rescaled_twice_is_refused(tree_copy: Path, intercept: int, message: str) -> None:
    plant(tree_copy, scan(tree_copy).hu + np.int16(intercept))
    with pytest.raises(ScanError) as error:
        load(tree_copy)
    assert str(error.value) == f"{FILE}: {message}"


def test_version_2_with_a_slope_in_its_header_is_refused(tree_copy: Path) -> None:
    set_slope(tree_copy / volume_path(NAME))
    with pytest.raises(ScanError) as error:
        load(tree_copy)
    assert str(error.value) == (
        "train_1_a_1.nii.gz: its header holds a slope and intercept, but version 2 is already in HU: set "
        "scl_slope to 1 and scl_inter to 0, or download the file again"
    )


def test_padding_of_minus_8192_is_clipped_and_told(tree_copy: Path) -> None:
    before = scan(tree_copy).hu.copy()
    padded = before.copy()
    padded[:, :6, :6] = -8192
    plant(tree_copy, padded)
    volume = load(tree_copy)
    assert int(volume.hu.min()) == -1024
    assert np.array_equal(volume.hu, np.maximum(padded, -1024))
    rows = {check.name: check for check in examine(tree_copy / volume_path(NAME)).checks}
    assert rows["hounsfield"].message.startswith("-8192 to ")
    assert rows["hounsfield"].message.endswith("; padding below -1024 clipped to -1024")


def test_nan_voxels_are_refused_with_their_number(tree_copy: Path) -> None:
    hu = scan(tree_copy).hu.astype(np.float32)
    hu[4, 5, 6:9] = np.nan
    plant(tree_copy, hu)
    with pytest.raises(ScanError) as error:
        load(tree_copy)
    assert str(error.value) == ("train_1_a_1.nii.gz: 3 voxels are NaN or infinite: write the scan again without them")


def test_a_blank_header_excludes_the_scan_and_is_refused(tree_copy: Path) -> None:
    path = tree_copy / volume_path(NAME)
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), None), path)
    reader = CtRate(tree_copy)
    found = row(reader)
    message = (
        f"{FILE}: blank affine (qform_code and sform_code are 0), so left and right are unknown: "
        "copy the affine of the original scan into the header"
    )
    assert found.exclusion == f"unreadable: {message}"
    assert np.isnan(found.spacing_mm).all()
    with pytest.raises(ScanError) as error:
        reader.load(found)
    assert str(error.value) == message


def test_a_head_is_refused(tree_copy: Path) -> None:
    hu = scan(tree_copy).hu.copy()
    lungs = regions(scan(tree_copy), tree_copy / map_path("regions", NAME)).labels
    hu[(lungs > 0) & (hu < 0)] = 40
    plant(tree_copy, hu)
    with pytest.raises(ScanError) as error:
        load(tree_copy)
    assert str(error.value) == (
        "train_1_a_1.nii.gz: 0 ml of lung-like air, a chest holds 500 and more: is it another body part?"
    )


@pytest.mark.parametrize(
    "listed", ["train_1_a_1.nii.gz", "train_1_a_1", "train_fixed/train_1/train_1_a/train_1_a_1.nii.gz"]
)
def test_a_volume_on_the_list_of_no_chest_is_excluded(tree_copy: Path, listed: str) -> None:
    (tree_copy / "dataset/metadata/no_chest_train.txt").write_text(f"{listed}\n\n")
    rows = CtRate(tree_copy).rows()
    assert [r.exclusion for r in rows] == ["no chest: train_1_a_1 is in no_chest_train.txt", "", "", ""]


def test_a_scan_stored_in_other_axes_is_the_same_scan(tree_copy: Path) -> None:
    before = scan(tree_copy)
    path = tree_copy / volume_path(NAME)
    image = nib.load(path)
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.orientations.axcodes2ornt("PSL"))
    )
    nib.save(turned, path)
    found = row(CtRate(tree_copy))
    volume = CtRate(tree_copy).load(found)
    assert volume.stored.axes == "PSL"
    assert found.spacing_mm == before.spacing_mm
    assert np.array_equal(volume.hu, before.hu)
    for finding, mask in read_lesions(tree_copy, found, volume).items():
        assert np.array_equal(mask, read_mask(tree_copy / lesion_path(NAME, finding), before))


def mask_affine(root: Path, affine: np.ndarray) -> None:
    path = root / lesion_path(NAME, "lung_nodule")
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), affine), path)


def test_a_mask_with_a_mirrored_affine_is_refused(tree_copy: Path) -> None:
    stored = scan(tree_copy).stored
    mirrored = stored.affine.copy()
    mirrored[0] *= -1
    mask_affine(tree_copy, mirrored)
    found = row(CtRate(tree_copy))
    with pytest.raises(ScanError) as error:
        read_lesions(tree_copy, found, load(tree_copy))
    assert str(error.value) == (
        "mask train_1_a_1_lung_nodule.nii.gz has 96 x 96 x 48 voxels (LAS, 4 x 4 x 6 mm, first voxel at "
        "187.8, -212.1, -167.6 mm) but the scan 'train_1_a_1' has 96 x 96 x 48 (RAS, 4 x 4 x 6 mm, first "
        "voxel at -187.8, -212.1, -167.6 mm): resample the mask to the scan's grid first"
    )


def test_a_mask_with_an_identity_affine_is_refused(tree_copy: Path) -> None:
    mask_affine(tree_copy, np.eye(4))
    found = row(CtRate(tree_copy))
    with pytest.raises(ScanError) as error:
        read_lesions(tree_copy, found, load(tree_copy))
    assert str(error.value) == (
        "mask train_1_a_1_lung_nodule.nii.gz has a blank or identity affine, so its left and right are "
        "unknown: copy the affine of the scan 'train_1_a_1' to it (masks of ReXGroundingCT need this)"
    )


def test_a_region_map_whose_voxels_are_mirrored_is_refused(tree_copy: Path) -> None:
    volume = load(tree_copy)
    labels = read_mask(tree_copy / map_path("regions", NAME), volume)
    save_mask(tree_copy / map_path("regions", NAME), labels[:, :, ::-1].copy(), volume, description="mirrored")
    with pytest.raises(ScanError, match="it is mirrored") as error:
        read_regions(tree_copy, row(CtRate(tree_copy)), volume)
    assert "\n" not in str(error.value)


def resized(root: Path, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> RegionMap:
    """Plants the scan on other voxels of the same millimetres (nearest neighbours); returns its regions there."""
    before, own = scan(root), np.array(scan(root).spacing_mm)
    step = np.array(spacing) / own
    axes = zip(shape, step, before.shape, strict=True)
    where = np.ix_(*[np.clip(np.arange(n) * s, 0, m - 1).astype(int) for n, s, m in axes])
    house = before.affine @ np.diag([*step, 1.0])
    stored = StoredGrid(shape=shape, affine=house)
    hu, labels = before.hu[where], regions(before, root / map_path("regions", NAME)).labels[where]
    volume = Volume(hu=hu, affine=stored.house_affine, stored=stored, case_id=NAME)
    save_volume(root / volume_path(NAME), volume, description="resized")
    return RegionMap(labels=labels, origin="given")


@pytest.mark.parametrize(
    ("shape", "spacing"), [((24, 1024, 1024), (12.0, 0.375, 0.375)), ((41, 640, 640), (7.0, 0.6, 0.6))]
)
def test_wide_and_thick_scans_show_a_model_the_same_chest(
    tree_copy: Path, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    prepare = Preprocess(GridConfig(shape=(48, 96, 96), spacing_mm=(7.0, 4.0, 4.0)))
    before = prepare(scan(tree_copy), regions(scan(tree_copy), tree_copy / map_path("regions", NAME))).voxels
    labels = resized(tree_copy, shape, spacing)
    reader = CtRate(tree_copy)
    found = row(reader)
    volume = reader.load(found)
    assert volume.shape == shape
    assert found.exclusion == ""
    assert found.spacing_mm == pytest.approx(spacing)
    assert float((before - prepare(volume, labels).voxels).abs().mean()) < 0.1


def test_a_misspelt_label_column_is_named_with_its_nearest(tree_copy: Path) -> None:
    def change(cells: list[list[str]]) -> None:
        cells[0][cells[0].index("Lung nodule")] = "Lung nodle"

    edit(tree_copy / ct_rate.LABELS["train"], change)
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == (
        "train_predicted_labels.csv: column 'Lung nodule' is missing; the nearest is 'Lung nodle': name "
        "it so, or add it with empty cells (unknown)"
    )


@pytest.mark.parametrize("value", ["2", "-1", "0.5", "nan", "yes", "True"])
def test_a_label_that_is_not_0_or_1_stops_with_file_and_row(tree_copy: Path, value: str) -> None:
    set_cell(tree_copy / ct_rate.LABELS["train"], "Emphysema", value, number=2)
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == (
        f"train_predicted_labels.csv: row 3: 'Emphysema' is {value!r}: give 0, 1 or an empty cell (unknown)"
    )


def test_an_empty_label_is_unknown_and_not_0(tree_copy: Path) -> None:
    set_cell(tree_copy / ct_rate.LABELS["train"], "Emphysema", "")
    found = row(CtRate(tree_copy)).labels
    assert np.isnan(found[LABELS.index("Emphysema")])
    assert np.isnan(found).sum() == 1


def test_a_volume_without_a_row_of_labels_stops(tree_copy: Path) -> None:
    set_cell(tree_copy / ct_rate.LABELS["train"], "VolumeName", "train_9_a_1.nii.gz")
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == (
        "train_predicted_labels.csv: no row of train_1_a_1.nii.gz, which is on disk; the nearest is "
        "'train_9_a_1': download the table again"
    )


def test_a_row_of_another_split_stops(tree_copy: Path) -> None:
    set_cell(tree_copy / ct_rate.REPORTS["train"], "VolumeName", "valid_9_a_1.nii.gz", number=2)
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == (
        "train_reports.csv: row 3: 'valid_9_a_1' is not a volume of split train: correct the name"
    )


def test_a_patient_in_two_splits_is_refused_by_the_manifest(tree_copy: Path) -> None:
    rows = CtRate(tree_copy).rows()
    leaking = [replace(r, patient="train_1") if r.split == "valid" else r for r in rows]
    with pytest.raises(DataError) as error:
        write_manifest(tree_copy / "manifest.csv", leaking)
    assert str(error.value) == (
        "manifest.csv: patient 'train_1' is in split train (train_1_a_1) and in split valid "
        "(valid_1_a_1): keep all of a patient in one split, or exclude one"
    )
    assert not (tree_copy / "manifest.csv").exists()
    write_manifest(tree_copy / "manifest.csv", rows)
    text = (tree_copy / "manifest.csv").read_text().replace(",valid_1,", ",train_1,")
    (tree_copy / "manifest.csv").write_text(text)
    with pytest.raises(DataError, match="patient 'train_1' is in split train"):
        read_manifest(tree_copy / "manifest.csv")


def test_the_reconstructions_of_one_scan_share_patient_and_scan(tree_copy: Path) -> None:
    source = tree_copy / volume_path(NAME)
    (source.parent / "train_1_a_2.nii.gz").write_bytes(source.read_bytes())
    for table in (ct_rate.LABELS, ct_rate.REPORTS, ct_rate.METADATA):
        edit(tree_copy / table["train"], lambda cells: cells.append(["train_1_a_2.nii.gz", *cells[1][1:]]))
    rows = CtRate(tree_copy).rows()[:2]
    assert [(r.case_id, r.scan, r.patient) for r in rows] == [
        ("train_1_a_1", "train_1_a", "train_1"),
        ("train_1_a_2", "train_1_a", "train_1"),
    ]


@pytest.mark.parametrize(
    ("column", "value"), [("XYSpacing", "[0.7]"), ("ImageOrientationPatient", ""), ("ZSpacing", "thin")]
)
def test_broken_metadata_of_version_1_stop_with_row_and_value(tree_copy: Path, column: str, value: str) -> None:
    version_1(tree_copy, 1, -1024)
    set_cell(tree_copy / METADATA, column, value)
    with pytest.raises(DataError) as error:
        CtRate(tree_copy, version=1, splits=("train",)).rows()
    assert str(error.value).startswith(f"train_metadata.csv: row 2: {column} is {value!r}: give ")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("XYSpacing", "[-0.7, 0.7]", "a minus would mirror"),
        ("ZSpacing", "-1", "a minus would mirror"),
        ("ImageOrientationPatient", "[2, 0, 0, 0, 1, 0]", "two directions of length 1 at right angles"),
        ("ImageOrientationPatient", "[1, 0, 0, 1, 0, 0]", "two directions of length 1 at right angles"),
    ],
)
def test_metadata_that_would_mirror_or_stretch_a_scan_stop(
    tree_copy: Path, column: str, value: str, message: str
) -> None:
    set_cell(tree_copy / METADATA, column, value)
    columns = ("ImageOrientationPatient", "ImagePositionPatient", "XYSpacing", "ZSpacing")
    with pytest.raises(DataError, match=rf"train_metadata\.csv: row 2: .*{message}"):
        metadata_affine(read_table(tree_copy / METADATA, columns)[NAME])


def test_the_metadata_place_a_scan_as_dicom_does(tree_copy: Path) -> None:
    path = tree_copy / METADATA
    for column, value in (
        ("ImageOrientationPatient", "[0, 1, 0, 0, 0, -1]"),
        ("ImagePositionPatient", "[10, 20, 30]"),
        ("XYSpacing", "[0.5, 0.25]"),
        ("ZSpacing", "2"),
    ):
        set_cell(path, column, value)
    columns = ("ImageOrientationPatient", "ImagePositionPatient", "XYSpacing", "ZSpacing")
    affine = metadata_affine(read_table(path, columns)[NAME])
    assert np.allclose(affine @ [0, 0, 0, 1], [-10, -20, 30, 1])
    assert np.allclose(affine @ [1, 0, 0, 0], [0, -0.5, 0, 0])
    assert np.allclose(affine @ [0, 1, 0, 0], [0, 0, -0.25, 0])
    assert np.allclose(affine @ [0, 0, 1, 0], [2, 0, 0, 0])


def test_every_finding_of_a_phantom_has_its_mask(phantom_tree: Path) -> None:
    assert set(row(CtRate(phantom_tree)).lesions) == set(LOCALIZED)
