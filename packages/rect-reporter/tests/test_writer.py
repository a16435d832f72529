"""What the evidence writer says, sentence by sentence."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rect_core.findings import LABELS, LOCALIZED, NOT_ASSESSED, REGIONS
from rect_core.types import FindingScores, Lesion, PredictionRecord, Report, WeightsStatus
from rect_reporter import evidence_ids, report_from_findings, write_report

Writer = Callable[..., PredictionRecord]


@pytest.fixture
def lesion() -> Callable[..., Lesion]:
    def make(finding: str = "lung_nodule", instance: int = 1, **values: object) -> Lesion:
        fields: dict[str, object] = {
            "volume_ml": 0.2,
            "diameter_mm": 8.2,
            "short_axis_mm": 6.0,
            "side": "right",
            "region": "right upper zone",
            "centroid_ras_mm": (0.0, 0.0, 0.0),
            "slices": (40, 43),
            "voxels": 20,
            "prob": 0.8,
        }
        return Lesion(finding=finding, instance=instance, **(fields | values))  # type: ignore[arg-type]

    return make


@pytest.fixture
def record() -> Writer:
    def make(
        probs: Mapping[str, float] | None = None,
        lesions: tuple[Lesion, ...] = (),
        calibrated: bool = True,
        status: WeightsStatus = "clinical-data",
        threshold: float = 0.3,
        asked: tuple[str, ...] = LOCALIZED,
        warnings: tuple[str, ...] = (),
        labels: tuple[str, ...] = LABELS,
    ) -> PredictionRecord:
        prob = tuple((probs or {}).get(label, 0.05) for label in labels)
        cut = (threshold,) * len(labels)
        scores = FindingScores(labels=labels, logits=prob, prob=prob, threshold=cut, calibrated=calibrated)
        return PredictionRecord(
            case_id="case",
            weights_status=status,
            scores=scores,
            assessed_masks=asked,
            lesions=lesions,
            warnings=warnings,
        )

    return make


def sentences_with(report: Report, text: str) -> list[str]:
    return [s.text for s in report.sentences if text in s.text]


def test_one_nodule_is_given_with_side_zone_size_and_slices(record: Writer, lesion: Callable[..., Lesion]) -> None:
    report = write_report(record({"Lung nodule": 0.97}, (lesion(),)))
    expected = "A lung nodule measuring 8.2 x 6.0 mm is observed in the right upper zone (slices 40-43)."
    assert expected in report.section("findings")
    assert "Lung nodule in the right upper zone, 8.2 x 6.0 mm." in report.section("impression")
    assert next(s for s in report.sentences if s.text == expected).evidence == ("lesion:lung_nodule-1",)


def test_of_several_nodules_the_widest_is_named_and_the_rest_counted(
    record: Writer, lesion: Callable[..., Lesion]
) -> None:
    small = lesion(instance=2, diameter_mm=4.0, side="left", region="left lower zone", volume_ml=9.0)
    tiny = lesion(instance=3, diameter_mm=3.1, side="left", region="left lower zone")
    text = write_report(record({"Lung nodule": 0.97}, (small, lesion(), tiny))).section("findings")
    assert "Three lung nodules are observed in both lungs, one on the right and two on the left." in text
    assert "The largest measures 8.2 x 6.0 mm and lies in the right upper zone (slices 40-43)." in text
    assert "The others lie in the left lower zone (two) and measure 3.1 to 4.0 mm." in text


def test_effusion_on_both_sides_is_summed_by_side(record: Writer, lesion: Callable[..., Lesion]) -> None:
    right = lesion("pleural_effusion", volume_ml=120.4, diameter_mm=95.0, region="right pleural shell")
    left = lesion("pleural_effusion", 2, volume_ml=45.0, side="left", region="left pleural shell")
    report = write_report(record({"Pleural effusion": 0.95}, (right, left)))
    text = "on both sides in two parts, 165 ml in total (120 ml on the right and 45 ml on the left)."
    assert f"Pleural effusion is observed {text}" in report.section("findings")
    assert "Pleural effusion on both sides, 165 ml." in report.section("impression")


def test_very_many_lesions_are_summed_up_by_their_three_commonest_places(
    record: Writer, lesion: Callable[..., Lesion]
) -> None:
    regions = [*REGIONS[:6], "left upper zone", "left upper zone", "liver", "right lower zone", "spine"] * 10
    nodules = [
        lesion(
            instance=n,
            diameter_mm=9.0 - n / 50,
            side=region.split()[0] if " zone" in region else "right",
            region=region,
        )
        for n, region in enumerate(regions, start=1)
    ]
    report = write_report(record({"Lung nodule": 0.97}, tuple(nodules)))
    places = (
        "in the left upper zone (30), in the right lower zone (20), in the right middle zone (ten) and elsewhere (49)"
    )
    (rest,) = sentences_with(report, "The others lie")
    assert rest == f"The others lie {places}, and measure 6.8 to 9.0 mm."
    assert len(report.section("findings")) < 1500


def test_lesions_of_few_places_are_counted_in_each(record: Writer, lesion: Callable[..., Lesion]) -> None:
    places = ["right upper zone", *REGIONS[:3]]
    nodules = tuple(lesion(instance=n, region=region) for n, region in enumerate(places, start=1))
    text = write_report(record({"Lung nodule": 0.97}, nodules)).section("findings")
    assert (
        "in the right upper zone (one), in the right middle zone (one) and in the right lower zone (one), and" in text
    )


def test_the_other_of_two_lesions_is_given_with_both_its_sizes(record: Writer, lesion: Callable[..., Lesion]) -> None:
    other = lesion(instance=2, diameter_mm=4.1, short_axis_mm=3.3, side="left", region="left lower zone")
    text = write_report(record({"Lung nodule": 0.97}, (lesion(), other))).section("findings")
    assert "The other lies in the left lower zone and measures 4.1 x 3.3 mm." in text


def test_a_pleural_effusion_has_a_side_and_no_lung_zone(record: Writer, lesion: Callable[..., Lesion]) -> None:
    fluid = lesion(
        "pleural_effusion", volume_ml=340.0, diameter_mm=140.0, short_axis_mm=30.0, region="right lower zone"
    )
    report = write_report(record({"Pleural effusion": 0.97}, (fluid,)))
    assert "A pleural effusion of 340 ml is observed on the right (140 x 30 mm" in report.section("findings")
    assert "Pleural effusion on the right, 340 ml." in report.section("impression")


def test_the_largest_part_of_an_effusion_keeps_its_side(record: Writer, lesion: Callable[..., Lesion]) -> None:
    parts = tuple(lesion("pleural_effusion", n, volume_ml=50.0 / n, side="bilateral") for n in (1, 2))
    text = write_report(record({"Pleural effusion": 0.97}, parts)).section("findings")
    assert "The largest part measures 8.2 x 6.0 mm (50 ml) and lies on both sides (slices 40-43)." in text


def test_a_mass_opens_the_impression_and_is_called_one(record: Writer, lesion: Callable[..., Lesion]) -> None:
    fluid = lesion("pericardial_effusion", volume_ml=5.0, side="midline", region="heart")
    mass = lesion(diameter_mm=52.0, short_axis_mm=44.0)
    scores = {"Lung nodule": 0.97, "Pericardial effusion": 0.97}
    text = write_report(record(scores, (fluid, mass))).section("impression")
    assert text.startswith("Lung nodule in the right upper zone, 52 x 44 mm (a mass by its size). Pericardial effusion")
    text = write_report(record(scores, (fluid, mass, lesion(instance=2)))).section("impression")
    assert text.startswith(
        "Two lung nodules on the right, the largest 52 x 44 mm (a mass by its size) in the right upper zone."
    )
    text = write_report(record(scores, (fluid, lesion(diameter_mm=30.0)))).section("impression")
    assert text.startswith("Pericardial effusion")
    assert "mass" not in text


def test_findings_that_could_not_be_scored_are_counted_in_the_impression(record: Writer) -> None:
    text = write_report(record({"Emphysema": math.nan, "Atelectasis": math.nan})).section("impression")
    assert text == "None of the 16 assessed findings was detected. Two findings could not be scored."
    text = write_report(record({"Emphysema": math.nan})).section("impression")
    assert text.endswith("One finding could not be scored.")


def test_a_rounded_lesion_above_30_mm_is_called_a_mass(record: Writer, lesion: Callable[..., Lesion]) -> None:
    report = write_report(record({"Lung nodule": 0.97}, (lesion(diameter_mm=34.0, short_axis_mm=31.0),)))
    assert "34 x 31 mm (a mass by its size)" in report.section("findings")


@pytest.mark.parametrize(
    ("prob", "word"),
    [(0.3, "possible"), (0.49, "possible"), (0.5, "probable"), (0.89, "probable"), (0.9, "observed")],
)
def test_calibrated_probabilities_are_hedged_in_bands(record: Writer, prob: float, word: str) -> None:
    report = write_report(record({"Emphysema": prob}))
    assert sentences_with(report, "Emphysema")[0] == f"Emphysema is {word} (probability {prob:.2f})."
    assert f"Emphysema is {word}." in report.section("impression")


def test_uncalibrated_scores_are_only_scored_as_present(record: Writer) -> None:
    text = write_report(record({"Emphysema": 0.95}, calibrated=False)).text
    assert "Emphysema is scored as present (uncalibrated score 0.95)." in text
    assert "probability" not in text


def test_outlined_lesions_keep_the_doubt_of_their_score(record: Writer, lesion: Callable[..., Lesion]) -> None:
    report = write_report(record({"Lung nodule": 0.6}, (lesion(),)))
    assert "is outlined in the right upper zone" in report.section("findings")
    assert "The score of lung nodule makes it probable (probability 0.60)." in report.section("findings")
    assert "8.2 x 6.0 mm, probable by score." in report.section("impression")


def test_a_present_score_without_an_outline_is_said(record: Writer) -> None:
    report = write_report(record({"Pleural effusion": 0.95}))
    found = next(s for s in report.sentences if s.text.startswith("Pleural effusion is observed"))
    assert "but no pleural effusion was outlined on the images" in found.text
    assert found.evidence == ("score:pleural_effusion", "search:pleural_effusion")
    assert found.uncertain
    assert "Pleural effusion is observed, but no outline was found." in report.section("impression")


def test_an_outline_below_the_threshold_is_said(record: Writer, lesion: Callable[..., Lesion]) -> None:
    report = write_report(record({"Lung nodule": 0.12}, (lesion(),)))
    text = "The score of lung nodule (0.12) is below its threshold (0.30), so score and outline disagree."
    assert text in report.section("findings")
    assert "which the score does not support" in report.section("impression")
    assert "lung nodules" not in report.text


def test_scores_that_round_to_their_threshold_are_told_apart(record: Writer, lesion: Callable[..., Lesion]) -> None:
    text = write_report(record({"Lung nodule": 0.4996}, (lesion(),), threshold=0.5)).text
    assert "(0.4996) is below its threshold (0.5000)" in text


def test_a_region_of_the_other_side_is_said_and_not_used(record: Writer, lesion: Callable[..., Lesion]) -> None:
    text = write_report(record({"Lung nodule": 0.97}, (lesion(region="left upper zone"),))).section("findings")
    assert "is observed on the right (slices 40-43)." in text
    assert "The side (right) and the region (left upper zone) of lung nodule 1 disagree." in text


def test_many_regions_of_the_other_side_are_one_sentence(record: Writer, lesion: Callable[..., Lesion]) -> None:
    wrong = tuple(lesion(instance=n, region="left upper zone") for n in range(1, 9))
    report = write_report(record({"Lung nodule": 0.97}, wrong))
    assert sentences_with(report, "disagree") == ["The sides and the regions of eight lung nodules disagree."]
    (doubt,) = (s for s in report.sentences if "disagree" in s.text)
    assert doubt.evidence == tuple(f"lesion:{x.id}" for x in wrong)
    assert doubt.uncertain


def test_nothing_present_is_never_called_normal(record: Writer) -> None:
    report = write_report(record())
    assert report.section("impression") == "None of the 18 assessed findings was detected."
    assert all(name in report.section("not assessed") for name in NOT_ASSESSED)
    assert report.sentences[-1].section == "not assessed"


def test_undefined_numbers_are_worded(record: Writer, lesion: Callable[..., Lesion]) -> None:
    blank = {"volume_ml": math.nan, "diameter_mm": math.nan, "short_axis_mm": math.nan, "prob": math.nan}
    lesions = (lesion(**blank), lesion("pleural_effusion", **blank))
    text = write_report(record({"Emphysema": math.nan, "Lung nodule": math.nan}, lesions), lung_outside=math.nan).text
    assert "Emphysema could not be scored." in text
    assert "A lung nodule of undefined size" in text
    assert "A pleural effusion of undefined volume" in text
    assert "The score of lung nodule is undefined" in text
    assert "nan" not in text.lower()


def test_when_nothing_could_be_scored_the_impression_says_so(record: Writer) -> None:
    report = write_report(record(dict.fromkeys(LABELS, math.nan), asked=()))
    assert report.section("impression") == "No finding could be scored."


@pytest.mark.parametrize(("status", "word"), [("untrained", "untrained"), ("synthetic", "synthetic")])
def test_unfit_weights_open_findings_and_impression(record: Writer, status: WeightsStatus, word: str) -> None:
    report = write_report(record(status=status, warnings=("thick slices",)))
    for section in ("findings", "impression"):
        first = next(s for s in report.sentences if s.section == section)
        assert word in first.text
        assert "must not be used" in first.text
        assert first.evidence == ("weights",)


def test_untrained_outlines_are_never_observed(record: Writer, lesion: Callable[..., Lesion]) -> None:
    report = write_report(record({"Lung nodule": 0.97}, (lesion(),), status="untrained"))
    assert "A lung nodule measuring 8.2 x 6.0 mm is outlined" in report.section("findings")


def test_lung_outside_the_grid_is_reported_above_two_percent(record: Writer) -> None:
    assert "outside" not in write_report(record(), lung_outside=0.02).text
    report = write_report(record(), lung_outside=0.051)
    assert len(sentences_with(report, "About 5 % of the lung lies outside")) == 2
    with pytest.raises(ValueError, match=r"lung_outside 1\.5"):
        write_report(record(), lung_outside=1.5)


def test_warnings_become_sentences(record: Writer) -> None:
    report = write_report(record(warnings=("the patient is  14 years old", "3 slices are thick.", " ")))
    assert report.sentences[0].text == "The patient is 14 years old."
    assert report.sentences[1].text == "Note: 3 slices are thick."
    assert report.sentences[1].evidence == ("check:warning-2",)


def test_findings_that_were_not_looked_for_are_named(record: Writer) -> None:
    report = write_report(record({"Consolidation": 0.95}, asked=("pleural_effusion",), labels=LABELS[:16]))
    closing = report.section("not assessed")
    assert "Not scored on this scan: bronchiectasis and interlobular septal thickening." in closing
    assert "pericardial effusion, consolidation, ground-glass opacity and lung nodule" in closing
    assert "Consolidation is observed (probability 0.95)." in report.section("findings")


def test_a_searched_finding_without_a_score_goes_by_its_own_name(record: Writer) -> None:
    report = write_report(record(labels=("Bronchiectasis",), asked=("ground_glass_opacity",)))
    assert "Ground-glass opacity was not detected." in report.section("findings")
    assert "lung opacity was" not in report.text.lower()


def test_a_saved_record_gives_the_same_report(record: Writer, lesion: Callable[..., Lesion], tmp_path: Path) -> None:
    original = record({"Lung nodule": 0.97}, (lesion(short_axis_mm=math.nan),))
    path = tmp_path / "findings.json"
    path.write_text(json.dumps(original.to_json()), encoding="utf-8")
    assert report_from_findings(path) == write_report(original)


def test_every_cited_id_resolves(record: Writer, lesion: Callable[..., Lesion]) -> None:
    made = record({"Lung nodule": 0.97, "Emphysema": 0.6}, (lesion(),), warnings=("a", ""))
    cited = {i for s in write_report(made, lung_outside=0.5).sentences for i in s.evidence}
    assert cited <= evidence_ids(made)
    assert {"score:lung_nodule", "score:emphysema", "lesion:lung_nodule-1", "search:consolidation"} <= cited
