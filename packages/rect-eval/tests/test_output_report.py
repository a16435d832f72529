"""report.html: what it shows, and what it must never do."""

import re
import shutil
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from math import nan
from pathlib import Path

import numpy as np
import pytest

from rect_core.findings import LABELS, LOCALIZED, slug
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.output import write
from rect_eval.output.html import page
from rect_eval.output.html.reading import differences, marked
from rect_eval.output.pictures import groups
from rect_eval.run import Cohort, Evaluation, Options
from rect_eval.scores import Control, Score, Section, Table

HOSTILE = '<script>alert("x")</script> & \'q\' "漢" \u202e\x00\udc80 <img src=http://example.org/x.png>'
REPORT = "There is a 12 mm nodule in the right upper lobe. No pleural effusion. Consolidation cannot be excluded."


def png() -> bytes:
    """One grey pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def score(value: float, spread: float = 0.03) -> Score:
    return Score(value=value, low=value - spread, high=value + spread, n=40)


def classification() -> Section:
    rng = np.random.default_rng(0)
    labels = rng.random((60, 18)) < 0.3
    prob = np.clip(labels * 0.3 + rng.random((60, 18)) * 0.7, 0, 1)
    roc, pr, bins = {}, {}, {}
    for k, label in enumerate(LABELS[:2]):
        order = np.argsort(-prob[:, k])
        tp, fp = np.cumsum(labels[order, k]), np.cumsum(~labels[order, k])
        roc[label] = (np.r_[0, fp / fp[-1]], np.r_[0, tp / tp[-1]])
        pr[label] = (tp / tp[-1], tp / (tp + fp))
        bins[label] = (np.array([0.2, 0.6, nan]), np.array([0.1, 0.7, nan]), np.array([30.0, 30.0, 0.0]))
    together = labels.T.astype(float) @ labels
    wrong = (3, *(0,) * 36)
    per_label = [f"{what}_{slug(label)}" for label in LABELS for what in ("label", "decided")]
    cells = [cell for k in range(18) for cell in ((1, 0) if k == 9 else (0, 0))]
    return Section(
        name="classification",
        scores={
            "macro_auroc": score(0.84),
            "macro_f1": score(0.3),
            "crg": score(0.4),
            "ece": Score(value=nan, why="no bin"),
        },
        classes=Table(
            columns=("label", "n", "auroc", "auroc_low", "auroc_high"),
            rows=tuple((label, 60, 0.8, 0.7, 0.9) for label in LABELS),
        ),
        cases=Table(
            columns=("case_id", "patient", "status", "wrong", *per_label),
            rows=((HOSTILE, "p0", "scored", wrong[0], *cells),),
        ),
        controls=(
            Control(
                name="shuffled rows",
                kind="floor",
                scores={"macro_auroc": Score(value=0.5), "macro_f1": Score(value=0.31)},
                explained="Another patient's.",
            ),
        ),
        curves={
            "roc": roc,
            "pr": pr,
            "prevalence": dict.fromkeys(LABELS, 0.3),
            "reliability": bins,
            "cooccurrence": {"truth": together, "predicted": together * 0.5},
        },
    )


def localization() -> Section:
    rows = tuple(
        (f"case{i}", "p", "s", finding, 2.0 ** (i - 2), 1.0, 0.1 * (i % 9), 0.9, "scored")
        for i in range(10)
        for finding in LOCALIZED[:3]
    )
    return Section(
        name="localization",
        scores={"macro_dice": score(0.5), "hd95_mm": Score(value=8.0, low=7.0, high=9.0)},
        classes=Table(
            columns=("finding", "band", "n", "dice"),
            rows=(("lung_nodule", "all", 9, 0.5), ("lung_nodule", "<1 ml", 0, nan)),
        ),
        cases=Table(
            columns=(
                "case_id",
                "patient",
                "scan",
                "finding",
                "truth_ml",
                "predicted_ml",
                "dice",
                "oracle_dice",
                "status",
            ),
            rows=(*rows, ("case0", "p", "s", "lung_nodule", 0.0, 0.0, nan, nan, "both empty")),
        ),
        curves={
            "froc": {
                "lung_nodule": (np.array([0.0, 0.5, 3.0]), np.array([0.0, 0.4, 0.8])),
                "consolidation": (np.zeros(0),) * 2,
            }
        },
    )


def reports() -> Section:
    return Section(
        name="reports",
        scores={"ce_f1_macro": score(0.4), "crg": score(0.5), "cider": Score(value=1.3, low=1.0, high=1.6)},
        classes=Table(columns=("label", "f1"), rows=((LABELS[0], 0.5), (LABELS[1], 0.4))),
        cases=Table(
            columns=("case_id", "patient", "scan", "ce_f1"), rows=((HOSTILE, "p0", "s", 0.2), ("case1", "p", "s", nan))
        ),
        controls=(Control(name=HOSTILE, kind="ceiling", scores={"crg": Score(value=0.9)}, explained=HOSTILE),),
        warnings=(HOSTILE,),
        notes=(HOSTILE,),
    )


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    return made(tmp_path)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The whole page, which takes a second or two to draw."""
    return page(made(tmp_path_factory.mktemp("report")))


def made(tmp_path: Path) -> Evaluation:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "overlay.png").write_bytes(png())
    names = [HOSTILE, *(f"case{i}" for i in range(10))]
    truths = tuple(
        Truth(case_id=name, patient=f"p{k}", scan="s", report=f"{REPORT} {HOSTILE}") for k, name in enumerate(names)
    )
    predictions = tuple(
        None if k == 2 else Predicted(case_id=name, report="No nodule. Cardiomegaly.", folder=tmp_path / "folder")
        for k, name in enumerate(names)
    )
    return Evaluation(
        predictions=HOSTILE,
        truth="truth.csv",
        date="2026-01-02 03:04 UTC",
        cohort=Cohort(cases=11, scans=11, patients=11, missing=("case1",)),
        settings=Options().plain(),
        versions={"python": "3.11"},
        sections=(classification(), localization(), reports()),
        warnings=(HOSTILE,),
        pairs=Pairs(truths=truths, predictions=predictions),
    )


class Elements(HTMLParser):
    """Every element with its attributes, and every text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def names(self) -> set[str]:
        return {name for name, _ in self.found}


def test_nothing_is_fetched_and_nothing_runs(text: str) -> None:
    elements = Elements(text)
    assert not elements.names() & {"script", "iframe", "object", "embed", "form", "base", "audio", "video"}
    for name, attributes in elements.found:
        assert not any(key.startswith("on") for key in attributes), name
        for key in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert re.match(r"#|data:(image/(png|jpeg);base64,|,$)", attributes.get(key) or "#"), (name, attributes)
        assert not re.search(r"url\((?!#)", attributes.get("style") or "")
    policy = next(
        a["content"] for n, a in elements.found if n == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy
    assert policy.startswith("default-src 'none'")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    assert not re.search(r"@import|@font-face|url\(", style[1])


def test_hostile_text_is_shown_as_text(text: str) -> None:
    assert "<script" not in text
    assert "<img src=http" not in text
    shown = "".join(Elements(text).texts)
    assert shown.count('<script>alert("x")</script> & \'q\' "漢"') >= 8
    assert "\x00" not in text
    text.encode()  # no half of a surrogate pair is left


def test_what_was_scored_and_the_warnings_stand_before_the_first_score(text: str) -> None:
    assert 0 < text.index("scored against") < text.index('class="warning"') < text.index('class="tile')
    assert "11 patients, 11 scans" in text
    assert "1 of the 2 scores that have a control is reached by it" in text


def test_a_score_that_a_control_reaches_says_so_in_words_in_its_table(text: str) -> None:
    assert "Not distinguishable from the control shuffled rows (0.310)" in text
    assert text.count("A control reaches this score.") == 1
    assert "no bin" in text


def test_every_kind_of_picture_is_drawn(text: str) -> None:
    shown = " ".join(attributes.get("aria-label") or "" for name, attributes in Elements(text).found if name == "svg")
    for kind in ("ROC curve of", "Precision against recall of", "Reliability of"):
        assert shown.count(f"{kind} {LABELS[0]}") == shown.count(f"{kind} {LABELS[1]}") == 1
    for kind in (
        "Box plots of Dice",
        "Dice against volume of",
        "FROC curve of Lung nodule",
        "Findings that stand together",
    ):
        assert kind in shown
    assert "FROC curve of Consolidation" not in shown
    assert "Scores with their intervals" in shown
    assert "var(--accent)" in text
    assert "#0a0b" not in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_the_same_evaluation_gives_the_same_bytes(evaluation: Evaluation, tmp_path: Path) -> None:
    first, second = (write(evaluation, tmp_path / name) for name in ("a", "b"))
    for path in sorted(first.iterdir()):
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_pictures_do_not_depend_on_the_settings_of_the_user() -> None:
    import matplotlib as mpl

    one = classification()
    before = groups(one)
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert groups(one) == before


def test_without_matplotlib_the_page_says_so_and_keeps_its_tables(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = page(evaluation)
    assert "rect-eval[plots]" in text
    assert "<svg" not in text
    assert text.count("<table") >= 5


def test_overlays_are_embedded_once_a_case_and_their_absence_is_told(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = page(evaluation)
    assert text.count('src="data:image/') == 6
    assert "There is no prediction for this case." in text
    (tmp_path / "folder" / "overlay.png").write_bytes(b"GIF89a")
    assert "is no PNG and is not embedded" in page(evaluation)
    (tmp_path / "folder" / "overlay.png").unlink()
    assert "has no overlay.png" in page(evaluation)


def test_the_labels_that_were_wrong_are_named(text: str) -> None:
    rows = re.findall(r"<tr>.*?</tr>", text)
    assert any("alert" in row and "Lung nodule" in row and "<td>3</td>" in row for row in rows)


def test_a_section_without_anything_is_still_a_page(evaluation: Evaluation) -> None:
    empty = Table(columns=(), rows=())
    bare = Section(name="reports", scores={}, classes=empty, cases=empty)
    text = page(replace(evaluation, sections=(bare,), pairs=Pairs(truths=(), predictions=())))
    assert "How it was made" in text


def test_spans_of_the_labeler_are_marked_and_the_text_stays_whole() -> None:
    text = f"{REPORT} {HOSTILE}"
    found = marked(text)
    elements = Elements(found)
    kinds = [attributes["class"] for name, attributes in elements.found if name == "mark"]
    assert {"present", "absent", "uncertain"} == set(kinds)
    assert "".join(elements.texts).startswith(REPORT + ' <script>alert("x")</script>')


def test_differences_of_two_reports_are_told_in_words() -> None:
    found = differences(REPORT, "Cardiomegaly. There is consolidation.")
    assert re.search(r"Left out</b> .*Lung nodule", found)
    assert re.search(r"Only in the generated report</b> .*Cardiomegaly", found)
    assert re.search(r"Agreed</b> .*Consolidation", found)
    assert "Neither report" in differences("Normal.", "Normal.")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_opens_it_without_a_word_on_the_console(evaluation: Evaluation, tmp_path: Path, width: int) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    out = write(evaluation, tmp_path / "out")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *quiet]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    command += [f"--window-size={width},2000", (out / "report.html").as_uri()]
    seen = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "CONSOLE" not in seen.stderr, seen.stderr
    elements = Elements(seen.stdout)
    assert sum(name == "svg" for name, _ in elements.found) > 10
    assert "script" not in elements.names()
