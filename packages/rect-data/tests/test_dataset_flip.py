"""Right and left in words: each form swapped, and every text refused that a mirrored chest would make untrue."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rect_core.findings import REGIONS
from rect_core.types import Reasoning, ReasoningStep
from rect_data.dataset.flip_words import flip_reasoning, flip_refusal, flip_text, reasoning_refusal

PAIRS = [
    ("Nodule in the right upper lobe.", "Nodule in the left upper lobe."),
    ("Right-sided effusion, Left lung clear.", "Left-sided effusion, Right lung clear."),
    ("RIGHT LOWER LOBE", "LEFT LOWER LOBE"),
    ("12 mm on the right and 8 mm on the left", "12 mm on the left and 8 mm on the right"),
    (
        "rightward shift, leftwards; rightmost, right_upper_zone",
        "leftward shift, rightwards; leftmost, left_upper_zone",
    ),
    ("RUL nodule, rll band, Rt hilum, lt. pleura", "LUL nodule, lll band, Lt hilum, rt. pleura"),
    ("Lymph nodes at 4R and 10L", "Lymph nodes at 4L and 10R"),
    ("There is left pleural effusion", "There is right pleural effusion"),
    ("The effusion is left-sided.", "The effusion is right-sided."),
    ("On the left in the lower lobe; right > left", "On the right in the lower lobe; left > right"),
    ("Right/left difference; right–left", "Left/right difference; left–right"),
    ("right\nleft", "left\nright"),
    ("right middle zone", "left middle zone"),
    ("cyst in the right lobe of the thyroid", "cyst in the left lobe of the thyroid"),
    ("Left main bronchus is open.", "Right main bronchus is open."),
    ("Pericardial effusion. Right pleural effusion", "Pericardial effusion. Left pleural effusion"),
    (
        "The mediastinum is shifted to the left by the effusion",
        "The mediastinum is shifted to the right by the effusion",
    ),
]
SAME = [
    "Bright upright structures, clefts, outright; alright, ipsilateral, bilateral and unilateral",
    "Fracture of L1 and T4-L2.",
    "Calcified plaques in the aortic arch. Heart size is normal. The liver is natural.",
    "Pleural effusion in both hemithoraces",
    "",
]
REFUSED = {
    "a lobe of one side": [
        "Nodule in the middle lobe",
        "the upper, middle and lower lobes of the right lung",
        "right upper and middle lobes",
        "RML atelectasis",
        "Both lobes of the left lung",
        "bands in the mid-lobe",
    ],
    "a part of one side": [
        "Inferior lingular segment",
        "Azygos lobe",
        "the apicoposterior segment",
        "thickening of the minor fissure",
        "superior vena cava",
        "aortopulmonary nodes",
        "stations 4 and 5",
        "lymph nodes at levels 4, 5 and 6",
        "A cyst of 5 mm in the right lobe.",
    ],
    "situs": ["Situs inversus", "dextrocardia", "dextroscoliosis", "levoscoliosis of the spine"],
    "an unpaired organ's side": [
        "left ventricle",
        "LEFT ATRIUM is dilated",
        "left main coronary artery",
        "left anterior descending artery",
        "LAD and RCA plaques",
        "right aortic arch",
        "right lobe of the liver",
        "hypodense lesion in the liver, right kidney",
        "cyst behind the stomach on the left",
        "The heart is shifted to the left",
        "LV is dilated",
        "enlarged RA and LA",
        "LAA thrombus",
        "left portal vein",
        "dilated bile ducts on the left",
        "ductus arteriosus on the left",
    ],
    "no side at all": [
        "A previous process has left a scar in the right lower lobe",
        "the surgery left fibrotic bands",
        "bands that left no trace",
        "nothing is left",
        "left over material",
        "a right angle",
        "right-angled",
        "right below the carina",
        "leftover",
        "rightly",
        "RT-PCR positive",
        "rt-pcr positive, left opacity",
        "post-RT fibrosis in the upper lobe",
        "lung transplant (LT)",
    ],
    "an unknown form": [
        "(R) lung",
        "L lung",
        "drained 1L of fluid",
        "3R node",
        "RIJ catheter",
        "pain in the LUQ",
        "2 o'clock, left breast",
        "11Ri lymph node",
        "RULs are clear",
        "r lung",
        "on the l. side",
        "r.u.l. nodule",
        "4r node",
    ],
    "another language": [
        "Erguss rechts basal",
        "épanchement à gauche",
        "sağ akciğer",
        "右肺",
        "derrame pleural izquierdo",
    ],
}


@pytest.mark.parametrize(("text", "mirrored"), PAIRS)
def test_each_form_is_swapped_in_its_own_case_and_back(text: str, mirrored: str) -> None:
    assert flip_text(text) == mirrored
    assert flip_text(mirrored) == text


@pytest.mark.parametrize("text", SAME)
def test_words_that_only_look_like_sides_stay(text: str) -> None:
    assert flip_text(text) == text


@pytest.mark.parametrize(("why", "text"), [(why, text) for why, texts in REFUSED.items() for text in texts])
def test_a_text_that_a_mirrored_chest_makes_untrue_is_refused(why: str, text: str) -> None:
    assert flip_refusal(text), why
    with pytest.raises(ValueError, match="cannot be mirrored"):
        flip_text(text)


def test_the_words_of_all_regions_are_swapped() -> None:
    assert [flip_text(name) for name in REGIONS[:6]] == [*REGIONS[3:6], *REGIONS[:3]]
    assert [flip_text(REGIONS[12]), flip_text(REGIONS[13])] == [REGIONS[13], REGIONS[12]]
    assert all(flip_text(name) == name for i, name in enumerate(REGIONS) if i not in (*range(6), 12, 13))


def mirrored_letters(text: str) -> str:
    """Another way to the same letters, in no order: words cut at what is no letter, each swapped by a table."""
    table = {"right": "left", "left": "right", "rul": "lul", "lll": "rll", "4r": "4l"}
    return "".join(table.get(part, part) for part in re.split(r"([^a-z0-9]+)", text))


WORDS = [
    "right",
    "Left",
    "RUL",
    "lll",
    "nodule",
    "4R",
    "node",
    "12 mm",
    "in the",
    "upper lobe",
    "-sided",
    "(",
    ",",
    ". ",
]


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_what_is_flipped_twice_is_as_before(words: list[str]) -> None:
    text = " ".join(words)
    if not flip_refusal(text) and not flip_refusal(flip_text(text)):
        assert flip_text(flip_text(text)) == text
        assert sorted(flip_text(text).lower()) == sorted(mirrored_letters(text.lower()))


def step(region: str, seen: str) -> Reasoning:
    one = ReasoningStep(region=region, observation=seen, inference="Benign.", evidence=("lesion:lung_nodule/1",))
    return Reasoning(steps=(one,), conclusion="Nodule on the left.")


def test_reasoning_is_flipped_in_regions_observations_and_conclusion_or_not_at_all() -> None:
    flipped = flip_reasoning(step("left lower zone", "6 mm, left."))
    assert flipped is not None
    assert flipped.steps[0].region == "right lower zone"
    assert flipped.steps[0].observation == "6 mm, right."
    assert flipped.steps[0].evidence == ("lesion:lung_nodule/1",)
    assert flipped.conclusion == "Nodule on the right."
    assert flip_reasoning(None) is None
    assert reasoning_refusal(None) == ""
    assert reasoning_refusal(step("left upper zone", "In the lingula."))
    assert reasoning_refusal(step("heart", "The left side is large."))
    with pytest.raises(ValueError, match="cannot be mirrored"):
        flip_reasoning(step("right lower zone", "Also in the right middle lobe."))
