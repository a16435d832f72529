"""What holds for every text the labeler may be given."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rect_core.findings import LABELS
from rect_eval.labeler import State, label

ROWS = (Path(__file__).parent / "data" / "labeler_sentences.jsonl").read_text(encoding="utf-8").splitlines()
SENTENCES = [json.loads(row)["text"] for row in ROWS]
FINDINGS = [text for text in SENTENCES if not text.startswith(("Clinical", "Indication"))]
UNRELATED = (
    "Vertebral corpus heights are preserved.",
    "Upper abdominal organs included in the sections are natural.",
    "Trachea, both main bronchi are open.",
    "Bone structures in the study area are intact.",
)
PIECES = [
    "no",
    "nodule",
    "pleural",
    "effusion",
    ",",
    ".",
    ";",
    "5 mm",
    "3,2x1 cm",
    "\n",
    "not seen",
    "but",
    "Findings:",
]
PIECES += [
    "lymph node",
    "heart",
    "normal",
    "thickness",
    "history of",
    "?",
    "(",
    "İ",
    "\x00",
    "aorta",
    "calcified",
    "and",
    "is",
]

texts = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map(" ".join), st.sampled_from(SENTENCES))
sentences = st.sampled_from(FINDINGS)
RANK: dict[State, int] = {"not mentioned": 0, "absent": 1, "uncertain": 2, "present": 3}


@given(text=texts)
def test_any_text_is_read_and_every_span_lies_in_it(text: str) -> None:
    read = label(text)
    assert tuple(read.states) == LABELS
    assert len(read.decided()) == len(LABELS)
    for mention in read.mentions:
        (start, end), (first, last) = mention.span, mention.sentence
        assert 0 <= first <= start < end <= last <= len(text)
        assert text[start:end] == mention.text
        assert mention.label in LABELS
        assert set(mention.sides) <= {"right", "left", "bilateral"}


@given(text=sentences)
def test_case_does_not_matter(text: str) -> None:
    assert label(text.upper()).states == label(text.lower()).states == label(text).states


@given(text=sentences, space=st.sampled_from(["  ", "\t", " \t ", "\u00a0"]))
def test_white_space_does_not_matter(text: str, space: str) -> None:
    spread = label("  " + text.replace(" ", space) + "\n\n")
    assert spread.states == label(text).states
    assert [m.sizes_mm for m in spread.mentions] == [m.sizes_mm for m in label(text).mentions]


@given(text=sentences, data=st.data())
def test_a_line_break_inside_a_sentence_does_not_matter(text: str, data: st.DataObject) -> None:
    words = text.split(" ")
    breaks = [i for i in range(1, len(words)) if words[i][0].islower() and words[i - 1][-1] not in ":;."]
    if breaks:
        at = data.draw(st.sampled_from(breaks))
        assert label(" ".join(words[:at]) + "\n" + " ".join(words[at:])).states == label(text).states


@given(text=sentences, other=st.sampled_from(UNRELATED), first=st.booleans(), between=st.sampled_from([" ", "\n"]))
def test_an_unrelated_sentence_changes_no_label(text: str, other: str, first: bool, between: str) -> None:
    both = other + between + text if first else text + between + other
    assert label(both).states == label(text).states


@given(a=sentences, b=sentences)
def test_two_texts_one_after_the_other_merge_their_states(a: str, b: str) -> None:
    one, two, both = label(a), label(b), label(a + "\n" + b)
    merged = {name: max(one.states[name], two.states[name], key=RANK.__getitem__) for name in LABELS}
    assert both.states == merged
    assert [m.text for m in both.mentions] == [m.text for m in one.mentions + two.mentions]


def test_a_text_without_an_end_takes_no_more_than_its_length() -> None:
    read = label("nodule, " * 5000)
    assert len(read.mentions) == 5000
    assert read.states["Lung nodule"] == "present"
