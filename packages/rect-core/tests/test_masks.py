"""Masks go out in the scan's stored axes, come back voxel for voxel, and are refused on any other grid."""

import gzip
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rect_core.errors import ScanError
from rect_core.geometry import parse_axes
from rect_core.masks import read_mask, replacing, save_map, save_mask, save_volume
from rect_core.volume import StoredGrid, Volume

CODES = ("LPS", "RAS", "PIR", "SPL", "LPI", "ARS")


def scan(shape: tuple[int, int, int] = (9, 8, 7), code: str = "LPS", degrees: float = 0.0) -> Volume:
    """An empty scan stored in the axes `code`, turned about the feet-head axis; shape and spacing of stored axes."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(parse_axes(code)):
        affine[world, axis] = sign * (0.7, 0.9, 2.5)[axis]
    affine[:3, 3] = (-120.0, 33.0, -500.5)
    turn = np.eye(4)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[:2, :2] = [[cos, -sin], [sin, cos]]
    grid = StoredGrid(shape=shape, affine=turn @ affine)
    hu = np.zeros(grid.house_shape, np.int16)
    return Volume(hu=hu, affine=grid.house_affine, stored=grid, case_id="case")


def labels(volume: Volume, highest: int = 5, seed: int = 0) -> np.ndarray:
    dtype = np.uint8 if highest < 256 else np.uint16
    return np.random.default_rng(seed).integers(0, highest + 1, volume.shape).astype(dtype)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 20)] * 3),
    code=st.sampled_from(CODES),
    degrees=st.floats(-30, 30),
    highest=st.sampled_from([1, 5, 255, 256, 40000]),
    seed=st.integers(0, 99),
)
def test_a_saved_mask_comes_back_voxel_for_voxel(
    tmp_path: Path, shape: tuple[int, int, int], code: str, degrees: float, highest: int, seed: int
) -> None:
    volume = scan(shape, code, degrees)
    mask = labels(volume, highest, seed)
    save_mask(tmp_path / "m.nii.gz", mask, volume, description="test")
    image = nib.load(tmp_path / "m.nii.gz")
    assert image.shape == shape
    np.testing.assert_allclose(image.affine, volume.stored.affine, atol=1e-3)
    np.testing.assert_allclose(image.get_qform(), volume.stored.affine, atol=1e-3)
    np.testing.assert_array_equal(volume.stored.to_house(np.asanyarray(image.dataobj)), mask)
    for source in (tmp_path / "m.nii.gz", image, np.asanyarray(image.dataobj)):
        np.testing.assert_array_equal(read_mask(source, volume), mask)


@pytest.mark.parametrize(("highest", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.uint16)])
def test_the_smallest_type_that_holds_the_labels_is_written(tmp_path: Path, highest: int, dtype: type) -> None:
    volume = scan()
    mask = np.zeros(volume.shape, np.int32)
    mask[0, 0, 0] = highest
    save_mask(tmp_path / "m.nii.gz", mask, volume, description="m")
    assert nib.load(tmp_path / "m.nii.gz").get_data_dtype() == dtype


def test_a_bool_mask_is_written_as_zeros_and_ones(tmp_path: Path) -> None:
    volume = scan()
    mask = labels(volume, 1) > 0
    save_mask(tmp_path / "m.nii.gz", mask, volume, description="m")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz", volume), mask)


def test_a_map_is_written_as_float32(tmp_path: Path) -> None:
    volume = scan(code="PIR")
    prob = np.random.default_rng(0).random(volume.shape)
    save_map(tmp_path / "p.nii.gz", prob, volume, description="untrained weights")
    image = nib.load(tmp_path / "p.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert bytes(image.header["descrip"].tobytes()).rstrip(b"\0") == b"untrained weights"
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), volume.stored.to_stored(prob.astype(np.float32)))


def test_the_file_says_nothing_but_its_content(tmp_path: Path) -> None:
    """The same mask gives the same bytes, whenever and under whichever name it is written."""
    volume = scan()
    for name in ("a.nii.gz", "b.nii.gz"):
        save_mask(tmp_path / name, labels(volume), volume, description="m")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.nii.gz").read_bytes())[344:348] == b"n+1\0"


@pytest.mark.parametrize("code", CODES)
def test_a_mask_stored_in_other_axes_lies_on_the_same_voxels(tmp_path: Path, code: str) -> None:
    """A segmentation tool may store its mask in an axis order of its own; in millimetres it is the scan's grid."""
    volume = scan(code="RAS")
    mask = labels(volume)
    image = nib.Nifti1Image(mask, volume.affine)
    change = nib.orientations.ornt_transform(
        nib.io_orientation(volume.affine), nib.orientations.axcodes2ornt(tuple(code))
    )
    nib.save(image.as_reoriented(change), tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz", volume), mask)


def test_a_mask_of_a_scan_turned_by_45_degrees_comes_back(tmp_path: Path) -> None:
    """Halfway between two world axes the last digits of a header name the axes: they must not part mask and scan."""
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 2] = (1.34607757665, 1.34607759917, 0.0), (-0.93188202106, 0.93188200547, 0.0)
    affine[:3, 1], affine[:3, 3] = (0.0, 0.0, 0.592397817346), (163.5955778306, 65.8734842754, -56.1557710339)
    grid = StoredGrid(shape=(6, 7, 8), affine=affine)
    hu = np.zeros(grid.house_shape, np.int16)
    volume = Volume(hu=hu, affine=grid.house_affine, stored=grid, case_id="case")
    save_mask(tmp_path / "m.nii.gz", labels(volume), volume, description="test")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz", volume), labels(volume))


def test_whole_floats_become_integers() -> None:
    volume = scan(code="SPL")
    found = read_mask(labels(volume, 300).astype(np.float64), volume)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, labels(volume, 300))


def shifted(volume: Volume) -> np.ndarray:
    affine = volume.stored.affine.copy()
    affine[0, 3] += 4
    return affine


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("other shape", "9 x 8 x 6 voxels"),
        ("array of another shape", "is stored as 9 x 8 x 7"),
        ("shifted", "resample the mask"),
        ("coarser", "1.4 x 1.8 x 5 mm"),
        ("identity affine", "copy the affine of the scan 'case'"),
        ("blank affine", "copy the affine of the scan 'case'"),
        ("4-D", "4-D image"),
        ("fractions", "fractions"),
        ("negative", "-1 to"),
        ("NaN", "NaN"),
        ("missing", "no such file"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_naming_both(tmp_path: Path, name: str, fragment: str) -> None:
    volume = scan()
    affine, mask = volume.stored.affine, np.ones(volume.stored.shape, np.uint8)
    negative, broken = mask.astype(np.int16), mask.astype(np.float32)
    negative[0, 0, 0], broken[0, 0, 0] = -1, np.nan
    images = {
        "other shape": nib.Nifti1Image(mask[..., :6], affine),
        "shifted": nib.Nifti1Image(mask, shifted(volume)),
        "coarser": nib.Nifti1Image(mask, affine @ np.diag([2, 2, 2, 1])),
        "identity affine": nib.Nifti1Image(mask, np.eye(4)),
        "blank affine": nib.Nifti1Image(mask, None),
        "4-D": nib.Nifti1Image(np.stack([mask, mask]), affine),
        "fractions": nib.Nifti1Image(mask * np.float32(0.5), affine),
        "negative": nib.Nifti1Image(negative, affine),
        "NaN": nib.Nifti1Image(broken, affine),
    }
    source: object = tmp_path / "mask.nii.gz"
    if name in images:
        nib.save(images[name], tmp_path / "mask.nii.gz")
    elif name == "array of another shape":
        source = np.ones((9, 7, 8), np.uint8)
    with pytest.raises(ScanError) as caught:
        read_mask(source, volume)
    message = str(caught.value)
    assert caught.value.check == "mask"
    assert fragment in message
    assert message.startswith("mask ")
    assert "\n" not in message
    assert str(tmp_path) not in message


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.AnalyzeImage])
def test_a_mask_without_an_affine_is_refused_even_where_the_guess_fits(tmp_path: Path, kind: type) -> None:
    """nibabel centres such an image and takes it for LAS: by chance that may be the scan's own grid."""
    mask = np.ones((9, 8, 7), np.uint8)
    path = tmp_path / ("mask.img" if kind is nib.AnalyzeImage else "mask.nii.gz")
    nib.save(kind(mask, None), path)
    guess = nib.load(path)
    grid = StoredGrid(shape=mask.shape, affine=guess.affine)
    hu = np.zeros(grid.house_shape, np.int16)
    volume = Volume(hu=hu, affine=grid.house_affine, stored=grid, case_id="case")
    with pytest.raises(ScanError, match="left and right are unknown"):
        read_mask(guess, volume)


def test_what_is_no_mask_is_not_written(tmp_path: Path) -> None:
    volume = scan()
    with pytest.raises(ValueError, match="-3 to"):
        save_mask(tmp_path / "m.nii.gz", np.full(volume.shape, -3), volume, description="m")
    with pytest.raises(ValueError, match="voxels for the scan 'case'"):
        save_mask(tmp_path / "m.nii.gz", np.zeros((3, 3, 3), np.uint8), volume, description="m")
    with pytest.raises(ValueError, match="descrip holds 79"):
        save_mask(tmp_path / "m.nii.gz", labels(volume), volume, description="m" * 80)
    with pytest.raises(ValueError, match=r"written as \.nii\.gz"):
        save_mask(tmp_path / "m.nii", labels(volume), volume, description="m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["gone/m.nii.gz", "a_file/m.nii.gz"])
def test_an_unwritable_place_is_an_output_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "a_file").write_text("in the way")
    volume = scan()
    with pytest.raises(ScanError, match=r"m\.nii\.gz: cannot be written") as caught:
        save_mask(tmp_path / place, labels(volume), volume, description="m")
    assert caught.value.check == "output"
    assert str(tmp_path) not in str(caught.value)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    volume = scan((60, 60, 60))
    save_mask(tmp_path / "m.nii.gz", np.zeros(volume.shape, np.uint8), volume, description="m")
    before = (tmp_path / "m.nii.gz").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(ScanError, match="cannot be written"):
            save_mask(tmp_path / "m.nii.gz", labels(volume, 255), volume, description="m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "m.nii.gz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.nii.gz"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with replacing(tmp_path / "m.nii.gz") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    (tmp_path / "m.nii.gz").write_bytes(b"old")
    code = (
        "import os, signal, sys; from pathlib import Path; from rect_core.masks import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.nii.gz")], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "m.nii.gz").read_bytes() == b"old"


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("code", CODES)
def test_a_saved_scan_comes_back_voxel_for_voxel(tmp_path: Path, code: str, dtype: type) -> None:
    empty = scan((24, 26, 50), code)
    values = np.random.default_rng(1).integers(-1024, 1500, empty.shape).astype(dtype)
    volume = Volume(hu=values, affine=empty.affine, stored=empty.stored, case_id="case")
    save_volume(tmp_path / "case.nii.gz", volume, description="test")
    image = nib.load(tmp_path / "case.nii.gz")
    assert image.get_data_dtype() == dtype
    assert image.dataobj.slope == 1
    np.testing.assert_array_equal(volume.stored.to_house(np.asanyarray(image.dataobj)), values)
    np.testing.assert_allclose(image.affine, volume.stored.affine, atol=1e-3)
