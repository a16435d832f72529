"""The page of runs: whole, self-contained, small, and nothing in it that a run's text could turn into markup."""

import json
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rect_train.cli import main
from rect_train.watch.log import Log, open_logs
from rect_train.watch.page import page, write_page

Written = Callable[..., Path]

EVIL = "</pre></title></style>\"'><script>alert(1)</script>&amp;\u202e\x1b"
EMPTY = {"meta", "link", "br"}


class Elements(HTMLParser):
    """The elements of a page; fails where one is closed that is not the last opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open += [] if tag in EMPTY else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def paths(self, kind: str) -> list[str]:
        """The outlines of the paths of a class."""
        return [
            has["d"] or "" for name, has in self.found if name == "path" and kind in (has.get("class") or "").split()
        ]


def row(step: int, loss: float | None = 1.0) -> dict[str, object]:
    more = {"loss/classification": loss, "gradient_norm": 1.0, "rate": 0.5, "seconds": 2.0, "wait": 0.1}
    return {"step": step, "loss": loss, **more}


def valid(step: int, value: float | None) -> dict[str, object]:
    ends = {"_low": -0.1, "_high": 0.1, "_mismatched": -0.2}
    beside = {f"valid/macro_auroc{end}": None if value is None else value + by for end, by in ends.items()}
    return {"step": step, "valid/macro_auroc": value, **beside}


def read(*folders: Path) -> list[Log]:
    return open_logs([*folders])


def test_a_run_has_its_curves_band_control_and_tables(written: Written) -> None:
    rows = [row(n, 1 / n) for n in range(1, 31)] + [valid(n, 0.5 + n / 100) for n in (10, 20, 30)]
    rows.sort(key=lambda each: each["step"])
    skipped = [{"step": 7, "why": "loss nan", "case_ids": [f"case{n}" for n in range(14)]}]
    events = [{"at": "2026-01-02T03:04:05+0000", "said": "beginning a run of 30 steps"}]
    found = Elements(page(read(written(metrics=rows, skipped=skipped, events=events))))
    assert (len(found.paths("line")), len(found.paths("band")), len(found.paths("control"))) == (7, 1, 1)
    assert len(found.paths("dot")) == 3
    assert len(found.paths("skip")) == 1
    for words in ("Running, step 30 of 30", "0.700 to 0.900", "0.600", "case11", "and 2 more", "2026-01-02 03:04:05"):
        assert words in found.text
    assert "case12" not in found.text
    assert "lr: 0.001" in found.text


def test_a_page_fetches_nothing_and_runs_nothing(written: Written) -> None:
    text = page(read(written(metrics=[row(1), row(2)])))
    found = Elements(text)
    assert not {"script", "img", "iframe", "object"} & {name for name, _ in found.found}
    assert all("src" not in has and not any(key.startswith("on") for key in has) for _, has in found.found)
    assert [has["href"] for _, has in found.found if "href" in has] == ["data:,"]
    assert not re.search(r"url\(|@import|https?:", text)


def test_text_of_others_stays_text(written: Written) -> None:
    rows = [{**row(1), f"loss/{EVIL}": 1.0, EVIL: 2.0, f"valid/{EVIL}": 0.5}]
    logs = {"skipped": [{"step": 1, "why": EVIL, "case_ids": [EVIL]}], "events": [{"at": EVIL, "said": EVIL}]}
    config = f"{json.dumps(EVIL)}: {json.dumps(EVIL)}\n"
    one, two = written("<b>one", config, metrics=rows, **logs), written("two", metrics=rows)
    text = page(read(one, two))
    found = Elements(text)
    assert {"script", "b"} & {name for name, _ in found.found} <= {"b"}
    assert "<script" not in text
    assert "<b>one" not in text
    assert "<b>one" in found.text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_several_runs_have_a_legend_colours_and_what_differs(written: Written) -> None:
    one = written("one", "optim: {lr: 0.001}\nseed: 0\n", metrics=[row(1), row(2), valid(2, 0.7)])
    two = written("two", "optim: {lr: 0.002}\nseed: 0\n", metrics=[row(1), row(2), row(3), valid(3, 0.8)])
    found = Elements(page(read(one, two)))
    assert len(found.paths("r0")) == len(found.paths("r1")) > 5
    assert "2 runs" in found.text
    assert "optim.lr" in found.words
    assert "seed" not in found.words
    same = Elements(page(read(one, written("three", "optim: {lr: 0.001}\nseed: 0\n"))))
    assert "The runs have the same config." in same.text


def test_undefined_values_are_gaps_and_dashes_never_zeros(written: Written) -> None:
    losses = [0.5, None, 0.5, 0.5]
    rows = [row(n, loss) for n, loss in enumerate(losses, 1)] + [valid(4, None)]
    text = page(read(written(metrics=rows)))
    found = Elements(text)
    raw = found.paths("raw")[0]
    assert raw.count("M") == 2
    assert "h0" in raw, "the value that stands alone is a dot"
    assert not found.paths("dot")
    assert "nan" not in text.replace("tnan", "")
    assert "Macro AUROC" in found.text, "the table says that it is undefined"


def test_a_run_without_anything_has_a_page(written: Written) -> None:
    found = Elements(page(read(written())))
    assert "Starting, step 0" in found.text
    assert "No step has been logged yet." in found.text


def test_hundreds_of_unknown_series_are_counted_instead_of_drawn(written: Written) -> None:
    rows = [{"step": 1, **{f"odd_{n}": 1.0 for n in range(300)}, **{f"valid/odd_{n}": 1.0 for n in range(300)}}]
    text = page(read(written(metrics=rows)))
    assert text.count("<figure") == 48
    assert "276 more are in metrics.jsonl." in text


def test_values_cut_off_are_counted(written: Written) -> None:
    losses = [1 + 0.01 * (n % 10) for n in range(1000)]
    losses[500] = 1e5
    text = page(read(written(metrics=[{"step": n + 1, "loss": loss} for n, loss in enumerate(losses)])))
    assert "1 step lies outside of what is shown; the farthest at 1e+05." in text


def test_the_page_is_written_whole_or_not_at_all(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = written(metrics=[row(1)]), tmp_path / "new" / "page.html"
    assert main(["watch", str(folder), "--html", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    before = out.read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "replace", full)
    assert main(["watch", str(folder), "--html", str(out)]) == 2
    assert "page.html cannot be written (No space left on device): give another place" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize("name", ["run/config.yaml", "page", "folder.html"])
def test_no_other_file_is_written_over(
    written: Written, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(metrics=[row(1)])
    (tmp_path / "folder.html").mkdir()
    before = (folder / "config.yaml").read_bytes()
    assert main(["watch", str(folder), "--html", str(tmp_path / name)]) == 2
    assert "give a file that ends in .html" in capsys.readouterr().err
    assert (folder / "config.yaml").read_bytes() == before


def test_a_place_that_is_no_folder_is_told_in_one_line(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["watch", str(written()), "--html", str(tmp_path / "file" / "page.html")]) == 2
    assert "page.html cannot be written" in capsys.readouterr().err


@pytest.mark.slow
def test_a_hundred_thousand_steps_are_a_small_page_soon(written: Written, tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [row(n, draw.uniform(1, 2)) | {"tflops": draw.random(), "memory_gb": 2.0} for n in range(1, 100_001)]
    folder = written(metrics=rows, events=[{"said": "beginning a run of 100000 steps"}])
    begun = time.process_time()
    write_page(read(folder), tmp_path / "page.html")
    assert time.process_time() - begun < 6, "twice of what it may take, since other tests may run beside it"
    assert (tmp_path / "page.html").stat().st_size < 500_000


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_opens_it_without_a_word_on_the_console(written: Written, tmp_path: Path, width: int) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    folder, out = written(metrics=[row(1), row(2), valid(2, 0.6)]), tmp_path / "page.html"
    write_page(read(folder), out)
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *quiet]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    command += [f"--window-size={width},2000", out.as_uri()]
    seen = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "CONSOLE" not in seen.stderr, seen.stderr
    assert seen.stdout.count("<svg") == 7
