"""ReCTVLM and Prediction keep the faces that users, the seed's calls included, rely on."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import ScanError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.volume import Volume
from rect_vlm import Prediction, ReCTVLM


def stored_array(volume: Volume) -> np.ndarray:
    return np.ascontiguousarray(volume.stored.to_stored(volume.hu))


def test_attributes_and_keys_give_the_same(prediction: Prediction) -> None:
    assert prediction["classification"]["disease_names"] == prediction.classification.disease_names
    assert prediction["localization"]["masks"].keys() == prediction.localization.masks.keys() == set(LOCALIZED)
    assert prediction["reports"][0] == prediction.reports[0] == prediction.report.text
    with pytest.raises(KeyError, match="a prediction has"):
        prediction["diagnosis"]


def test_all_18_scores_are_probabilities_in_ct_rate_order(prediction: Prediction) -> None:
    assert prediction.classification.labels == LABELS
    assert all(0.0 < p < 1.0 for p in prediction.classification.prob)


def test_the_seeds_keywords_give_the_same_prediction_as_the_file(
    model: ReCTVLM, prediction: Prediction, volume: Volume
) -> None:
    out = model.predict(
        ct_volume=stored_array(volume),
        affine=volume.stored.affine,
        segmentation_mask=np.ascontiguousarray(volume.stored.to_stored(prediction.regions.labels)),
        generate_report=True,
        classification_threshold=0.5,
        localization_threshold=0.5,
    )
    np.testing.assert_allclose(out.classification.prob, prediction.classification.prob, atol=1e-6)
    assert out.record.warnings != () or out.regions.origin == "given"


def test_a_nibabel_image_is_a_scan(model: ReCTVLM, prediction: Prediction, volume: Volume) -> None:
    image = nib.Nifti1Image(stored_array(volume), volume.stored.affine)
    np.testing.assert_allclose(model.classify(image).prob, prediction.classification.prob, atol=1e-6)


def test_a_bare_array_is_refused_with_the_corrected_call(model: ReCTVLM, volume: Volume) -> None:
    with pytest.raises(ScanError, match="affine=") as caught:
        model.predict(stored_array(volume))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"scan": "a.nii.gz", "ct_volume": "b.nii.gz"}])
def test_no_scan_or_two_scans_are_refused(model: ReCTVLM, given: dict[str, str]) -> None:
    with pytest.raises(ScanError, match="one scan"):
        model.predict(**given)


def test_masks_come_back_in_the_scans_own_axes(prediction: Prediction, volume: Volume) -> None:
    masks = prediction.localization.masks
    assert {mask.shape for mask in masks.values()} == {volume.stored.shape}
    assert {mask.dtype for mask in masks.values()} == {np.dtype(bool)}
    counts = {finding: int(mask.sum()) for finding, mask in masks.items()}
    assert counts == {f: sum(x.voxels for x in prediction.lesions.of(f)) for f in LOCALIZED}


def test_localize_lesions_maps_each_finding_to_a_boolean_mask(model: ReCTVLM, volume: Volume) -> None:
    masks = model.localize_lesions(volume)
    assert list(masks) == list(LOCALIZED)
    assert all(mask.dtype == bool and mask.shape == volume.stored.shape for mask in masks.values())


def test_a_printed_report_is_its_text(model: ReCTVLM, volume: Volume, prediction: Prediction) -> None:
    report = model.generate_report(volume, max_new_tokens=512, temperature=0.7)
    assert str(report).startswith("Findings:")
    assert "untrained" in str(report).lower()


def test_a_mapping_of_thresholds_decides_label_by_label(model: ReCTVLM, volume: Volume) -> None:
    cuts = dict.fromkeys(LABELS, 0.999) | {"Lung nodule": 0.001}
    assert model.classify(volume, threshold=cuts).disease_names == ("Lung nodule",)


def test_saved_weights_give_the_same_prediction(
    model: ReCTVLM, volume: Volume, prediction: Prediction, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path / "weights", weights_status="untrained")
    again = ReCTVLM.from_pretrained(tmp_path / "weights")
    assert again.fingerprints == model.fingerprints
    assert again.classify(volume).prob == prediction.classification.prob


def test_heads_of_another_encoder_are_refused(model: ReCTVLM, tmp_path: Path) -> None:
    from dataclasses import replace

    from rect_classifier import Classifier

    config = replace(model.classifier.config, encoder_fingerprint="0" * 64)
    with pytest.raises(ValueError, match="trained on encoder 000000000000"):
        ReCTVLM(model.encoder, Classifier.untrained(config), model.localizer)


def test_names_of_weights_that_never_existed_are_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no weights exist"):
        ReCTVLM.from_pretrained("NEWMES-AI/ReCT-VLM-Large")


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="tiny, small"):
        ReCTVLM.from_pretrained("untrained:huge")


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(model: ReCTVLM) -> None:
    assert ReCTVLM.untrained("tiny").fingerprints == model.fingerprints
    assert ReCTVLM.untrained("tiny", seed=1).fingerprints["encoder"] != model.fingerprints["encoder"]
