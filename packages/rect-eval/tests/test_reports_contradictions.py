"""Sentences of one report that do not go together, and many that do."""

import pytest

from rect_eval import label
from rect_eval.reports import contradictions

BOTH = "present and absent"
SIDES = "opposite sides"
AGAINST = "impression against findings"


def _kinds(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.label) for one in contradictions(label(text).mentions, text)]


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("No pleural effusion. Left pleural effusion.", BOTH, "Pleural effusion"),
        ("A small pleural effusion is seen on the right. There is no pleural effusion.", BOTH, "Pleural effusion"),
        ("No left pleural effusion. Bilateral pleural effusions.", BOTH, "Pleural effusion"),
        ("No consolidation in the right lung. Consolidation in the right upper lobe.", BOTH, "Consolidation"),
        ("Emphysema is present. There is no emphysema.", BOTH, "Emphysema"),
        ("Heart size is normal. There is cardiomegaly.", BOTH, "Cardiomegaly"),
        ("No nodule is seen in the lungs. A 5 mm nodule is seen in the left lower lobe.", BOTH, "Lung nodule"),
        ("Findings:\nRight pleural effusion.\n\nImpression:\nLeft pleural effusion.", SIDES, "Pleural effusion"),
        (
            "Findings:\nConsolidation in the right lower lobe.\n\nImpression:\nNo consolidation.",
            AGAINST,
            "Consolidation",
        ),
        ("Findings: No pericardial effusion. Impression: Pericardial effusion.", AGAINST, "Pericardial effusion"),
        (
            "Findings:\nThere is a 5 mm nodule.\n\nImpression:\nNormal chest CT.\n\nNot assessed:\nFractures.",
            AGAINST,
            "",
        ),
        ("Findings:\nThere is a 5 mm nodule.\n\nImpression:\nNo abnormality is seen.", AGAINST, ""),
    ],
)
def test_a_contradiction_is_found_once(text: str, kind: str, name: str) -> None:
    assert _kinds(text) == [(kind, name)]


@pytest.mark.parametrize(
    "text",
    [
        "No right pleural effusion. Left pleural effusion.",
        "No pleural effusion on the left, small pleural effusion on the right.",
        "There is a pleural effusion. No pleural effusion on the right.",
        "No consolidation in the upper lobes. Consolidation in the left lower lobe.",
        "No new nodule. Stable nodule in the right upper lobe.",
        "No other nodule. A 5 mm nodule in the left lower lobe.",
        "No nodule larger than 5 mm. A 3 mm nodule is seen in the lingula.",
        "No nodules over 5 mm are seen. A 3 mm nodule is seen in the lingula.",
        "There is consolidation in the right lung and there is no consolidation in the remaining lung.",
        "Consolidation in the right lung.\n\nImpression:\nNo consolidation in the rest of the lung.",
        "Pleural effusion.\n\nNot assessed:\nNot looked for as outlines on this scan: pleural effusion and nodules.",
        "Pleural effusion is observed. Not scored on this scan: pleural effusion.",
        "A ground-glass nodule in the left upper lobe. No ground-glass opacity.",
        "No significant pleural effusion. Minimal left pleural effusion.",
        "No ground-glass opacity. Consolidation in the right lower lobe.",
        "No mass or infiltration. Nodule in the right upper lobe.",
        "There was a pleural effusion in the previous examination. No pleural effusion now.",
        "The pleural effusion has resolved. No pleural effusion.",
        "Possible pleural effusion. No pleural effusion.",
        "No enlarged lymph nodes in the mediastinum. Enlarged axillary lymph nodes.",
        "Findings:\nRight pleural effusion and left pleural effusion.\n\nImpression:\nBilateral pleural effusion.",
        "Findings:\nPleural effusion. Nodules in both lungs.\n\nImpression:\nLeft pleural effusion. A right nodule.",
        "Findings:\nRight ground-glass opacity. Left infiltration.\n\nImpression:\nBilateral ground-glass opacity.",
        "Findings:\nNo pleural effusion. Normal heart size.\n\nImpression:\nNo abnormality.",
        "Findings:\nA 3 mm nodule.\n\nImpression:\nNo significant pathology.",
        "Atelectasis in the right lower lobe. Atelectasis in the left lower lobe.",
        "",
    ],
)
def test_what_differs_in_side_place_time_or_degree_is_no_contradiction(text: str) -> None:
    assert _kinds(text) == []


def test_both_sentences_are_quoted_in_the_order_of_the_text() -> None:
    text = "There is no\npleural effusion. The heart is enlarged. Left pleural effusion."
    (found,) = contradictions(label(text).mentions, text)
    assert (found.first, found.second) == ("There is no pleural effusion.", "Left pleural effusion.")
