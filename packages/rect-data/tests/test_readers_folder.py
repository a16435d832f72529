"""A hospital's own folders, nnU-Net's and TotalSegmentator's: names, tables, masks."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import DataError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.masks import read_mask
from rect_core.read import read_volume
from rect_data.ct_rate import lesion_path, map_path, ts_path, volume_path
from rect_data.readers import FolderCt, NnUnetCt, TotalSegmentatorCt, read_lesions, read_regions
from rect_data.readers.masks import instances, read_lesion

HEADER = ",".join(["VolumeName", *LABELS])


def scan(path: Path, voxels: np.ndarray | None = None) -> Path:
    """A small NIfTI file with a real place: 0.8 x 0.7 mm, slices 2.5 mm apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros((6, 5, 4), np.int16) if voxels is None else voxels
    nib.save(nib.Nifti1Image(array, np.diag([0.8, 0.7, 2.5, 1.0])), path)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("ann", "bob", "cy"):
        scan(tmp_path / "images" / f"{name}.nii.gz")
    return tmp_path / "images"


def table(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8-sig")
    return path


def labels(*values: str) -> str:
    return ",".join([*values, *["0"] * (18 - len(values))])


def test_scans_alone_have_unknown_labels_and_no_report(images: Path) -> None:
    rows = FolderCt(images).rows()
    assert [(r.case_id, r.volume, r.patient, r.split) for r in rows] == [
        (name, f"{name}.nii.gz", name, "train") for name in ("ann", "bob", "cy")
    ]
    assert all(np.isnan(r.labels).all() and r.report == "" and r.lesions == {} for r in rows)
    assert rows[0].spacing_mm == pytest.approx((2.5, 0.7, 0.8))


def test_tables_join_by_name_with_or_without_suffix(images: Path, tmp_path: Path) -> None:
    own = table(
        tmp_path / "labels.csv",
        f"bob.nii.gz,{labels('1', '', '0.0')},7,valid",
        f"ann,{labels()},7,valid",
        header=f"{HEADER},patient,split",
    )
    reports = table(
        tmp_path / "reports.csv", 'cy,"Clear, both.",Normal.', header="VolumeName,Findings_EN,Impressions_EN"
    )
    ann, bob, cy = FolderCt(images, own, reports, split="test").rows()
    assert (ann.patient, bob.patient, cy.patient) == ("7", "7", "cy")
    assert (ann.split, bob.split, cy.split) == ("valid", "valid", "test")
    assert bob.labels[0] == 1.0
    assert np.isnan(bob.labels[1])
    assert bob.labels[2] == 0.0
    assert np.isnan(cy.labels).all()
    assert cy.report == "Findings:\nClear, both.\n\nImpression:\nNormal."
    assert ann.report == ""


def test_a_patient_of_two_splits_in_the_own_table_stops(images: Path, tmp_path: Path) -> None:
    own = table(
        tmp_path / "labels.csv",
        f"ann,{labels()},7,train",
        f"bob,{labels()},7,valid",
        header=f"{HEADER},patient,split",
    )
    with pytest.raises(
        DataError, match=r"labels\.csv: patient '7' is in split train \(ann\) and in split valid \(bob\)"
    ):
        FolderCt(images, own).rows()


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        ([f"anne,{labels()}"], HEADER, "row 2: no scan 'anne' in images; the nearest is 'ann': correct the name"),
        ([f"x1,{labels()}"], HEADER, "row 2: no scan 'x1' in images: correct the name"),
        ([f",{labels()}"], HEADER, "row 2: VolumeName is empty: give the scan's file name"),
        (
            ["ann,1"],
            "VolumeName,Emphysema",
            "column 'Medical material' is missing: name it so, or add it with empty cells (unknown)",
        ),
        (
            [],
            HEADER.replace("VolumeName", "Volume name"),
            "column 'VolumeName' is missing; the nearest is 'Volume name': name it so",
        ),
        (
            [f"ann,{labels('1', '-')}"],
            HEADER,
            "row 2: 'Arterial wall calcification' is '-': give 0, 1 or an empty cell (unknown)",
        ),
        (["ann,1"], HEADER, "row 2: 2 cells under 19 columns: quote texts with commas"),
    ],
)
def test_a_mistake_in_a_table_stops_with_file_and_row(
    images: Path, tmp_path: Path, lines: list[str], header: str, message: str
) -> None:
    own = table(tmp_path / "labels.csv", *lines, header=header)
    with pytest.raises(DataError) as error:
        FolderCt(images, own).rows()
    assert str(error.value) == f"labels.csv: {message}"


def test_a_table_in_another_encoding_stops(images: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes((HEADER + "\nann,\xe4\n").encode("latin-1"))
    with pytest.raises(DataError, match=r"labels\.csv: not a CSV file in UTF-8"):
        FolderCt(images, tmp_path / "labels.csv").rows()


def test_two_files_of_one_name_and_an_empty_folder_stop(images: Path, tmp_path: Path) -> None:
    scan(images / "ann.nii")
    with pytest.raises(DataError) as error:
        FolderCt(images).rows()
    assert str(error.value) == "images: ann.nii and ann.nii.gz are both case 'ann': rename one"
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none: no scan in it: scans are DICOM folders and files"):
        FolderCt(tmp_path / "none").rows()
    with pytest.raises(DataError, match="gone: no such folder of scans"):
        FolderCt(tmp_path / "gone").rows()


def test_headers_that_cannot_be_used_exclude_their_scan_alone(images: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), None), images / "ann.nii.gz")
    (images / "bob.nii.gz").write_bytes(b"not a scan")
    scan(images / "cy.nii.gz", np.zeros((4, 4, 4, 2), np.int16))
    found = [row.exclusion for row in FolderCt(images).rows()]
    assert found[0].startswith("unreadable: ann.nii.gz: blank affine (qform_code and sform_code are 0)")
    assert found[1] == "unreadable: bob.nii.gz: the header cannot be read: copy the file again from its source"
    assert found[2] == "unreadable: cy.nii.gz: a 4-D image: give one 3-D volume"


def test_links_as_in_a_download_cache_keep_their_names(tmp_path: Path) -> None:
    blob = scan(tmp_path / "blobs" / "x.nii.gz").rename(tmp_path / "blobs" / "0123abcd")
    for name in ("images/ann.nii.gz", "masks/ann_lung_nodule.nii.gz"):
        (tmp_path / "snapshot" / name).parent.mkdir(parents=True)
        (tmp_path / "snapshot" / name).symlink_to(blob)
    (tmp_path / "set").symlink_to(tmp_path / "snapshot")
    row = FolderCt(tmp_path / "set" / "images", masks=tmp_path / "set" / "masks").rows()[0]
    assert (row.volume, row.lesions) == ("ann.nii.gz", {"lung_nodule": "../masks/ann_lung_nodule.nii.gz"})


def test_masks_of_each_layout_are_found(images: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    scan(masks / "ann_lung_nodule.nii.gz")
    scan(masks / "bob.nii.gz")
    scan(masks / "cy" / "consolidation.nii.gz")
    scan(masks / "cy" / "lung_nodules.nii.gz")
    ann, bob, cy = FolderCt(images, masks=masks).rows()
    assert ann.lesions == {"lung_nodule": "../masks/ann_lung_nodule.nii.gz"}
    assert bob.lesions == {f: f"../masks/bob.nii.gz#value={k}" for k, f in enumerate(LOCALIZED, start=1)}
    assert cy.lesions == {
        "consolidation": "../masks/cy/consolidation.nii.gz",
        "lung_nodule": "../masks/cy/lung_nodules.nii.gz#value=1",
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dan_lung_nodule.nii.gz", "masks: dan is no scan's name; the nearest is 'ann': rename it as its scan"),
        ("anne_lung_nodule.nii.gz", "masks: anne is no scan's name; the nearest is 'ann': rename it as its scan"),
        (
            "ann_nodule.nii.gz",
            "masks: ann_nodule.nii.gz belongs to no scan and names none of pericardial_effusion, pleural_effusion, "
            "consolidation, ground_glass_opacity, lung_nodule: name it <case>_<finding>.nii.gz",
        ),
        ("zoe/lung_nodule.nii.gz", "masks: zoe is no scan's name: rename it as its scan"),
    ],
)
def test_a_mask_of_no_scan_stops(images: Path, tmp_path: Path, name: str, message: str) -> None:
    scan(tmp_path / "masks" / name)
    with pytest.raises(DataError) as error:
        FolderCt(images, masks=tmp_path / "masks").rows()
    assert str(error.value) == message


def test_region_maps_are_files_or_folders_of_totalsegmentator(images: Path, tmp_path: Path) -> None:
    scan(tmp_path / "maps" / "ann.nii.gz")
    scan(tmp_path / "maps" / "bob" / "heart.nii.gz")
    ann, bob, cy = FolderCt(images, regions=tmp_path / "maps").rows()
    assert (ann.regions, bob.regions, cy.regions) == ("../maps/ann.nii.gz", "../maps/bob", "")
    scan(tmp_path / "maps" / "dora.nii.gz")
    with pytest.raises(DataError, match="maps: dora is no scan's name: rename it as its scan"):
        FolderCt(images, regions=tmp_path / "maps").rows()


def test_phantoms_in_a_folder_are_read_with_masks_and_regions(phantom_tree: Path, tmp_path: Path) -> None:
    name = "train_1_a_1"
    for folder, source in (
        ("images/p.nii.gz", volume_path(name)),
        ("masks/p_lung_nodule.nii.gz", lesion_path(name, "lung_nodule")),
        ("regions/p.nii.gz", map_path("regions", name)),
    ):
        (tmp_path / folder).parent.mkdir(parents=True)
        (tmp_path / folder).write_bytes((phantom_tree / source).read_bytes())
    reader = FolderCt(tmp_path / "images", masks=tmp_path / "masks", regions=tmp_path / "regions")
    row = reader.rows()[0]
    volume = reader.load(row)
    assert volume.case_id == "p"
    assert np.array_equal(volume.hu, read_volume(phantom_tree / volume_path(name)).hu)
    mask = read_lesions(reader.root, row, volume)["lung_nodule"]
    assert np.array_equal(mask, read_mask(phantom_tree / lesion_path(name, "lung_nodule"), volume))
    regions = read_regions(reader.root, row, volume)
    assert regions is not None
    assert regions.origin == "given"


def test_pieces_of_a_mask_become_instances_largest_first() -> None:
    from scipy import ndimage

    mask = np.random.default_rng(1).random((14, 15, 16)) > 0.93
    found = instances(mask)
    expected, count = ndimage.label(mask, np.ones((3, 3, 3)))
    assert np.array_equal(found > 0, mask)
    assert int(found.max()) == count
    assert len({(int(a), int(b)) for a, b in zip(found[mask], expected[mask], strict=True)}) == count
    assert sorted(np.bincount(found[mask])[1:].tolist(), reverse=True) == np.bincount(found[mask])[1:].tolist()
    assert not instances(np.zeros((2, 2, 2), bool)).any()


def test_a_part_that_no_mask_has_is_refused(phantom_tree: Path) -> None:
    volume = read_volume(phantom_tree / volume_path("train_1_a_1"))
    with pytest.raises(DataError) as error:
        read_lesion(phantom_tree, ts_path("ts_total", "train_1_a_1") + "#label=2", volume)
    assert str(error.value) == ("train_1_a_1.nii.gz: 'label=2' names no part of a mask: give value=2 or findings=0,3")


@pytest.fixture
def nnunet(tmp_path: Path) -> Callable[..., Path]:
    """nnU-Net's raw layout with two training scans and one of test."""

    def make(labels: dict[str, object], **about: object) -> Path:
        for name in ("a_1", "b_2"):
            scan(tmp_path / "imagesTr" / f"{name}_0000.nii.gz")
            scan(tmp_path / "labelsTr" / f"{name}.nii.gz")
        scan(tmp_path / "imagesTs" / "c_0000.nii.gz")
        data = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"} | about
        (tmp_path / "dataset.json").write_text(json.dumps(data))
        return tmp_path

    return make


def test_nnunet_data_are_read_with_their_values(nnunet: Callable[..., Path]) -> None:
    root = nnunet({"background": 0, "tumor": 1, "Lung nodule": 2, "lung": 3})
    rows = NnUnetCt(root, {"tumor": "consolidation", "lung": ""}).rows()
    assert [(r.case_id, r.volume, r.split) for r in rows] == [
        ("a_1", "imagesTr/a_1_0000.nii.gz", "train"),
        ("b_2", "imagesTr/b_2_0000.nii.gz", "train"),
        ("c", "imagesTs/c_0000.nii.gz", "test"),
    ]
    assert rows[0].lesions == {
        "consolidation": "labelsTr/a_1.nii.gz#value=1",
        "lung_nodule": "labelsTr/a_1.nii.gz#value=2",
    }
    assert rows[2].lesions == {}


def test_the_first_nnunets_labels_by_number_are_read(nnunet: Callable[..., Path]) -> None:
    root = nnunet({"0": "background", "1": "lung_nodule"}, channel_names={}, modality={"0": "CT"})
    data = json.loads((root / "dataset.json").read_text())
    del data["channel_names"]
    (root / "dataset.json").write_text(json.dumps(data))
    assert NnUnetCt(root).rows()[0].lesions == {"lung_nodule": "labelsTr/a_1.nii.gz#value=1"}


@pytest.mark.parametrize(
    ("labels", "about", "message"),
    [
        (
            {"background": 0, "nodule": 1},
            {},
            "dataset.json: label 'nodule' is none of our findings; the nearest is 'lung_nodule': give "
            "findings={'nodule': ...} with one of pericardial_effusion, pleural_effusion, consolidation, "
            "ground_glass_opacity, lung_nodule, or ''",
        ),
        (
            {"background": 0, "lung_nodule": [1, 2]},
            {},
            "dataset.json: label 'lung_nodule' is [1, 2]: one whole number for each finding is needed",
        ),
        (
            {"background": 0},
            {"channel_names": {"0": "CT", "1": "PET"}},
            "dataset.json: channels ['CT', 'PET']: one channel named CT is needed",
        ),
    ],
)
def test_nnunet_labels_that_are_not_ours_stop(
    nnunet: Callable[..., Path], labels: dict[str, object], about: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError) as error:
        NnUnetCt(nnunet(labels, **about)).rows()
    assert str(error.value) == message


def test_nnunet_files_without_a_partner_stop(nnunet: Callable[..., Path]) -> None:
    root = nnunet({"background": 0, "lung_nodule": 1})
    extra = scan(root / "labelsTr" / "a_11.nii.gz")
    with pytest.raises(DataError) as error:
        NnUnetCt(root).rows()
    assert str(error.value) == "labelsTr/a_11.nii.gz: no scan of that name in imagesTr; the nearest is 'a_1'"
    extra.unlink()
    (root / "labelsTr" / "a_1.nii.gz").unlink()
    with pytest.raises(DataError, match=r"imagesTr/a_1_0000\.nii\.gz: no label file a_1\.nii\.gz in labelsTr"):
        NnUnetCt(root).rows()
    scan(root / "imagesTr" / "d_0001.nii.gz")
    with pytest.raises(DataError, match=r"imagesTr/d_0001\.nii\.gz: nnU-Net names the only channel <case>_0000"):
        NnUnetCt(root).rows()
    (root / "dataset.json").write_text("{")
    with pytest.raises(DataError, match=r"dataset\.json: not JSON"):
        NnUnetCt(root).rows()


def test_totalsegmentators_data_set_gives_regions_and_pseudo_lesions(tmp_path: Path) -> None:
    for name in ("s0002", "s0001"):
        scan(tmp_path / name / "ct.nii.gz")
        scan(tmp_path / name / "segmentations" / "heart.nii.gz")
    scan(tmp_path / "s0001" / "segmentations" / "pleural_effusion.nii.gz")
    (tmp_path / "meta.csv").write_text("image_id;age;split\ns0001;50;val\ns0002;60;train\n")
    one, two = TotalSegmentatorCt(tmp_path).rows()
    assert (one.case_id, one.volume, one.split) == ("s0001", "s0001/ct.nii.gz", "valid")
    assert one.regions == "s0001/segmentations"
    assert one.lesions == {"pleural_effusion": "s0001/segmentations/pleural_effusion.nii.gz#value=1"}
    assert (two.split, two.lesions) == ("train", {})
    (tmp_path / "meta.csv").write_text("image_id;age;split\ns0001;50;all\n")
    with pytest.raises(DataError, match=r"meta\.csv: row 2: image_id 's0001', split 'all'"):
        TotalSegmentatorCt(tmp_path).rows()
    (tmp_path / "meta.csv").write_text("image_id;age;split\ns0001;50;test\n")
    with pytest.raises(DataError, match=r"meta\.csv: no row of s0002, which is on disk"):
        TotalSegmentatorCt(tmp_path).rows()


def test_a_phantom_as_a_subject_of_totalsegmentator_has_its_regions(phantom_tree: Path, tmp_path: Path) -> None:
    from rect_core.anatomy.totalsegmentator import V2

    name = "train_2_a_1"
    subject = tmp_path / "s0001"
    (subject / "segmentations").mkdir(parents=True)
    (subject / "ct.nii.gz").write_bytes((phantom_tree / volume_path(name)).read_bytes())
    total = nib.load(phantom_tree / ts_path("ts_total", name))
    values = np.asanyarray(total.dataobj)
    for organ in ("heart", "liver", *(x for x in V2 if x.startswith("lung_"))):
        mask = (values == V2.index(organ) + 1).astype(np.uint8)
        nib.save(nib.Nifti1Image(mask, total.affine), subject / "segmentations" / f"{organ}.nii.gz")
    reader = TotalSegmentatorCt(tmp_path)
    row = reader.rows()[0]
    found = read_regions(reader.root, row, reader.load(row))
    assert found is not None
    assert found.origin == "totalsegmentator"
    assert found.present[:6] == (True,) * 6
