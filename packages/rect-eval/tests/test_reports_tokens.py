"""Words of reports, beside the Java tokenizer that published scores rest on."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rect_eval.reports import tokenize

TYPICAL = (
    "Trachea and both main bronchi are open. No occlusive pathology was detected in the trachea.",
    "There is a 5 mm nodule (series 3, image 45) in the right upper lobe; it isn't calcified.",
    "Ground-glass opacities, 12x8 mm, are seen in both lungs: consolidation is not present!",
    "Nodule measures 12 x 8 mm (previously 10x7 mm), i.e. it has grown, vs. 3.5 mm in 2019.",
    "The ascending aorta measures 4.2 cm. Osteophytes at T3-T4 and L1-2 vertebrae... Heart size is normal.",
    "Pericardial effusion/thickening cannot be excluded; mediastinal/hilar lymph nodes, 10-12 mm, are seen.",
    "The patient's lungs' apices aren't affected and it doesn't matter.",
    "\"Crazy-paving\" pattern and 'tree-in-bud' nodules, e.g. in the RUL.",
    "Density is -20 HU, ~30%, 50 % and <5 mm, >10 mm, ≥3 mm, 3±1. Size 3/4, 1,234 ml at 12:30 on 10/12/2020.",
    "COVID-19 pneumonia? Findings: 1. Nodule. 2) Effusion. 3- Atelectasis",
    "Émphysème, 5 µm, 3 × 4 mm – 1.2x0.8 cm — 37°C; volume 12 mm³ [sic] {x}",
    "4x3.5 mm, 3.5mm nodule.No effusion lobe.There is etc. Left atrium is 45 mm. No. 5, zone A. Fig. 2",
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No pleural effusion.", "no pleural effusion"),
        ("Ground-glass opacity (12 x 8.5 mm), left!", "ground-glass opacity -lrb- 12 x 8.5 mm -rrb- left"),
        ("It cannot be excluded; it isn't seen.", "it can not be excluded it is n't seen"),
        ("line\none\tand  two", "line one and two"),
        ("", ""),
        (" .,;:!?-- ", ""),
    ],
)
def test_words_are_lower_case_and_without_punctuation(text: str, words: str) -> None:
    assert " ".join(tokenize(text)) == words


def test_typical_sentences_are_cut_as_the_java_tokenizer_cuts_them(tmp_path: Path) -> None:
    assert [" ".join(tokenize(text)) for text in TYPICAL] == _java(TYPICAL, tmp_path)


@given(st.text(max_size=200))
def test_any_text_gives_lower_case_words_without_space(text: str) -> None:
    for token in tokenize(text):
        assert token
        assert not any(c.isspace() for c in token)
        assert token.isascii() is False or token == token.lower()


@pytest.mark.parametrize(
    "text", ["a," * 50_000, "a-" * 50_000, "a." * 50_000, "a/" * 50_000, "1" * 100_000, "-" * 100_000]
)
def test_a_text_made_to_stall_the_patterns_does_not(text: str) -> None:
    start = perf_counter()
    tokenize(text)
    assert perf_counter() - start < 5.0


def _java(texts: tuple[str, ...], folder: Path) -> list[str]:
    found = find_spec("pycocoevalcap")
    if shutil.which("java") is None or found is None or not found.submodule_search_locations:
        pytest.skip("the Java tokenizer needs java on the PATH and the pycocoevalcap package")
    from pycocoevalcap.tokenizer.ptbtokenizer import PUNCTUATIONS, STANFORD_CORENLP_3_4_1_JAR

    jar = Path(found.submodule_search_locations[0]) / "tokenizer" / STANFORD_CORENLP_3_4_1_JAR
    if not jar.is_file():
        pytest.skip(f"pycocoevalcap came without {jar.name}")
    given = folder / "texts.txt"
    given.write_text("\n".join(texts), encoding="utf-8")
    command = ["java", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    ran = subprocess.run([*command, "-encoding", "utf-8", str(given)], capture_output=True, check=True, timeout=60)
    lines = ran.stdout.decode().rstrip("\n").split("\n")
    return [" ".join(w for w in line.split() if w not in PUNCTUATIONS) for line in lines]
