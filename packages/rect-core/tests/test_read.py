"""Scans of every format and storage order come in as the same Hounsfield units at the same millimetres."""

import bz2
import importlib.util
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest

from rect_core.errors import ScanError
from rect_core.read import case_id_of, examine, read_volume
from rect_core.volume import Volume

ORIENTATIONS = ("LPS", "RAS", "PIR", "SPL", "LPI", "oblique")
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def chest(shape: tuple[int, int, int] = (40, 48, 56), spacing: float = 6.0) -> np.ndarray:
    """A body of water with two lungs, a heart on the left and a dense ball high on the right, [d h w]."""
    grids = np.meshgrid(*[(np.arange(n) - (n - 1) / 2) * spacing for n in shape], indexing="ij")
    extent = np.array(shape) * spacing

    def ball(centre: tuple[float, float, float], radius: tuple[float, float, float]) -> np.ndarray:
        return sum(((g / e - c) / r) ** 2 for g, e, c, r in zip(grids, extent, centre, radius, strict=True)) < 1

    hu = np.full(shape, -1000.0)
    hu[ball((0, 0, 0), (2.0, 0.42, 0.45))] = 0
    for side in (-1, 1):
        hu[ball((0, 0, side * 0.2), (0.42, 0.28, 0.15))] = -800
    hu[ball((-0.1, -0.1, 0.08), (0.2, 0.15, 0.12))] = 40
    hu[ball((0.3, 0.0, -0.2), (0.05, 0.05, 0.05))] = 900
    hu += np.random.default_rng(0).normal(0, 15, shape)
    return np.maximum(hu, -1024).round().astype(np.int16)


def house_affine(spacing: tuple[float, float, float] = (6.0, 6.0, 6.0)) -> np.ndarray:
    """(d, h, w) to RAS mm for a scan with its first voxel at (160, 140, -900)."""
    d, h, w = spacing
    return np.array([[0, 0, -w, 160.0], [0, -h, 0, 140.0], [d, 0, 0, -900.0], [0, 0, 0, 1.0]])


def turned(degrees: float, axis: int) -> np.ndarray:
    """A rotation about one world axis."""
    matrix, (a, b) = np.eye(4), [i for i in range(3) if i != axis]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = cos, -sin, sin, cos
    return matrix


def stored_as(hu: np.ndarray, affine: np.ndarray, code: str) -> nib.Nifti1Image:
    """The same scan stored in another axis order, made by nibabel."""
    image = nib.Nifti1Image(hu, affine)
    code = "LPS" if code == "oblique" else code
    change = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(code))
    return image.as_reoriented(change)


def write_nrrd(path: Path, image: nib.Nifti1Image, **fields: object) -> None:
    """An NRRD in LPS; fields override the header's."""
    affine = LPS_TO_RAS @ image.affine
    header = {
        "space": "left-posterior-superior",
        "space directions": affine[:3, :3].T,
        "space origin": affine[:3, 3],
        **fields,
    }
    nrrd.write(str(path), np.asarray(image.dataobj), {k: v for k, v in header.items() if v is not None})


def write_metaimage(
    path: Path, image: nib.Nifti1Image, *, compress: bool = False, big: bool = False, data: str = "LOCAL"
) -> None:
    """A MetaImage as ITK writes it."""
    affine, array = LPS_TO_RAS @ image.affine, np.asarray(image.dataobj)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    lines = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": big,
        "CompressedData": compress,
        "TransformMatrix": " ".join(str(x) for x in (affine[:3, :3] / spacing).T.ravel()),
        "Offset": " ".join(str(x) for x in affine[:3, 3]),
        "ElementSpacing": " ".join(str(x) for x in spacing),
        "DimSize": " ".join(str(n) for n in array.shape),
        "ElementType": "MET_SHORT",
        "ElementDataFile": data,
    }
    header = "".join(f"{key} = {value}\n" for key, value in lines.items()).encode()
    voxels = array.astype(">i2" if big else "<i2").tobytes(order="F")
    voxels = zlib.compress(voxels) if compress else voxels
    if data == "LOCAL":
        path.write_bytes(header + voxels)
    else:
        path.write_bytes(header)
        (path.parent / data).write_bytes(voxels)


def write_nifti(path: Path, image: nib.Nifti1Image) -> None:
    nib.save(image, path)


@pytest.fixture(scope="module")
def hu() -> np.ndarray:
    return chest()


@pytest.mark.parametrize("code", ORIENTATIONS)
@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        ("nii.gz", write_nifti),
        ("nii", write_nifti),
        ("nrrd", write_nrrd),
        ("nhdr", write_nrrd),
        ("mha", write_metaimage),
    ],
)
def test_a_scan_reads_the_same_however_it_is_stored(
    tmp_path: Path, hu: np.ndarray, code: str, suffix: str, write: Callable[[Path, nib.Nifti1Image], None]
) -> None:
    affine = house_affine((6.0, 5.0, 4.5))
    if code == "oblique":
        affine = turned(12, 0) @ turned(-8, 2) @ affine
    image = stored_as(hu, affine, code)
    write(tmp_path / f"case.{suffix}", image)
    volume = read_volume(tmp_path / f"case.{suffix}")
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-3)
    np.testing.assert_allclose(volume.stored.affine, image.affine, atol=1e-3)
    assert volume.stored.shape == image.shape
    assert volume.hu.dtype == np.int16
    assert volume.case_id == "case"


@pytest.mark.parametrize("code", ORIENTATIONS)
def test_images_and_arrays_read_like_the_file_they_came_from(tmp_path: Path, hu: np.ndarray, code: str) -> None:
    affine = turned(9, 1) @ house_affine() if code == "oblique" else house_affine()
    image = stored_as(hu, affine, code)
    nib.save(image, tmp_path / "a.nii.gz")
    from_file = read_volume(tmp_path / "a.nii.gz")
    loaded = nib.load(tmp_path / "a.nii.gz")
    for volume in (
        read_volume(loaded),
        read_volume(image),
        read_volume(np.asarray(image.dataobj), affine=image.affine),
        read_volume(loaded.get_fdata(), affine=loaded.affine),
    ):
        np.testing.assert_array_equal(volume.hu, from_file.hu)
        np.testing.assert_allclose(volume.affine, from_file.affine, atol=1e-4)
        assert volume.hu.dtype == np.int16


@pytest.mark.parametrize("code", ["RAS", "LPS", "SPL", "PIR"])
def test_spacing_and_axes_describe_the_arrays_own_axes(hu: np.ndarray, code: str) -> None:
    image = stored_as(hu, house_affine((6.0, 5.0, 4.5)), code)
    spacing = tuple(float(s) for s in image.header.get_zooms())
    volume = read_volume(np.asarray(image.dataobj), spacing_mm=spacing, axes=code)
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_allclose(volume.spacing_mm, (6.0, 5.0, 4.5), atol=1e-5)
    assert volume.stored.axes == code


def test_a_mirrored_copy_is_not_the_same(tmp_path: Path, hu: np.ndarray) -> None:
    image = stored_as(hu, house_affine(), "RAS")
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1], image.affine), tmp_path / "mirrored.nii.gz")
    assert not np.array_equal(read_volume(tmp_path / "mirrored.nii.gz").hu, hu)


def test_the_real_scan_agrees_with_nibabel_and_pynrrd(tmp_path: Path) -> None:
    package = importlib.util.find_spec("slicerio")
    assert package is not None
    assert package.origin is not None
    source = Path(package.origin).parent / "data" / "CTChest4.nrrd"
    stored, header = nrrd.read(str(source))
    volume = read_volume(source)
    # LPS header: RAS is its x and y negated; the file's x and y run toward right and anterior
    np.testing.assert_array_equal(volume.hu, np.maximum(stored, -1024)[::-1, ::-1].T)
    first = LPS_TO_RAS[:3, :3] @ header["space origin"]
    np.testing.assert_allclose(volume.ras_mm(np.array([[0.0, 127.0, 127.0]]))[0], first, atol=1e-6)

    nib.save(
        nib.Nifti1Image(np.maximum(stored, -1024).astype(np.int16), volume.stored.affine), tmp_path / "copy.nii.gz"
    )
    image = nib.load(tmp_path / "copy.nii.gz")
    again = read_volume(tmp_path / "copy.nii.gz")
    np.testing.assert_array_equal(again.hu, volume.hu)
    assert nib.aff2axcodes(again.affine) == ("S", "P", "L")
    np.testing.assert_array_equal(again.stored.affine, image.affine)
    np.testing.assert_array_equal(again.stored.to_stored(again.hu), image.get_fdata())


@pytest.mark.parametrize(
    ("slope", "intercept", "kept"), [(1.0, -1024.0, np.int16), (2.0, -2048.0, np.int16), (0.5, -1024.25, np.float32)]
)
@pytest.mark.parametrize("stored", ["<i2", ">i2", "<u2"])
def test_slope_and_intercept_are_applied_once(
    tmp_path: Path, hu: np.ndarray, slope: float, intercept: float, kept: type, stored: str
) -> None:
    raw = np.round((hu - intercept) / slope).clip(0).astype(stored)
    image = nib.Nifti1Image(raw, house_affine())
    image.header.set_slope_inter(slope, intercept)
    nib.save(image, tmp_path / "scaled.nii.gz")
    loaded = nib.load(tmp_path / "scaled.nii.gz")
    for volume in (read_volume(tmp_path / "scaled.nii.gz"), read_volume(loaded)):
        assert volume.hu.dtype == kept
        np.testing.assert_allclose(volume.stored.to_stored(volume.hu), loaded.get_fdata().clip(-1024), atol=1e-3)


@pytest.mark.parametrize("padding", [-2048, -3024, -8192, -32768])
def test_padding_is_clipped_to_the_density_of_air(tmp_path: Path, hu: np.ndarray, padding: int) -> None:
    padded = hu.copy()
    padded[:, :4] = padding
    nib.save(nib.Nifti1Image(padded, house_affine()), tmp_path / "padded.nii.gz")
    volume = read_volume(tmp_path / "padded.nii.gz")
    np.testing.assert_array_equal(volume.hu, np.maximum(padded, -1024))


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64])
def test_whole_numbers_become_int16_whatever_holds_them(hu: np.ndarray, dtype: type) -> None:
    volume = read_volume(hu.astype(dtype), affine=house_affine())
    assert volume.hu.dtype == np.int16
    np.testing.assert_array_equal(volume.hu, hu)


def test_fractions_stay_as_float32(hu: np.ndarray) -> None:
    volume = read_volume(hu + 0.25, affine=house_affine())
    assert volume.hu.dtype == np.float32
    np.testing.assert_allclose(volume.hu, np.maximum(hu + 0.25, -1024))


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_the_callers_array_is_left_alone(hu: np.ndarray, dtype: type) -> None:
    given = hu.astype(dtype)
    given[:, :3] = -3000
    before = given.copy()
    volume = read_volume(given, affine=house_affine())
    np.testing.assert_array_equal(given, before)
    assert not np.shares_memory(volume.hu, given)
    image = nib.Nifti1Image(given, house_affine())
    read_volume(image)
    np.testing.assert_array_equal(image.dataobj, before)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
@pytest.mark.parametrize("suffix", ["nrrd", "nhdr"])
def test_nrrd_encodings(tmp_path: Path, hu: np.ndarray, encoding: str, suffix: str) -> None:
    image = stored_as(hu, house_affine(), "LPS")
    write_nrrd(tmp_path / f"a.{suffix}", image, encoding=encoding)
    np.testing.assert_array_equal(read_volume(tmp_path / f"a.{suffix}").hu, hu)


@pytest.mark.parametrize(
    ("space", "signs"),
    [("right-anterior-superior", (1, 1)), ("RAS", (1, 1)), ("left-anterior-superior", (-1, 1)), ("LPS", (-1, -1))],
)
def test_nrrd_spaces_put_the_scan_in_the_same_place(
    tmp_path: Path, hu: np.ndarray, space: str, signs: tuple[int, int]
) -> None:
    image = stored_as(hu, house_affine(), "RAS")
    to_space = np.diag([signs[0], signs[1], 1.0, 1.0]) @ image.affine
    write_nrrd(
        tmp_path / "a.nrrd",
        image,
        **{"space": space, "space directions": to_space[:3, :3].T, "space origin": to_space[:3, 3]},
    )
    np.testing.assert_allclose(read_volume(tmp_path / "a.nrrd").affine, house_affine(), atol=1e-6)


def test_big_endian_and_detached_nrrd_with_a_skip(tmp_path: Path, hu: np.ndarray) -> None:
    image = stored_as(hu, house_affine(), "LPS")
    stored = np.asarray(image.dataobj)
    (tmp_path / "a.raw").write_bytes(b"line\n" + b"1234" + stored.astype(">i2").tobytes(order="F"))
    affine = LPS_TO_RAS @ image.affine
    vectors = " ".join("(" + ",".join(str(x) for x in column) + ")" for column in affine[:3, :3].T)
    (tmp_path / "a.nhdr").write_text(
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(str(n) for n in stored.shape)}\nspace directions: {vectors}\nendian: big\nencoding: raw\n"
        f"space origin: ({','.join(str(x) for x in affine[:3, 3])})\nline skip: 1\nbyte skip: 4\ndata file: a.raw\n"
    )
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nhdr").hu, hu)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("data", ["LOCAL", "a.raw"])
def test_metaimage_encodings(tmp_path: Path, hu: np.ndarray, compress: bool, big: bool, data: str) -> None:
    path = tmp_path / ("a.mha" if data == "LOCAL" else "a.mhd")
    write_metaimage(path, stored_as(hu, house_affine(), "PIR"), compress=compress, big=big, data=data)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_allclose(volume.affine, house_affine(), atol=1e-6)


def test_local_voxels_in_any_spelling_of_metaio(tmp_path: Path, hu: np.ndarray) -> None:
    write_metaimage(tmp_path / "a.mha", stored_as(hu, house_affine(), "LPS"))
    data = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(data.replace(b"ElementDataFile = LOCAL", b"ElementDataFile = Local", 1))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.mha").hu, hu)


def test_nifti2_and_big_endian_nifti(tmp_path: Path, hu: np.ndarray) -> None:
    nib.save(nib.Nifti2Image(hu, house_affine()), tmp_path / "two.nii.gz")
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nib.save(nib.Nifti1Image(hu.astype(">i2"), house_affine(), header), tmp_path / "big.nii")
    for name in ("two.nii.gz", "big.nii"):
        volume = read_volume(tmp_path / name)
        np.testing.assert_array_equal(volume.hu, hu)
        assert volume.hu.dtype == np.int16


def test_the_sform_is_used_before_the_qform_and_a_conflict_is_told(tmp_path: Path, hu: np.ndarray) -> None:
    image = nib.Nifti1Image(hu, house_affine())
    image.set_qform(house_affine((6.0, 6.0, 5.0)), code=1)
    image.set_sform(house_affine(), code=1)
    nib.save(image, tmp_path / "two.nii.gz")
    volume = read_volume(tmp_path / "two.nii.gz")
    np.testing.assert_allclose(volume.affine, house_affine(), atol=1e-4)
    assert any("sform and qform" in warning for warning in volume.warnings)


def test_a_conflict_that_leaves_two_opposite_corners_in_place_is_told(tmp_path: Path, hu: np.ndarray) -> None:
    """Rows and columns swapped: the first and the last voxel stay where they are, all else is transposed."""
    square = hu[:, : min(hu.shape[1:]), : min(hu.shape[1:])]
    image = nib.Nifti1Image(square, house_affine())
    image.set_sform(house_affine(), code=1)
    image.set_qform(house_affine()[:, [0, 2, 1, 3]], code=1)
    nib.save(image, tmp_path / "swapped.nii.gz")
    checks = {row.name: row for row in examine(tmp_path / "swapped.nii.gz").checks}
    assert checks["orientation"].status == "warn"
    assert "sform and qform" in checks["orientation"].message


def test_a_qform_alone_is_enough(tmp_path: Path, hu: np.ndarray) -> None:
    image = nib.Nifti1Image(hu, None)
    image.set_qform(turned(7, 0) @ house_affine(), code=1)
    image.set_sform(None, code=0)
    nib.save(image, tmp_path / "q.nii.gz")
    volume = read_volume(tmp_path / "q.nii.gz")
    np.testing.assert_allclose(volume.affine, turned(7, 0) @ house_affine(), atol=1e-3)
    assert volume.warnings == ()


def test_a_single_trailing_axis_is_dropped(tmp_path: Path, hu: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(hu[..., None], house_affine()), tmp_path / "four.nii.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "four.nii.gz").hu, hu)


def test_a_volume_passes_through_unchanged(hu: np.ndarray) -> None:
    volume = read_volume(hu, affine=house_affine(), case_id="mine")
    assert read_volume(volume) is volume
    assert read_volume(volume, case_id="other").case_id == "other"


@pytest.mark.parametrize(
    ("name", "case_id"),
    [("a.b.nii.gz", "a.b"), ("x/y/train_1_a_1.NII.GZ", "train_1_a_1"), ("a.nrrd", "a"), ("a.mhd", "a"), ("s.zip", "s")],
)
def test_the_case_id_is_the_name_without_its_suffix(name: str, case_id: str) -> None:
    assert case_id_of(name) == case_id


def test_the_case_id_of_a_folder_is_its_name(tmp_path: Path) -> None:
    (tmp_path / "study.1").mkdir()
    assert case_id_of(tmp_path / "study.1") == "study.1"


def test_reading_takes_little_more_memory_than_the_voxels(tmp_path: Path) -> None:
    hu = np.repeat(np.repeat(np.repeat(chest(), 3, 0), 4, 1), 4, 2)
    hu[:, :2] = -3024
    nib.save(nib.Nifti1Image(hu, house_affine((2.0, 1.5, 1.5))), tmp_path / "big.nii.gz")
    # what the first reading imports is no memory of this one
    read_volume(chest(), affine=house_affine())
    tracemalloc.start()
    volume = read_volume(tmp_path / "big.nii.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # no second copy of the voxels; chunks and the coarse copy of the chest check take a few MB at any size
    assert peak < 1.9 * volume.hu.nbytes


def test_errors_are_scan_errors_with_their_check(tmp_path: Path) -> None:
    with pytest.raises(ScanError) as caught:
        read_volume(tmp_path / "missing.nii.gz")
    assert caught.value.check == "file"
    assert isinstance(caught.value, ValueError)


def test_bzip2_written_elsewhere_is_read(tmp_path: Path, hu: np.ndarray) -> None:
    image = stored_as(hu, house_affine(), "LPS")
    write_nrrd(tmp_path / "a.nhdr", image, encoding="raw")
    header = (tmp_path / "a.nhdr").read_text().replace("encoding: raw", "encoding: bz2")
    (tmp_path / "a.raw").write_bytes(bz2.compress((tmp_path / "a.raw").read_bytes()))
    (tmp_path / "a.nhdr").write_text(header)
    volume = read_volume(tmp_path / "a.nhdr")
    assert isinstance(volume, Volume)
    np.testing.assert_array_equal(volume.hu, hu)
