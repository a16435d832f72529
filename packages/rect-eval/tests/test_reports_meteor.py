"""METEOR through its Java program, and what happens without it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from rect_core.errors import DataError
from rect_eval.reports.meteor import MeteorUnavailable, count_matches, jar_at, meteor_of_counts

ANSWER = """9 9 5 4 3 3 4 4 0 0 0 0 0 0 0 0 0 0 0 0 3 7 7
2 2 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 1 2 2
0 2 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
4 4 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
4 7 2 3 0 0 2 2 0 0 0 0 0 0 0 0 1 1 0 0 3 3 3
"""
"""What meteor-1.5.jar answered to SCORE for five reports."""

EACH = [0.34309396455700225, 1.0, 0.0, 0.0, 0.1089605734767025]
POOLED = 0.19199089797225838
"""What it answered to EVAL for these five."""

FIVE = [("a",)] * 5


@pytest.fixture
def fake_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A `java` that runs these lines of shell; gives the path of a jar for it."""
    if os.name != "posix":
        pytest.skip("needs a shell")

    def make(script: str) -> Path:
        java = tmp_path / "java"
        java.write_text(f"#!/bin/sh\n{script}\n")
        java.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        jar = tmp_path / "meteor-1.5.jar"
        jar.touch()
        return jar

    return make


def test_counts_give_the_scores_that_the_program_gives(fake_java: Callable[[str], Path]) -> None:
    counts = count_matches(fake_java(f"cat > /dev/null\ncat <<END\n{ANSWER}END"), FIVE, FIVE)
    np.testing.assert_allclose(meteor_of_counts(counts), EACH, rtol=0, atol=1e-6)
    np.testing.assert_allclose(meteor_of_counts(counts.sum(0, keepdims=True)), POOLED, rtol=0, atol=1e-6)


def test_without_java_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MeteorUnavailable, match="needs Java"):
        count_matches(tmp_path / "meteor-1.5.jar", FIVE, FIVE)


def test_a_program_that_hangs_is_ended_with_its_children(fake_java: Callable[[str], Path]) -> None:
    jar, start = fake_java("sleep 60"), perf_counter()
    with pytest.raises(MeteorUnavailable, match=r"within 0\.3 s"):
        count_matches(jar, FIVE, FIVE, seconds=0.3)
    assert perf_counter() - start < 10


def test_a_child_that_keeps_the_pipe_open_is_not_waited_for(fake_java: Callable[[str], Path]) -> None:
    jar, start = fake_java("sleep 60 &"), perf_counter()
    with pytest.raises(MeteorUnavailable, match=r"within 0\.3 s"):
        count_matches(jar, FIVE, FIVE, seconds=0.3)
    assert perf_counter() - start < 10


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cat > /dev/null; echo Unable to access jarfile >&2; exit 1", "Unable to access jarfile"),
        ("cat > /dev/null; echo 1 2 3", "answered 1 of 5"),
        (
            "cat > /dev/null; for i in 1 2 3 4 5; do echo x x x x x x x x x x x x x x x x x x x x x x x; done",
            "no number",
        ),
        ("exit 0", "answered 0 of 5"),
    ],
)
def test_an_answer_that_is_none_is_said(fake_java: Callable[[str], Path], script: str, said: str) -> None:
    with pytest.raises(MeteorUnavailable, match=said):
        count_matches(fake_java(script), FIVE, FIVE)


def test_a_place_without_the_program_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "gone.jar", tmp_path / "notes.txt"):
        with pytest.raises(DataError, match=r"METEOR: .* is neither"):
            jar_at(place)


def test_a_folder_and_the_package_name_lead_to_the_program(tmp_path: Path) -> None:
    (tmp_path / "meteor-1.5.jar").touch()
    assert jar_at(tmp_path) == tmp_path / "meteor-1.5.jar"
    assert jar_at(Path("pycocoevalcap")).name == "meteor-1.5.jar"


@pytest.mark.slow
def test_scores_are_those_of_pycocoevalcap() -> None:
    if shutil.which("java") is None:
        pytest.skip("METEOR needs java on the PATH")
    from pycocoevalcap.meteor.meteor import Meteor

    texts = ["there is a small nodule in the right lung", "no effusion", "the heart is large", "a b c", ""]
    others = ["a small nodule is seen in the right lobe", "no effusion", "cardiac enlargement is present", "x y", "no"]
    theirs = Meteor()
    pooled, each = theirs.compute_score({i: [r] for i, r in enumerate(others)}, {i: [h] for i, h in enumerate(texts)})
    counts = count_matches(jar_at(Path("pycocoevalcap")), [t.split() for t in texts], [t.split() for t in others])
    np.testing.assert_allclose(meteor_of_counts(counts), each, rtol=0, atol=1e-6)
    np.testing.assert_allclose(meteor_of_counts(counts.sum(0, keepdims=True)), pooled, rtol=0, atol=1e-6)
    for pipe in (theirs.meteor_p.stdout, theirs.meteor_p.stderr):
        if pipe is not None:
            pipe.close()
