"""The shared nouns: each survives its own JSON, and refuses what does not fit together."""

import json
import math
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rect_core
from rect_core.findings import LABELS, LOCALIZED, REGIONS
from rect_core.types import (
    SCHEMA_VERSION,
    FindingScores,
    Lesion,
    Lesions,
    ManifestRow,
    MaskCrop,
    OperatingPoints,
    OutlinePoints,
    PredictionRecord,
    Reasoning,
    ReasoningStep,
    Report,
    Sentence,
    VisionTokens,
    WeightsStatus,
)
from rect_core.types.report import SECTIONS

finite = st.floats(allow_nan=False, allow_infinity=False)
unit = st.floats(0, 1)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
findings = st.sampled_from(LOCALIZED)
some = settings(max_examples=30, deadline=None)

# Strategies draw fields and the tests build the nouns: beartype looks at random items, which a strategy may not do.


@st.composite
def scores(draw: st.DrawFn) -> dict[str, Any]:
    labels = draw(st.lists(st.sampled_from(LABELS), unique=True, max_size=18))
    rows = {"logits": finite, "prob": unit, "threshold": unit}
    drawn = {name: tuple(draw(values) for _ in labels) for name, values in rows.items()}
    return {"labels": tuple(labels), "calibrated": draw(st.booleans()), **drawn}


lesions = st.fixed_dictionaries(
    {
        "finding": findings,
        "instance": st.integers(1, 300),
        "volume_ml": finite,
        "diameter_mm": finite | st.just(math.nan),
        "short_axis_mm": finite | st.just(math.nan),
        "side": st.sampled_from(["right", "left", "bilateral", "midline"]),
        "region": st.sampled_from(REGIONS),
        "centroid_ras_mm": st.tuples(finite, finite, finite),
        "slices": st.tuples(st.integers(0, 999), st.integers(0, 999)),
        "voxels": st.integers(1, 10**9),
        "prob": unit | st.just(math.nan),
    }
)
evidence = st.lists(words, min_size=1, max_size=3).map(tuple)
sentences = st.fixed_dictionaries(
    {
        "text": words,
        "section": st.sampled_from(SECTIONS),
        "evidence": evidence,
        "negative": st.booleans(),
        "uncertain": st.booleans(),
    }
)
steps = st.fixed_dictionaries({"region": words, "observation": words, "inference": words, "evidence": evidence})


def through_json(data: Any) -> Any:
    """As another program would read it: strict JSON, so no NaN and no tuples."""
    return json.loads(json.dumps(data, allow_nan=False))


@some
@given(scores())
def test_scores_survive_json(fields: dict[str, Any]) -> None:
    value = FindingScores(**fields)
    assert FindingScores.from_json(through_json(value.to_json())) == value


@some
@given(words, st.sampled_from(get_args(WeightsStatus)), scores(), st.lists(lesions, max_size=3))
def test_a_record_survives_strict_json_with_its_undefined_numbers(
    name: str, status: WeightsStatus, drawn: dict[str, Any], found: list[dict[str, Any]]
) -> None:
    value = PredictionRecord(
        case_id=name,
        weights_status=status,
        scores=FindingScores(**drawn),
        assessed_masks=LOCALIZED,
        lesions=tuple(Lesion(**fields) for fields in found),
        warnings=(name,),
    )
    # repr shows NaN as nan, which == would call different from itself
    assert repr(PredictionRecord.from_json(through_json(value.to_json()))) == repr(value)


@some
@given(st.lists(sentences, max_size=4))
def test_a_report_survives_json(drawn: list[dict[str, Any]]) -> None:
    value = Report(sentences=tuple(Sentence(**fields) for fields in drawn))
    assert Report.from_json(through_json(value.to_json())) == value


@some
@given(st.lists(steps, max_size=3), words)
def test_reasoning_survives_json(drawn: list[dict[str, Any]], conclusion: str) -> None:
    value = Reasoning(steps=tuple(ReasoningStep(**fields) for fields in drawn), conclusion=conclusion)
    assert Reasoning.from_json(through_json(value.to_json())) == value


row = st.lists(unit, min_size=18, max_size=18).map(tuple)
knots = st.lists(st.tuples(unit, unit), min_size=1, max_size=3).map(
    lambda points: tuple(zip(*map(sorted, zip(*points, strict=True)), strict=True))
)


@some
@given(
    row,
    st.dictionaries(st.sampled_from(LABELS), knots, max_size=2),
    st.dictionaries(st.sampled_from(["f1", "crg"]), row, max_size=2),
)
def test_operating_points_survive_their_file(
    tmp_path_factory: pytest.TempPathFactory, scale: Any, isotonic: Any, cuts: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "operating_points.json"
    value = OperatingPoints(scale=scale, bias=scale[::-1], isotonic=isotonic, thresholds=cuts, fitted_on="here")
    value.save(path)
    assert OperatingPoints.load(path) == value


def a_record() -> PredictionRecord:
    return PredictionRecord(
        case_id="scan",
        weights_status="synthetic",
        scores=FindingScores(labels=("Lung nodule",), logits=(0.5,), prob=(0.6,), threshold=(0.5,)),
        assessed_masks=("lung_nodule",),
        lesions=(),
    )


def test_a_record_of_a_newer_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    data = a_record().to_json() | {"schema_version": SCHEMA_VERSION + 1}
    (tmp_path / "findings.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match=f"has schema {SCHEMA_VERSION + 1} but this .* reads up to {SCHEMA_VERSION}:"):
        PredictionRecord.load(tmp_path / "findings.json")


def test_a_record_loads_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "findings.json").write_text(json.dumps(a_record().to_json()), encoding="utf-8")
    assert PredictionRecord.load(tmp_path / "findings.json") == a_record()


@pytest.mark.parametrize("key", ["schema_version", "case_id", "weights_status", "scores", "assessed_masks", "lesions"])
def test_a_record_without_one_of_its_keys_is_refused(key: str) -> None:
    data = a_record().to_json()
    del data[key]
    with pytest.raises(KeyError, match=key):
        PredictionRecord.from_json(data)


def test_a_finding_is_present_from_its_threshold_on() -> None:
    value = FindingScores(
        labels=("Lung nodule", "Emphysema", "Atelectasis"),
        logits=(0.0, -1.0, 1.0),
        prob=(0.5, 0.27, 0.73),
        threshold=(0.5, 0.5, 0.8),
    )
    assert value.present == (True, False, False)
    assert value.disease_names == value["disease_names"] == ("Lung nodule",)
    assert value.probabilities["Emphysema"] == 0.27
    for key in ("nothing", "__class__", "_private"):
        with pytest.raises(KeyError):
            value[key]


def test_scores_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="prob has 2 values for 1 labels"):
        FindingScores(labels=("Lung nodule",), logits=(0.0,), prob=(0.1, 0.2), threshold=(0.5,))


def test_operating_points_that_do_not_fit_their_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scale has 1 values for 18 labels"):
        OperatingPoints(scale=(1.0,))
    with pytest.raises(ValueError, match="f1 has 2 values for 18 labels"):
        OperatingPoints(thresholds={"f1": (0.1, 0.2)})
    with pytest.raises(ValueError, match=r"isotonic knots for unknown labels \['Cold'\]"):
        OperatingPoints(isotonic={"Cold": ()})
    OperatingPoints().save(tmp_path / "points.json")
    data = json.loads((tmp_path / "points.json").read_text()) | {"shift": 1}
    (tmp_path / "points.json").write_text(json.dumps(data))
    with pytest.raises(TypeError, match="shift"):
        OperatingPoints.load(tmp_path / "points.json")


def a_lesion(finding: str, instance: int, volume_ml: float) -> Lesion:
    return Lesion(
        finding=finding,
        instance=instance,
        volume_ml=volume_ml,
        diameter_mm=8.0,
        short_axis_mm=6.0,
        side="right",
        region=REGIONS[0],
        centroid_ras_mm=(1.0, 2.0, 3.0),
        slices=(4, 6),
        voxels=100,
        prob=0.8,
    )


def test_lesions_know_a_negative_from_an_unknown() -> None:
    small, large = a_lesion("lung_nodule", 1, 0.2), a_lesion("lung_nodule", 2, 3.0)
    found = Lesions(asked=("lung_nodule", "consolidation"), items=(small, large))
    assert found.of("lung_nodule") == (large, small)
    assert found.of("consolidation") == ()
    assert list(found) == [small, large]
    assert len(found) == 2
    assert large.id == "lung_nodule-2"
    with pytest.raises(KeyError, match="'pleural_effusion' was not looked for in this scan"):
        found.of("pleural_effusion")


def test_a_mask_crop_fills_its_box_and_nothing_else() -> None:
    crop = MaskCrop(labels=np.full((1, 2, 3), 7, np.uint8), start=(2, 0, 1), shape=(4, 4, 4))
    dense = crop.dense()
    assert dense.shape == (4, 4, 4)
    assert dense.sum() == 7 * 6
    assert np.array_equal(dense[crop.box], crop.labels)


@pytest.mark.parametrize("start", [(4, 0, 0), (-1, 0, 0), (0, 3, 0)])
def test_a_mask_crop_outside_its_scan_is_refused(start: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"mask box ends at [dh]="):
        MaskCrop(labels=np.zeros((1, 2, 3), np.uint8), start=start, shape=(4, 4, 4))


def test_a_sentence_needs_evidence_and_a_known_section() -> None:
    with pytest.raises(ValueError, match=r"sentence without evidence: 'Clear\.'"):
        Sentence(text="Clear.", section="findings", evidence=())
    with pytest.raises(ValueError, match="section 'plan' is not one of findings, impression, not assessed"):
        Sentence(text="Clear.", section="plan", evidence=("scope",))


def test_a_report_reads_in_its_sections() -> None:
    def says(text: str, section: str) -> Sentence:
        return Sentence(text=text, section=section, evidence=("scope",))

    report = Report(sentences=(says("A.", "findings"), says("C.", "not assessed"), says("B.", "findings")))
    assert report.text == str(report) == "Findings:\nA. B.\n\nNot assessed:\nC."


def test_a_manifest_row_has_all_18_labels() -> None:
    row = ManifestRow(case_id="a", volume="a.nii.gz", patient="p", scan="s", split="train", spacing_mm=(1.0, 1.0, 1.0))
    assert len(row.labels) == 18
    assert all(math.isnan(x) for x in row.labels)
    with pytest.raises(ValueError, match="a: 2 labels instead of 18"):
        replace(row, labels=(0.0, 1.0))


def test_tokens_move_together_and_refuse_another_encoder() -> None:
    tokens = VisionTokens(
        patches=torch.zeros(1, 8, 4),
        regions=torch.zeros(1, 20, 4),
        region_present=torch.ones(1, 20, dtype=torch.bool),
        patch_present=torch.ones(1, 8, dtype=torch.bool),
        pooled=torch.zeros(1, 4),
        grid=(2, 2, 2),
        centres_mm=torch.zeros(1, 8, 3),
        fingerprint="a" * 64,
    )
    moved = tokens.to("meta")
    held = [moved.patches, moved.regions, moved.region_present, moved.patch_present, moved.pooled, moved.centres_mm]
    assert {t.device.type for t in held} == {"meta"}
    assert moved.grid == tokens.grid
    tokens.check_encoder("a" * 64)
    with pytest.raises(ValueError, match="come from encoder aaaaaaaaaaaa but the head was trained on bbbbbbbbbbbb"):
        tokens.check_encoder("b" * 64)


def test_the_public_names_of_rect_core_are_there() -> None:
    for name in rect_core.__all__:
        assert getattr(rect_core, name).__name__ == name
    assert set(rect_core.__all__) <= set(dir(rect_core))
    assert rect_core.__version__ == version("rect-core")
    with pytest.raises(AttributeError, match="module 'rect_core' has no attribute 'nothing'"):
        rect_core.nothing  # noqa: B018


def test_outline_points_survive_their_file_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    value = OutlinePoints(findings=("lung_nodule", "consolidation"), peak=(0.0, 0.999998), fitted_on="here")
    value.save(tmp_path / "points.json")
    assert OutlinePoints.load(tmp_path / "points.json") == value
    assert value.peaks == {"lung_nodule": 0.0, "consolidation": 0.999998}
    with pytest.raises(ValueError, match="peak has 1 values for 5 findings"):
        OutlinePoints(peak=(0.5,))
    for wrong in (1.5, -0.1, float("nan")):
        with pytest.raises(ValueError, match=f"peak {wrong} is not from 0 to 1: fit them again"):
            OutlinePoints(findings=("lung_nodule",), peak=(wrong,))
    OperatingPoints().save(tmp_path / "points.json")
    with pytest.raises(
        ValueError, match=r"points\.json holds no operating points of outlines \('findings'\): export again"
    ):
        OutlinePoints.load(tmp_path / "points.json")
