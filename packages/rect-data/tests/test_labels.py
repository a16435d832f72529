"""Which labels a phantom has: prevalences, co-occurrence, and that nothing but seed and index decides."""

from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest

from rect_core.findings import LABELS
from rect_data.phantom.config import PREVALENCE, PhantomConfig
from rect_data.phantom.patient import LOADINGS, labels_of, patient_of
from rect_data.phantom.plan import Study, study
from rect_data.phantom.streams import stream
from rect_data.phantom.traits import Traits


@pytest.fixture(scope="module")
def drawn() -> list[tuple[str, ...]]:
    return [labels_of(PhantomConfig(), study(index)) for index in range(2000)]


@pytest.mark.parametrize("label", LABELS)
def test_each_label_is_as_common_as_in_ct_rate(label: str, drawn: list[tuple[str, ...]]) -> None:
    share = sum(label in labels for labels in drawn) / len(drawn)
    assert share == pytest.approx(PREVALENCE[label], abs=0.02)


def test_findings_with_a_common_cause_occur_together(drawn: list[tuple[str, ...]]) -> None:
    def lift(one: str, other: str) -> float:
        n = Counter((one in labels, other in labels) for labels in drawn)
        both, first, second = n[True, True], n[True, True] + n[True, False], n[True, True] + n[False, True]
        return both * len(drawn) / (first * second)

    assert lift("Cardiomegaly", "Pleural effusion") > 1.5
    assert lift("Lung opacity", "Consolidation") > 1.3
    assert lift("Arterial wall calcification", "Coronary artery wall calcification") > 1.5
    assert lift("Hiatal hernia", "Consolidation") == pytest.approx(1.0, abs=0.35)


def test_old_patients_have_more_calcium() -> None:
    config = PhantomConfig()
    ages = {True: [], False: []}
    for index in range(400):
        found = "Arterial wall calcification" in labels_of(config, study(index))
        ages[found].append(patient_of(config, study(index)).age)
    assert np.mean(ages[True]) > np.mean(ages[False]) + 8


def test_no_cause_leaves_a_label_without_variance_of_its_own() -> None:
    assert set(LOADINGS) == set(LABELS)
    assert max(float(np.square(loading).sum()) for loading in LOADINGS.values()) < 0.95


def test_reconstructions_share_labels_and_a_second_scan_has_its_own() -> None:
    config = PhantomConfig()
    assert study(6).scan == study(7).scan
    assert (study(6).reconstruction, study(7).reconstruction) == (0, 1)
    assert labels_of(config, study(6)) == labels_of(config, study(7))
    first = [labels_of(config, study(10 * block + 8)) for block in range(30)]
    second = [labels_of(config, study(10 * block + 9)) for block in range(30)]
    assert first != second
    assert [patient_of(config, study(10 * b + 8)).sex for b in range(30)] == [
        patient_of(config, study(10 * b + 9)).sex for b in range(30)
    ]


def test_names_are_unique_and_of_ct_rates_form() -> None:
    names = [study(index).name for index in range(500)]
    assert len(set(names)) == 500
    assert names[:8] == ["1_a_1", "2_a_1", "3_a_1", "4_a_1", "5_a_1", "6_a_1", "7_a_1", "7_a_2"]
    assert names[8:10] == ["8_a_1", "8_b_1"]


def test_scans_are_numbered_without_gaps() -> None:
    assert sorted({study(index).ordinal for index in range(100)}) == list(range(90))
    assert Study(patient=8, scan=0, reconstruction=0).ordinal == 9


def test_streams_differ_by_purpose_and_repeat_by_seed() -> None:
    assert stream(7, 1, "nodules").random() == stream(7, 1, "nodules").random()
    assert stream(7, 1, "nodules").random() != stream(7, 1, "opacity").random()
    assert stream(7, 1, "nodules").random() != stream(8, 1, "nodules").random()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"seed": -1}, "seed -1 is negative"),
        ({"size": (8, 128, 128)}, "between 16 and 1024"),
        ({"spacing_mm": (3.0, 0.1, 1.5)}, "between 0.5 and 12.0 mm"),
        ({"spacing_mm": (3.0, float("nan"), 1.5)}, "between 0.5 and 12.0 mm"),
        ({"spacing_mm": (0.5, 0.5, 0.5), "size": (32, 32, 32)}, "422 million voxels, which takes 19 GB"),
        ({"prevalence": {"Lung nodule": 0.5}}, "each of the 18 labels once"),
        ({"prevalence": dict.fromkeys(LABELS, 1.5)}, "prevalence 1.5: give a share between 0 and 1"),
        ({"prevalence": dict.fromkeys(LABELS, float("nan"))}, "prevalence nan: give a share"),
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PhantomConfig(**wrong)


def test_an_index_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="index -1 is negative"):
        study(-1)


def test_labels_change_no_trait_but_their_own() -> None:
    patient = patient_of(PhantomConfig(), study(3))
    own = {"heart", "losing", "effusion_ml", "hyperinflation"}
    for seed in range(20):
        bare, full = (asdict(Traits.of(patient, labels, stream(seed))) for labels in ((), LABELS))
        assert {name for name in bare if bare[name] != full[name]} <= own


def test_an_index_beyond_the_sequence_of_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="index 1073741824 is too large: give 0 to 1073741823"):
        study(1 << 30)
