"""DICOM slices become one scan: where its voxels lie, what its numbers are, and nothing about the patient."""

import importlib.util
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from rect_core.errors import ScanError
from rect_core.geometry import apply_affine, parse_axes
from rect_core.read import read_volume
from rect_core.readers.dicom import read_dicom
from rect_core.tilt import shear_degrees
from rect_core.volume import StoredGrid

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def real() -> tuple[np.ndarray, np.ndarray]:
    """A real chest CT in HU, [column row slice], and its affine to RAS+ mm."""
    import nrrd

    spec = importlib.util.find_spec("slicerio")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    hu, header = nrrd.read(str(Path(spec.submodule_search_locations[0]) / "data" / "CTChest4.nrrd"))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = header["space directions"].T, header["space origin"]
    return hu, LPS_TO_RAS @ affine


def test_a_dicom_copy_of_a_real_ct_is_the_same_scan(
    dicom: Any, tmp_path: Path, real: tuple[np.ndarray, np.ndarray]
) -> None:
    hu, affine = real
    raw = read_dicom(dicom.write(tmp_path / "deep" / "study", (hu + 1024).astype(np.int16), affine).parent)

    theirs, ours = StoredGrid(shape=hu.shape, affine=affine), StoredGrid(shape=raw.array.shape, affine=raw.affine)
    assert np.array_equal(ours.to_house(raw.array), theirs.to_house(hu))
    assert np.abs(ours.house_affine - theirs.house_affine).max() < 1e-3
    assert raw.array.dtype == np.int16
    assert (raw.format, raw.rescaled, raw.age_years, raw.case_id) == ("dicom", True, 67.0, "deep")
    assert [check.name for check in raw.checks] == ["modality", "series", "slices"]
    assert "34 slices 10.00 mm apart" in dicom.said(raw)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "LAI", "RPI", "LSA", "PIR", "ASL"])
@pytest.mark.parametrize("degrees", [0.0, 9.0])
def test_position_and_orientation_decide_where_voxels_lie(
    dicom: Any, tmp_path: Path, axes: str, degrees: float
) -> None:
    """Supine and prone, head first and feet first, stacked upward and downward, coronal and sagittal, oblique."""
    affine = np.eye(4)
    for column, (world, sign) in enumerate(parse_axes(axes)):
        affine[:3, column] = np.eye(3)[world] * sign * (0.8, 0.7, 2.5)[column]
    angle = np.radians(degrees)
    turned = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine[:3, :3], affine[:3, 3] = turned @ affine[:3, :3], (12.5, -80.25, 410.0)
    stored = dicom.chest()
    raw = read_dicom(dicom.write(tmp_path / "s", stored, affine))
    theirs, ours = StoredGrid(shape=stored.shape, affine=affine), StoredGrid(shape=raw.array.shape, affine=raw.affine)
    assert np.array_equal(ours.to_house(raw.array), theirs.to_house(dicom.hu_of(stored)))
    assert np.abs(ours.house_affine - theirs.house_affine).max() < 1e-4


@pytest.mark.parametrize("degrees", [-18.0, 18.0])
def test_gantry_tilt_stays_in_the_affine(dicom: Any, tmp_path: Path, degrees: float) -> None:
    affine = dicom.AXIAL.copy()
    affine[1, 2] = 2.5 * np.tan(np.radians(degrees))
    raw = read_dicom(dicom.write(tmp_path / "s", dicom.chest(), affine))
    assert shear_degrees(raw.affine) == pytest.approx(18.0, abs=0.01)
    assert np.abs(raw.affine - affine).max() < 1e-4


@pytest.mark.parametrize("degrees", [-12.0, 12.0])
def test_a_tilted_series_is_refused_and_straightened_only_when_asked(
    dicom: Any, tmp_path: Path, real: tuple[np.ndarray, np.ndarray], degrees: float
) -> None:
    hu, affine = real[0], real[1].copy()
    affine[1, 2] = 10.0 * np.tan(np.radians(degrees))
    folder = dicom.write(tmp_path / "s", (hu + 1024).astype(np.int16), affine)
    with pytest.raises(ScanError, match=r"12\.0 degrees") as caught:
        read_volume(folder)
    assert caught.value.check == "tilt"

    volume = read_volume(folder, allow_tilt=True)
    assert shear_degrees(volume.affine) < 0.01
    at = np.random.default_rng(0).integers((20, 20, 2), np.array(hu.shape) - (20, 20, 2), (4000, 3))

    def apart(true_degrees: float) -> float:
        """Mean HU between a stored voxel and what the straightened scan shows at its place in mm."""
        affine[1, 2] = 10.0 * np.tan(np.radians(true_degrees))
        there = np.rint(apply_affine(np.linalg.inv(volume.affine), apply_affine(affine, at))).astype(int)
        inside = ((there >= 0) & (there < volume.shape)).all(axis=1)
        assert inside.mean() > 0.5
        return float(np.abs(volume.hu[tuple(there[inside].T)] - hu[tuple(at[inside].T)]).mean())

    assert apart(degrees) < 0.5 * min(apart(0.0), apart(-degrees))


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_no_tilt(dicom: Any, tmp_path: Path) -> None:
    affine = dicom.AXIAL.copy()
    affine[:3, 2], affine[:3, 3] = (0.0, 0.0, 0.625), (3.33, -7.77, 1.11)

    def rounded(ds: Dataset, k: int) -> None:
        ds.ImagePositionPatient = [f"{x:.1f}" for x in ds.ImagePositionPatient]

    raw = read_dicom(dicom.write(tmp_path / "s", dicom.chest(40), affine, change=rounded))
    assert shear_degrees(raw.affine) < 0.2


def test_each_slice_has_its_own_rescale(dicom: Any, tmp_path: Path) -> None:
    def whole(ds: Dataset, k: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = 1 + k % 2, -1000 - k

    def broken(ds: Dataset, k: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = f"0.{k + 5}", "-1000.5"

    stored, k = dicom.chest(4), np.arange(4)
    raw = read_dicom(dicom.write(tmp_path / "whole", stored, change=whole))
    assert raw.array.dtype == np.int16
    assert np.array_equal(raw.array, stored.astype(int) * (1 + k % 2) - 1000 - k)
    raw = read_dicom(dicom.write(tmp_path / "broken", stored, change=broken))
    assert raw.array.dtype == np.float32
    assert np.allclose(raw.array, stored * (0.5 + 0.1 * k) - 1000.5, atol=1e-3)


def test_values_beyond_int16_become_float_and_do_not_wrap(dicom: Any, tmp_path: Path) -> None:
    stored = dicom.chest(4)
    stored[3, 3, 3] = 60000
    raw = read_dicom(dicom.write(tmp_path / "s", stored))
    assert raw.array.dtype == np.float32
    assert np.array_equal(raw.array, dicom.hu_of(stored))


def test_an_unspecified_rescale_type_leaves_hu_open(dicom: Any, tmp_path: Path) -> None:
    raw = read_dicom(dicom.write(tmp_path / "s", dicom.chest(2), change=lambda ds, k: setattr(ds, "RescaleType", "US")))
    assert raw.rescaled is None


def test_an_enhanced_multi_frame_ct_reads_like_its_single_slices(dicom: Any, tmp_path: Path) -> None:
    dicom.enhanced(tmp_path / "multi" / "file", dicom.chest())
    multi, single = read_dicom(tmp_path / "multi"), read_dicom(dicom.write(tmp_path / "single", dicom.chest()))
    assert np.array_equal(multi.array, single.array)
    assert np.allclose(multi.affine, single.affine)
    assert "12 axial slices of 2.5 mm" in dicom.said(multi)


@pytest.mark.parametrize(
    ("stated", "years"),
    [("036Y", 36.0), ("008M", 8 / 12), ("012W", 0.23), ("003D", 0.008), ("", None), ("Quorra", None)],
)
def test_age_is_read_in_every_unit(dicom: Any, tmp_path: Path, stated: str, years: float | None) -> None:
    def aged(ds: Dataset, k: int) -> None:
        ds["PatientAge"]._value = stated

    found = read_dicom(dicom.write(tmp_path / "s", dicom.chest(2), change=aged)).age_years
    assert found == (None if years is None else pytest.approx(years, abs=0.001))


def test_odd_headers_are_neither_logged_nor_warned_about(
    dicom: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def odd(ds: Dataset, k: int) -> None:
        ds["PatientBirthDate"]._value = "Zyxwvut was born"
        ds["ConvolutionKernel"]._value = "as for Quorra Zyxwvut, B60"
        ds["SeriesNumber"]._value = "4"
        ds.SpecificCharacterSet = "ISO_IR 100"

    dicom.said(read_dicom(dicom.write(tmp_path / "s", dicom.chest(), change=odd)))
    path = next((tmp_path / "s").iterdir())
    path.write_bytes(path.read_bytes()[:700])
    dicom.refusal(tmp_path / "s")
    assert not caplog.records
    assert not logging.getLogger("pydicom").disabled
