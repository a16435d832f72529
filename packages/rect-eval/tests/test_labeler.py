"""What the labeler makes of single constructions, sections and details."""

import subprocess
import sys

import pytest

from rect_core.findings import LABELS
from rect_eval.labeler import Mention, State, label


def states(text: str) -> dict[str, State]:
    """The labels that are mentioned, and how."""
    return {name: state for name, state in label(text).states.items() if state != "not mentioned"}


def only(text: str) -> Mention:
    (mention,) = label(text).mentions
    return mention


@pytest.mark.parametrize(
    "text",
    [
        "Consolidation was not detected.",
        "Consolidation is not observed.",
        "Consolidation is excluded.",
        "No evidence of consolidation.",
        "Lungs without consolidation.",
        "The lungs are free of consolidation.",
        "No effusion, pneumothorax or consolidation.",
        "Consolidation: none.",
        "There is neither mass nor consolidation.",
        "No finding suggestive of consolidation was detected.",
        "The consolidation is no longer seen.",
        "The consolidation has completely resolved.",
    ],
)
def test_a_denial_before_or_after_the_finding_is_absent(text: str) -> None:
    assert states(text)["Consolidation"] == "absent"


@pytest.mark.parametrize(
    "text",
    [
        "Consolidation cannot be excluded.",
        "Consolidation could not be ruled out.",
        "The area may represent consolidation.",
        "Density suspicious for consolidation.",
        "Likely consolidation.",
        "Appearance compatible with consolidation.",
        "Findings in favor of consolidation.",
        "Consolidation?",
        "It is not possible to exclude consolidation.",
    ],
)
def test_a_hedge_is_uncertain(text: str) -> None:
    assert states(text)["Consolidation"] == "uncertain"


@pytest.mark.parametrize(
    "text",
    [
        "No change in the consolidation.",
        "No increase in the size of the consolidation.",
        "Consolidation without significant change.",
        "Not only consolidation but also nodules.",
        "No effusion, but consolidation.",
        "No effusion; consolidation.",
        "No effusion is detected, and consolidation is observed.",
        "No abnormality except consolidation.",
        "Consolidation without effusion.",
        "The consolidation has not resolved and persists.",
        "Findings consistent with consolidation.",
    ],
)
def test_what_only_looks_like_a_denial_is_present(text: str) -> None:
    assert states(text)["Consolidation"] == "present"


@pytest.mark.parametrize(
    "text",
    [
        "History of consolidation.",
        "Consolidation was present in the previous examination.",
        "Indication: consolidation?",
        "CLINICAL INFORMATION:\nConsolidation on follow-up.\nFINDINGS:\nNormal.",
        "Comparison: CT with consolidation. Findings: trachea is open.",
    ],
)
def test_what_was_or_was_asked_is_a_mention_that_does_not_count(text: str) -> None:
    read = label(text)
    assert read.states["Consolidation"] == "not mentioned"
    assert [m.historical for m in read.mentions] == [True]


def test_present_comes_before_uncertain_before_absent() -> None:
    assert states("No nodule. Possible nodule.") == {"Lung nodule": "uncertain"}
    assert states("Possible nodule. No nodule. A nodule is seen.") == {"Lung nodule": "present"}


def test_uncertain_counts_as_the_reader_wishes() -> None:
    read = label("Possible nodule. Cardiomegaly. No emphysema.")
    assert [name for name, yes in zip(LABELS, read.decided(), strict=True) if yes] == ["Cardiomegaly", "Lung nodule"]
    certain = read.decided(uncertain=False)
    assert [name for name, yes in zip(LABELS, certain, strict=True) if yes] == ["Cardiomegaly"]


def test_a_mention_points_into_the_text_as_it_was_given() -> None:
    text = "Heart is  normal.\nA  5x4 mm\tGround   Glass nodule in the RUL."
    mention = next(m for m in label(text).mentions if m.label == "Lung nodule")
    assert text[slice(*mention.span)] == mention.text == "Ground   Glass nodule"
    assert text[slice(*mention.sentence)] == "A  5x4 mm\tGround   Glass nodule in the RUL."
    assert (mention.sides, mention.places, mention.sizes_mm) == (("right",), ("upper",), (5.0, 4.0))


@pytest.mark.parametrize(
    ("text", "sides", "places"),
    [
        ("Nodule in the right upper lobe.", ("right",), ("upper",)),
        ("Nodules in both lungs.", ("bilateral",), ()),
        ("Nodule in the lower lobe of the left lung.", ("left",), ("lower",)),
        ("LLL nodule.", ("left",), ("lower",)),
        ("Nodule in the middle lobe.", ("right",), ("middle",)),
        ("Nodule in the lingula.", ("left",), ("lingula",)),
        (
            "Nodules in the upper lobe of the right and lower lobe of the left lung.",
            ("right", "left"),
            ("upper", "lower"),
        ),
        ("Nodule in the posterobasal segment of the right lower lobe.", ("right",), ("basal", "lower")),
        ("Nodule.", (), ()),
    ],
)
def test_places_are_named_in_plain_words(text: str, sides: tuple[str, ...], places: tuple[str, ...]) -> None:
    mention = only(text)
    assert (mention.sides, mention.places) == (sides, places)


def test_each_finding_takes_its_own_place_and_size() -> None:
    text = "A 12 mm nodule in the right upper lobe and consolidation of 3,5 cm in the left lower lobe are observed."
    nodule, consolidation = label(text).mentions
    assert (nodule.sides, nodule.places, nodule.sizes_mm) == (("right",), ("upper",), (12.0,))
    assert (consolidation.sides, consolidation.places, consolidation.sizes_mm) == (("left",), ("lower",), (35.0,))


def test_a_place_at_the_end_is_said_of_the_whole_list() -> None:
    read = label("Consolidation and ground glass opacity are observed in the left lower lobe.")
    assert [m.sides for m in read.mentions] == [("left",), ("left",)]


def test_a_place_before_one_finding_is_not_lent_to_another() -> None:
    effusion, emphysema = sorted(label("Emphysema and left pleural effusion.").mentions, key=lambda m: m.label)[::-1]
    assert (effusion.sides, emphysema.sides) == (("left",), ())


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        ("Pleural effusion has increased.", "increased"),
        ("Decreased pleural effusion.", "decreased"),
        ("Pleural effusion has partially resolved.", "decreased"),
        ("New pleural effusion.", "new"),
        ("Pleural effusion is unchanged.", "stable"),
        ("Pleural effusion has resolved.", "resolved"),
        ("Pleural effusion is seen.", ""),
    ],
)
def test_comparison_with_the_prior_is_read(text: str, comparison: str) -> None:
    mention = only(text)
    assert mention.comparison == comparison
    assert mention.state == ("absent" if comparison == "resolved" else "present")


def test_the_localized_finding_is_named_where_the_words_name_it() -> None:
    findings = {
        m.text: m.finding for m in label("Ground glass opacity. Opacity. Pericardial effusion. Emphysema.").mentions
    }
    assert list(findings.values()) == ["ground_glass_opacity", "", "pericardial_effusion", ""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Consolidation is observed.", {"Consolidation": "present"}),
        ("Ground glass is observed.", {"Lung opacity": "present"}),
        ("Lymph nodes with a short axis below 10 mm.", {"Lymphadenopathy": "absent"}),
        ("Lymph nodes with a short axis of 12 mm.", {"Lymphadenopathy": "present"}),
        ("Lymph nodes are observed.", {"Lymphadenopathy": "uncertain"}),
        ("Status post sternotomy.", {"Medical material": "present"}),
        ("History of CABG.", {}),
        ("Lungs are clear.", {}),
        ("Pericardial thickening.", {}),
        ("Thyroid nodule.", {}),
        ("Subcutaneous emphysema.", {}),
        ("Aortic valve calcification.", {}),
        ("Left atrium is dilated.", {}),
        ("Heart contour, size are normal.", {"Cardiomegaly": "absent"}),
        ("Bilateral effusion.", {"Pleural effusion": "present"}),
        ("", {}),
    ],
)
def test_conventions_that_the_documentation_states(text: str, expected: dict[str, State]) -> None:
    assert states(text) == expected


def test_lines_bullets_and_abbreviations_part_sentences_rightly() -> None:
    text = "Findings:\n- No effusion\n- Nodule of approx. 4.5 mm\n1. Emphysema\n2. No cardiomegaly"
    expected = {
        "Pleural effusion": "absent",
        "Lung nodule": "present",
        "Emphysema": "present",
        "Cardiomegaly": "absent",
    }
    assert states(text) == expected
    assert states("No evidence of pleural\neffusion.") == {"Pleural effusion": "absent"}


def test_the_labeler_needs_the_standard_library_alone() -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(('numpy', 'torch', 'scipy', 'jaxtyping', 'sklearn')))\n"
    check = "from rect_eval import label; assert label('No nodule.').states['Lung nodule'] == 'absent'"
    done = subprocess.run([sys.executable, "-c", blocked + check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
