"""METEOR (Denkowski and Lavie, 2014), whose matching of words exists as a Java program only.

The program aligns each report with its reference; what it counts is pooled here with its own formula, so that the
score can be resampled. Without Java, or without the program, METEOR is undefined: there is no second implementation.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.errors import DataError
from rect_eval.classification.ratio import ratio
from rect_eval.reports.ngrams import Tokens

NOT_ASKED: Final = "not asked for: METEOR takes Java, the path of its jar (pycocoevalcap has one), and 0.1 s a report"
_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
_STAGES: Final = np.array([1.0, 0.6, 0.8, 0.6])
"""Parameters of METEOR 1.5 for English: exact, stem, synonym, paraphrase."""
_COUNTS: Final = 23
_START_SECONDS, _PAIR_SECONDS = 180.0, 2.0


class MeteorUnavailable(RuntimeError):  # noqa: N818  (a state of the machine, not a fault)
    """Why METEOR cannot be had here, in words."""


def jar_at(place: Path) -> Path:
    """The program: a .jar file, a folder with meteor-*.jar, or "pycocoevalcap" for the one of that package.

    Raises DataError where there is none.
    """
    if str(place) == "pycocoevalcap" and not place.exists():
        found = find_spec("pycocoevalcap")
        if found is None or not found.submodule_search_locations:
            raise DataError(
                "METEOR: pycocoevalcap is not installed: pip install pycocoevalcap, or give the path of a jar"
            )
        place = Path(found.submodule_search_locations[0]) / "meteor"
    jars = sorted(place.glob("meteor-*.jar")) if place.is_dir() else [place]
    if not jars or not jars[0].is_file() or jars[0].suffix != ".jar":
        raise DataError(
            f"METEOR: {place.name!r} is neither a .jar file nor a folder with meteor-*.jar: give one of these"
        )
    return jars[0].absolute()


def count_matches(
    jar: Path, hypotheses: Sequence[Tokens], references: Sequence[Tokens], *, seconds: float | None = None
) -> Float[np.ndarray, "t 23"]:
    """What the program counts in each text: lengths, matches of each stage, chunks.

    seconds: after which it is stopped; 180 and 2 a text unless given. Raises MeteorUnavailable with the reason.
    """
    java = shutil.which("java")
    if java is None:
        raise MeteorUnavailable("METEOR needs Java, and no `java` is on the PATH")
    limit = _START_SECONDS + _PAIR_SECONDS * len(hypotheses) if seconds is None else seconds
    lines = [f"SCORE ||| {_line(r)} ||| {_line(h)}\n" for h, r in zip(hypotheses, references, strict=True)]
    command = [java, "-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
    return _read(*_run(command, "".join(lines), jar.parent, limit), len(lines))


def meteor_of_counts(counts: Float[np.ndarray, "b 23"]) -> Float[np.ndarray, " b"]:
    """METEOR of counts, of one text or of many pooled; NaN without a reference."""
    stages = counts[:, 4:20].reshape(-1, 4, 4)  # stage; content words of both, function words of both
    score_of = []
    for side in (0, 1):
        matched = (stages[:, :, side] * _DELTA + stages[:, :, side + 2] * (1 - _DELTA)) @ _STAGES
        words, function = counts[:, side], counts[:, side + 2]
        score_of.append(ratio(matched, (words - function) * _DELTA + function * (1 - _DELTA), undefined=0.0))
    precision, recall = score_of
    mean = ratio(precision * recall, _ALPHA * precision + (1 - _ALPHA) * recall, undefined=0.0)
    broken = ratio(2 * counts[:, 20], counts[:, 21] + counts[:, 22], undefined=0.0)
    return np.where(counts[:, 1] > 0, mean * (1 - _GAMMA * broken**_BETA), np.nan)


def _line(tokens: Tokens) -> str:
    """One line without the program's own separator, as pycocoevalcap hands it over."""
    return re.sub(r" {2}", " ", " ".join(tokens).replace("|||", ""))


def _run(command: Sequence[str], given: str, folder: Path, seconds: float) -> tuple[str, str]:
    """What a program answers and complains. It is ended with all its children when its time is over: a `java` that is a
    script would leave the real one behind, and its open pipe would be waited for."""
    try:
        process = subprocess.Popen(
            command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=folder,
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise MeteorUnavailable(f"the METEOR program could not be started ({error.strerror})") from error
    with process:
        try:
            return process.communicate(given, seconds)
        except subprocess.TimeoutExpired:
            raise MeteorUnavailable(f"the METEOR program did not finish within {seconds:g} s") from None
        finally:
            if process.poll() is None:
                _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _read(answer: str, complaint: str, wanted: int) -> Float[np.ndarray, "t 23"]:
    rows = [line.split() for line in answer.splitlines() if line.strip()]
    if len(rows) != wanted or any(len(row) != _COUNTS for row in rows):
        said = next((line.strip() for line in complaint.splitlines() if line.strip()), "no message")
        raise MeteorUnavailable(f"the METEOR program answered {len(rows)} of {wanted} texts ({said[:120]})")
    try:
        counts = np.array(rows, np.float64).reshape(wanted, _COUNTS)
    except ValueError:
        raise MeteorUnavailable(f"the METEOR program answered what is no number ({answer[:60]!r})") from None
    whole = (counts[:, 21] == counts[:, 0]) & (counts[:, 22] == counts[:, 1]) & (counts[:, 20] == 1)
    counts[whole, 20] = 0  # a text that equals its reference is not broken up at all
    return counts
