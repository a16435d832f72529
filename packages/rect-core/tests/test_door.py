"""What is no chest CT in HU is refused with one line that names the check, and nothing is written."""

import gzip
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest

from rect_core.door import CHECKS, inspect
from rect_core.errors import ScanError
from rect_core.raw import Check, RawScan
from rect_core.read import examine, read_volume

PATIENT = "DOE^JANE^1950"


def chest(spacing: float = 6.0, shape: tuple[int, int, int] = (40, 48, 56)) -> np.ndarray:
    """A body of water with two lungs in air, [d h w]."""
    d, h, w = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    hu = np.full(shape, -1000.0)
    hu[(h / 0.85) ** 2 + (w / 0.9) ** 2 < 1] = 0
    for side in (-1, 1):
        hu[(d / 0.85) ** 2 + (h / 0.55) ** 2 + ((w - side * 0.4) / 0.3) ** 2 < 1] = -800
    hu += np.random.default_rng(0).normal(0, 15, shape)
    return np.maximum(hu, -1024).round().astype(np.int16)


def house_affine(d: float = 6.0, h: float = 6.0, w: float = 6.0) -> np.ndarray:
    return np.array([[0, 0, -w, 160.0], [0, -h, 0, 140.0], [d, 0, 0, -900.0], [0, 0, 0, 1.0]])


HU = chest()
AFFINE = house_affine()


def nifti(folder: Path, hu: np.ndarray = HU, affine: np.ndarray | None = AFFINE, name: str = "scan.nii.gz") -> Path:
    """A NIfTI whose header names a patient, as headers do."""
    image = nib.Nifti1Image(hu, affine)
    image.header["descrip"] = PATIENT
    image.header["db_name"] = PATIENT[:8]
    nib.save(image, folder / name)
    return folder / name


def patched(path: Path, *patches: tuple[int, str, tuple[Any, ...]]) -> Path:
    """A NIfTI with some header bytes replaced: (offset, struct format, values)."""
    opener: Any = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rb") as file:
        data = bytearray(file.read())
    for offset, form, values in patches:
        struct.pack_into(form, data, offset, *values)
    with opener(path, "wb") as file:
        file.write(data)
    return path


def cut(path: Path, keep: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def flipped(path: Path, place: int) -> Path:
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    return path


def text(folder: Path, name: str, content: bytes = b"just some notes about a scan\n" * 40) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def nrrd_file(folder: Path, name: str = "scan.nrrd", hu: np.ndarray = HU, **fields: Any) -> Path:
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([6.0, 6.0, 6.0]),
        "space origin": np.zeros(3),
        **fields,
    }
    nrrd.write(str(folder / name), hu.T, {k: v for k, v in header.items() if v is not None})
    return folder / name


def edited(path: Path, *changes: tuple[str, str]) -> Path:
    data = path.read_bytes()
    for old, new in changes:
        assert old.encode() in data
        data = data.replace(old.encode(), new.encode())
    path.write_bytes(data)
    return path


def metaimage(folder: Path, name: str = "scan.mha", voxels: bytes | None = None, **fields: Any) -> Path:
    lines = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "6 6 6",
        "DimSize": "56 48 40",
        "ElementType": "MET_SHORT",
        "Comment": PATIENT,
        **fields,
        "ElementDataFile": fields.get("ElementDataFile", "LOCAL"),
    }
    header = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)
    (folder / name).write_bytes(header.encode() + (HU.tobytes() if voxels is None else voxels))
    return folder / name


def rgb(folder: Path) -> Path:
    colours = np.zeros(HU.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    return nifti(folder, colours)


def sheared() -> np.ndarray:
    affine = house_affine()
    affine[1, 0] = 6.0 * np.tan(np.radians(12))
    return affine


def analyze(folder: Path) -> Any:
    """An Analyze 7.5 pair as nibabel loads it: with an affine that no header ever stated."""
    nib.save(nib.AnalyzeImage(HU.transpose(2, 1, 0), AFFINE), folder / "scan.img")
    return nib.load(folder / "scan.img")


LEANING_MM = np.array([[6.0, 0, 0], [0, 6.0, 0], [0, 6.0 * np.tan(np.radians(12)), 6.0]])
"""One row an axis: the slice axis leans toward the back."""


def with_values(*values: float) -> np.ndarray:
    hu = HU.astype(np.float32)
    hu[3, 4, : len(values)] = values
    return hu


def with_padding(hu: np.ndarray, value: int) -> np.ndarray:
    hu = hu.copy()
    hu[:, :6] = value
    return hu


def head() -> np.ndarray:
    """A ball of brain in a skull, with sinuses of 20 ml."""
    d, h, w = np.meshgrid(*[(np.arange(n) - n / 2) * 6.0 for n in HU.shape], indexing="ij")
    far = np.sqrt(d**2 + h**2 + w**2)
    hu = np.where(far < 95, np.where(far < 88, 35.0, 1000.0), -1000.0)
    hu[np.sqrt(d**2 + (h + 70) ** 2 + w**2) < 17] = -1000
    return (hu + np.random.default_rng(0).normal(0, 5, hu.shape)).astype(np.int16)


def legs() -> np.ndarray:
    _, h, w = np.meshgrid(*[np.linspace(-1, 1, n) for n in HU.shape], indexing="ij")
    hu = np.full(HU.shape, -1000)
    for side in (-1, 1):
        hu[h**2 + (w - side * 0.45) ** 2 < 0.12] = 50
    return hu.astype(np.int16)


def bomb_header(folder: Path, name: str) -> Path:
    """A few hundred bytes that declare 10^12 voxels."""
    return patched(nifti(folder, HU[:16], name=name), (40, "<8h", (3, 10000, 10000, 10000, 1, 1, 1, 1)))


@dataclass(frozen=True)
class Bad:
    name: str
    check: str
    fragment: str
    make: Callable[[Path], Any]
    keywords: dict[str, Any] | None = None


NO_CODES = ((252, "<2h", (0, 0)),)
BAD = [
    Bad("missing file", "file", "no such file", lambda f: f / "scan.nii.gz"),
    Bad("nul in the name", "file", "case_id", lambda f: f / "a\0.nii.gz"),
    Bad("empty file", "file", "empty (0 bytes)", lambda f: text(f, "scan.nii.gz", b"")),
    Bad("truncated gzip", "file", "truncated", lambda f: cut(nifti(f), 0.6)),
    Bad("gzip without its trailer", "file", "truncated", lambda f: cut(nifti(f), 1 - 1e-4)),
    Bad("header cut", "file", "truncated", lambda f: cut(nifti(f, name="scan.nii"), 0.001)),
    Bad("truncated plain nifti", "file", "truncated", lambda f: cut(nifti(f, name="scan.nii"), 0.9)),
    Bad("wrong gzip checksum", "file", "corrupt compressed data", lambda f: flipped(nifti(f), -6)),
    Bad("corrupt deflate data", "file", "", lambda f: flipped(nifti(f), 20)),
    Bad("bomb in nifti.gz", "file", "2000.0 GB", lambda f: bomb_header(f, "scan.nii.gz")),
    Bad("bomb in nifti", "file", "2000.0 GB", lambda f: bomb_header(f, "scan.nii")),
    Bad("bomb in nrrd", "file", "memory is free", lambda f: edited(nrrd_file(f), ("56 48 40", "56000 48000 40000"))),
    Bad("bomb in mha", "file", "memory is free", lambda f: metaimage(f, DimSize="90000 90000 90000")),
    Bad(
        "more declared than deflate can hold",
        "file",
        "cannot hold",
        lambda f: patched(nifti(f, np.zeros((16, 16, 16), np.int16)), (40, "<4h", (3, 512, 512, 200))),
    ),
    Bad("more data than declared", "file", "more data", lambda f: metaimage(f, voxels=bytes(HU.nbytes + (2 << 20)))),
    Bad("truncated mha", "file", "truncated", lambda f: cut(metaimage(f), 0.5)),
    Bad(
        "truncated zlib mha",
        "file",
        "truncated",
        lambda f: metaimage(f, voxels=zlib.compress(HU.tobytes())[:-5000], CompressedData=True),
    ),
    Bad(
        "wrong zlib checksum",
        "file",
        "corrupt compressed data",
        lambda f: flipped(metaimage(f, voxels=zlib.compress(HU.tobytes()), CompressedData=True), -1),
    ),
    Bad("truncated nrrd", "file", "truncated", lambda f: cut(nrrd_file(f), 0.7)),
    Bad("raw file of mhd missing", "file", "no such file", lambda f: metaimage(f, "a.mhd", ElementDataFile="gone.raw")),
    Bad("case id with folders", "file", "case_id", nifti, {"case_id": "../evil"}),
    Bad("case id only a suffix", "file", "case_id", lambda f: nifti(f, name=".nii.gz")),
    Bad("pipe instead of a file", "file", "regular file", lambda f: (os.mkfifo(f / "a.nii"), f / "a.nii")[1]),
    Bad("unknown suffix", "format", ".nii.gz", lambda f: text(f, "scan.txt")),
    Bad("no suffix", "format", "unknown suffix", lambda f: text(f, "scan")),
    Bad("text named nii.gz", "format", "not gzip", lambda f: text(f, "scan.nii.gz")),
    Bad("text named nii", "format", "wrong magic", lambda f: text(f, "scan.nii")),
    Bad("gzipped text", "format", "wrong magic", lambda f: text(f, "scan.nii.gz", gzip.compress(b"notes " * 200))),
    Bad("text named nrrd", "format", "wrong magic", lambda f: text(f, "scan.nrrd")),
    Bad("text named mha", "format", "not a MetaImage", lambda f: text(f, "scan.mha")),
    Bad("nifti pair", "format", "wrong magic", lambda f: patched(nifti(f), (344, "4s", (b"ni1\0",)))),
    Bad("unknown nifti type", "format", "damaged", lambda f: patched(nifti(f), (70, "<h", (4321,)))),
    Bad("nrrd field without colon", "format", "damaged", lambda f: edited(nrrd_file(f), ("encoding:", "encoding"))),
    Bad("nrrd as hex", "format", "encoding 'hex'", lambda f: edited(nrrd_file(f), ("encoding: gzip", "encoding: hex"))),
    Bad(
        "nrrd voxels elsewhere",
        "format",
        "beside the header",
        lambda f: edited(nrrd_file(f, "a.nhdr"), ("data file: ", "data file: ../")),
    ),
    Bad("mhd voxels elsewhere", "format", "beside the header", lambda f: metaimage(f, ElementDataFile="/etc/passwd")),
    Bad("mha as text", "format", "binary", lambda f: metaimage(f, BinaryData=False)),
    Bad("mha numbers", "format", "ElementSpacing", lambda f: metaimage(f, ElementSpacing="six 6 6")),
    Bad("a list", "format", "cannot read a list", lambda f: [1, 2, 3]),
    Bad("modality MR", "modality", "modality 'MR'", lambda f: metaimage(f, Modality="MET_MOD_MR")),
    Bad("blank affine", "orientation", "blank affine", lambda f: patched(nifti(f), *NO_CODES)),
    Bad("image without affine", "orientation", "blank affine", lambda f: nib.Nifti1Image(HU, None)),
    Bad(
        "voxel size zero",
        "orientation",
        "0 x 0 x 0 mm",
        lambda f: patched(nifti(f), (252, "<2h", (1, 0)), (80, "<3f", (0, 0, 0))),
    ),
    Bad("singular affine", "orientation", "singular", lambda f: patched(nifti(f), (296, "<4f", (0, 0, 0, 0)))),
    Bad("affine with NaN", "orientation", "affine", lambda f: patched(nifti(f), (296, "<f", (np.nan,)))),
    Bad(
        "nrrd without directions",
        "orientation",
        "space directions",
        lambda f: nrrd_file(f, **{"space directions": None}),
    ),
    Bad("nrrd in no body", "orientation", "left and right", lambda f: nrrd_file(f, space="3D-right-handed")),
    Bad("mha without matrix", "orientation", "TransformMatrix", lambda f: metaimage(f, TransformMatrix=None)),
    Bad("mha without spacing", "orientation", "ElementSpacing", lambda f: metaimage(f, ElementSpacing=None)),
    Bad("bare array", "orientation", "affine=image.affine", lambda f: HU),
    Bad("array without axes", "orientation", 'axes="RAS"', lambda f: HU, {"spacing_mm": (6, 6, 6)}),
    Bad("impossible axes", "orientation", "RRS", lambda f: HU, {"spacing_mm": (6, 6, 6), "axes": "RRS"}),
    Bad("affine of three rows", "orientation", "(3, 3)", lambda f: HU, {"affine": np.eye(3)}),
    Bad("affine for a file", "orientation", "belong to an array", nifti, {"affine": np.eye(4)}),
    Bad("gantry tilt", "tilt", "12.0 degrees", lambda f: nifti(f, affine=sheared())),
    Bad(
        "gantry tilt in nrrd",
        "tilt",
        "12.0 degrees",
        lambda f: nrrd_file(f, **{"space directions": LEANING_MM}),
    ),
    Bad(
        "gantry tilt in mha",
        "tilt",
        "12.0 degrees",
        lambda f: metaimage(f, TransformMatrix=" ".join(str(x) for x in (LEANING_MM / 6).ravel())),
    ),
    Bad("nrrd in centimetres", "orientation", "'cm'", lambda f: nrrd_file(f, **{"space units": ["cm", "cm", "cm"]})),
    Bad("analyze image", "orientation", "Analyze", analyze),
    Bad("2-D", "dimensions", "2-D image", lambda f: nifti(f, HU[0])),
    Bad("4-D", "dimensions", "4-D image", lambda f: nifti(f, np.stack([HU, HU], -1))),
    Bad("one picture", "dimensions", "no volume", lambda f: nifti(f, HU[:1, :1])),
    Bad("colour nifti", "dimensions", "colour", rgb),
    Bad("colour mha", "dimensions", "colour", lambda f: metaimage(f, ElementNumberOfChannels=3)),
    Bad("structured array", "dimensions", "structured", lambda f: np.zeros((20, 20, 20), "i2,i2"), {"affine": AFFINE}),
    Bad("complex", "dimensions", "complex", lambda f: nifti(f, HU.astype(np.complex64))),
    Bad(
        "header in metres",
        "dimensions",
        "is the header in mm",
        lambda f: nifti(f, affine=house_affine(0.006, 0.006, 0.006)),
    ),
    Bad("absurd slice spacing", "dimensions", "60 x 6 x 6 mm", lambda f: nifti(f, affine=house_affine(60.0))),
    Bad("NaN", "finite", "1 voxels are NaN", lambda f: nifti(f, with_values(np.nan))),
    Bad("infinite", "finite", "2 voxels", lambda f: nifti(f, with_values(np.inf, -np.inf))),
    Bad("8-bit", "hounsfield", "8-bit", lambda f: nifti(f, ((HU + 1024.0) / 8).clip(0, 255).astype(np.uint8))),
    Bad("12-bit stored values", "hounsfield", "without rescale", lambda f: nifti(f, (HU + 1024).astype(np.uint16))),
    Bad(
        "12-bit with negative padding",
        "hounsfield",
        "without rescale",
        lambda f: nifti(f, with_padding(HU + 1024, -2000)),
    ),
    Bad("scaled to 0..1", "hounsfield", "normalised", lambda f: nifti(f, ((HU + 1024) / 4096).astype(np.float32))),
    Bad("scaled to -1..1", "hounsfield", "normalised", lambda f: nifti(f, (HU / 1100).clip(-1, 1).astype(np.float32))),
    Bad("a mask", "hounsfield", "a mask", lambda f: nifti(f, (HU > -500).astype(np.uint8))),
    Bad("constant", "hounsfield", "every voxel is -1000", lambda f: nifti(f, np.full_like(HU, -1000))),
    Bad("rescaled twice by 1024", "hounsfield", "applied twice", lambda f: nifti(f, (HU - 1024).astype(np.int16))),
    Bad("rescaled twice by 8192", "hounsfield", "applied twice", lambda f: nifti(f, (HU - 8192).astype(np.int16))),
    Bad("soft-tissue window", "hounsfield", "window", lambda f: nifti(f, HU.clip(-160, 240))),
    Bad("far too dense", "hounsfield", "dense", lambda f: nifti(f, HU.astype(np.int32) * 1000)),
    Bad("lungs cut out", "hounsfield", "soft tissue", lambda f: nifti(f, np.where(abs(HU + 800) < 90, HU, -1024))),
    Bad("ten slices", "coverage", "10 slices", lambda f: nifti(f, HU[:10], house_affine(10.0))),
    Bad("too little depth", "coverage", "80 mm", lambda f: nifti(f, HU[:30], house_affine(2.0))),
    Bad("head", "chest", "lung-like air", lambda f: nifti(f, head())),
    Bad("legs", "chest", "lung-like air", lambda f: nifti(f, legs())),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_scan_is_refused_in_one_line_and_nothing_is_written(tmp_path: Path, bad: Bad) -> None:
    source, keywords = bad.make(tmp_path), bad.keywords or {}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    with pytest.raises(ScanError) as caught:
        read_volume(source, **keywords)
    message = str(caught.value)
    assert caught.value.check == bad.check, message
    assert bad.fragment in message
    assert "\n" not in message
    assert len(message) < 300
    assert str(tmp_path) not in message
    assert PATIENT[:8] not in message

    found = examine(source, **keywords)
    assert tuple(row.name for row in found.checks) == CHECKS
    assert found.failure == Check(bad.check, "fail", message)
    assert found.volume is None
    assert not any(PATIENT[:8] in row.message or str(tmp_path) in row.message for row in found.checks)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def status(found: Any) -> dict[str, str]:
    return {row.name: row.status for row in found.checks}


def test_a_good_scan_passes_every_check_that_its_format_can_fill(tmp_path: Path) -> None:
    found = examine(nifti(tmp_path))
    assert found.volume is not None
    skipped = {"modality", "series", "slices", "age"}
    assert status(found) == {name: "skip" if name in skipped else "pass" for name in CHECKS}
    assert found.case_id == "scan"
    assert PATIENT[:8] not in repr(found)


def test_the_checks_after_a_failed_one_are_still_made(tmp_path: Path) -> None:
    """A scan that is too short and tilted at once shows both, so that one look is enough."""
    found = status(examine(nifti(tmp_path, HU[:10], sheared())))
    assert found["tilt"] == found["coverage"] == "fail"
    assert found["hounsfield"] == "pass"
    assert found["chest"] == "skip"


def test_values_are_judged_even_when_the_affine_is_blank(tmp_path: Path) -> None:
    path = patched(nifti(tmp_path, (HU + 1024).astype(np.int16)), *NO_CODES)
    found = status(examine(path))
    assert found["orientation"] == found["hounsfield"] == "fail"
    assert found["finite"] == found["dimensions"] == "pass"
    assert found["coverage"] == found["chest"] == found["tilt"] == "skip"


def test_a_scan_its_reader_refuses_has_every_row(tmp_path: Path) -> None:
    found = examine(cut(nifti(tmp_path), 0.5))
    assert [row.message for row in found.checks[1:]] == ["not reached"] * (len(CHECKS) - 1)


def test_coverage_is_counted_from_feet_to_head_whatever_axis_that_is(tmp_path: Path) -> None:
    """56 rows but 10 slices, the slices along the first, the second and the last axis."""
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0)):
        affine = house_affine(7.0)[:, [*order, 3]]
        found = examine(nifti(tmp_path, HU[:10].transpose(order), affine))
        assert found.failure is not None
        assert "10 slices over 70 mm" in found.failure.message


def test_a_tilted_scan_is_straightened_when_allowed(tmp_path: Path) -> None:
    path = nifti(tmp_path, with_padding(HU, -8192), sheared())
    volume = read_volume(path, allow_tilt=True)
    assert any("12.0 degrees" in warning for warning in volume.warnings)
    axes = volume.affine[:3, :3] / volume.spacing_mm
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    # padding was clipped before resampling: no ringing below air
    assert volume.hu.min() >= -1024
    assert volume.hu.dtype == np.int16
    assert status(examine(path, allow_tilt=True))["tilt"] == "warn"


def test_an_oblique_scan_is_not_a_tilted_one(tmp_path: Path) -> None:
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    assert status(examine(nifti(tmp_path, affine=turn @ AFFINE)))["tilt"] == "pass"


def raw(**changes: Any) -> RawScan:
    fields: dict[str, Any] = {"array": HU.copy(), "affine": AFFINE, "name": "x", "case_id": "x", "format": "dicom"}
    return RawScan(**(fields | changes))


def test_a_child_is_a_warning_that_the_volume_keeps() -> None:
    rows, volume = inspect(raw(age_years=12.0))
    assert rows[-1].status == "warn"
    assert volume is not None
    assert volume.warnings == (rows[-1].message,)
    assert inspect(raw(age_years=36.0))[0][-1].status == "pass"


def test_rows_of_the_reader_are_kept_and_their_failure_refuses_the_scan() -> None:
    rows, volume = inspect(raw(checks=(Check("slices", "fail", "slice 7 is missing"),)))
    assert rows[CHECKS.index("slices")].message == "slice 7 is missing"
    assert volume is None


def test_an_exact_identity_affine_is_told(tmp_path: Path) -> None:
    big = np.repeat(np.repeat(np.repeat(HU, 3, 0), 4, 1), 4, 2).transpose(2, 1, 0)[::-1, ::-1]
    volume = read_volume(nifti(tmp_path, big, np.eye(4)))
    assert any("identity" in warning for warning in volume.warnings)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = nifti(tmp_path)
    path.chmod(0)
    with pytest.raises(ScanError, match="cannot be read: Permission denied"):
        read_volume(path)


def test_a_folder_without_slices_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    (tmp_path / "study").mkdir()
    with pytest.raises(ScanError, match="study") as caught:
        read_volume(tmp_path / "study")
    assert str(tmp_path) not in str(caught.value)


def test_a_refusal_crosses_from_a_worker_process_whole() -> None:
    error = pickle.loads(pickle.dumps(ScanError("output", "no space: give another folder")))
    assert (error.check, str(error)) == ("output", "no space: give another folder")
