"""One scan stored in six ways, and as DICOM, is one scan; a mirrored one is another."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from rect_core.geometry import parse_axes, turn, turn_affine
from rect_core.volume import Volume
from rect_vlm import Prediction, ReCTVLM
from rect_vlm.pipeline import Encoded, Request, conclude, encode

LOW = 0.02
TOLERANCE = 1e-3
STORED = ["LPS", "RAS", "PIR", "SPL", "LAI", "ASR"]


def write(volume: Volume, axes: str, path: Path) -> Path:
    """The scan as NIfTI in other axes."""
    source, target = volume.stored.orientation, parse_axes(axes)
    array = turn(volume.stored.to_stored(volume.hu), source, target)
    affine = turn_affine(volume.stored.affine, volume.stored.shape, target)
    nib.Nifti1Image(np.ascontiguousarray(array), affine).to_filename(path)
    return path


def seen(model: ReCTVLM, path: Path) -> Encoded:
    return encode(model, Request(source=path))


def concluded(model: ReCTVLM, one: Encoded) -> Prediction:
    return conclude(model, Request(source=one.volume, localization_threshold=LOW), one)


@pytest.fixture(scope="session")
def reference(model: ReCTVLM, sample: Path) -> Encoded:
    return seen(model, sample)


def assert_same(one: Encoded, other: Encoded) -> None:
    torch.testing.assert_close(one.item.voxels, other.item.voxels, atol=TOLERANCE, rtol=0)
    assert torch.equal(one.item.regions, other.item.regions)
    np.testing.assert_array_equal(one.regions.labels, other.regions.labels)
    torch.testing.assert_close(one.tokens.patches, other.tokens.patches, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(one.tokens.pooled, other.tokens.pooled, atol=TOLERANCE, rtol=0)


def assert_same_lesions(one: Prediction, other: Prediction) -> None:
    np.testing.assert_allclose(one.classification.prob, other.classification.prob, atol=TOLERANCE)
    assert [x.id for x in one.lesions] == [x.id for x in other.lesions]
    assert one.lesions.items, "the comparison needs lesions"
    for a, b in zip(one.lesions, other.lesions, strict=True):
        np.testing.assert_allclose(a.centroid_ras_mm, b.centroid_ras_mm, atol=0.01)
        assert (a.side, a.region, a.voxels) == (b.side, b.region, b.voxels)
        np.testing.assert_allclose(
            (a.volume_ml, a.diameter_mm, a.short_axis_mm), (b.volume_ml, b.diameter_mm, b.short_axis_mm), rtol=1e-4
        )


@pytest.mark.parametrize("axes", STORED)
def test_a_scan_in_any_storage_orientation_gives_the_same_everything(
    axes: str, model: ReCTVLM, volume: Volume, reference: Encoded, prediction: Prediction, tmp_path: Path
) -> None:
    path = write(volume, axes, tmp_path / f"{axes}.nii.gz")
    one = seen(model, path)
    assert_same(one, reference)
    other = concluded(model, one)
    assert_same_lesions(other, prediction)
    assert other.volume.stored.axes == axes
    assert other.localization.masks["lung_nodule"].shape == other.volume.stored.shape


def test_a_dicom_copy_gives_the_same_everything(
    model: ReCTVLM,
    volume: Volume,
    reference: Encoded,
    prediction: Prediction,
    dicom_copy: Callable[[Volume, Path], Path],
    tmp_path: Path,
) -> None:
    folder = dicom_copy(volume, tmp_path / "study")
    one = seen(model, folder)
    assert_same(one, reference)
    assert_same_lesions(concluded(model, one), prediction)


def test_a_mirrored_scan_is_another_scan(
    model: ReCTVLM, volume: Volume, reference: Encoded, prediction: Prediction, tmp_path: Path
) -> None:
    mirrored = np.ascontiguousarray(volume.stored.to_stored(volume.hu[:, :, ::-1]))
    path = tmp_path / "mirrored.nii.gz"
    nib.Nifti1Image(mirrored, volume.stored.affine).to_filename(path)
    other = seen(model, path)
    far = 10 * TOLERANCE
    assert (other.item.voxels - reference.item.voxels).abs().max() > far
    assert (other.tokens.patches - reference.tokens.patches).abs().max() > far
    assert (other.tokens.pooled - reference.tokens.pooled).abs().max() > far
    assert not np.array_equal(other.regions.labels, reference.regions.labels)
    sides = [x.side for x in concluded(model, other).lesions]
    assert sides != [x.side for x in prediction.lesions]
