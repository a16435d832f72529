"""What a run has written is told as it is: while it is written to, damaged, taken back, huge or hostile."""

import io
import json
import math
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rect_train.cli import main
from rect_train.config import TrainConfig
from rect_train.loop import train
from rect_train.run import EVENTS, METRICS, Run
from rect_train.watch import figures
from rect_train.watch.lines import lines
from rect_train.watch.log import Log, open_logs
from rect_train.watch.plot import plot
from rect_train.watch.points import Points, memory, smooth, thinned
from rect_train.watch.scale import Scale, scale_of
from rect_train.watch.tail import Tail
from rect_train.watch.view import live, view

Written = Callable[..., Path]

BEGUN = {"at": "2026-01-02T03:04:05+0000", "said": "beginning a run of 8 steps"}
ENDED = {"at": "2026-01-02T03:14:05+0000", "said": "finished after 8 steps"}
CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4))
KEYS = st.sampled_from(["step", "loss", "seconds", "valid/a", "said", "case_ids"])
LINES = st.one_of(st.text(max_size=20), st.dictionaries(KEYS, CELLS).map(json.dumps))
VALUES = st.one_of(st.floats(-1e300, 1e300), st.just(math.nan))


def step(number: int, loss: float | None = 1.0, **more: object) -> dict[str, object]:
    return {"step": number, "loss": loss, "rate": 0.5, "seconds": 2.0, "wait": 0.5, **more}


def points(values: list[float]) -> Points:
    return Points(list(range(1, len(values) + 1)), values)


def read(folder: Path) -> Log:
    (log,) = open_logs([folder])
    return log


def shown(logs: list[Log], width: int = 120) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=50, record=True)
    console.print(view(logs, console.size))
    return console.export_text()


def test_a_real_run_is_read_as_it_went(config: TrainConfig) -> None:
    train(config)
    log = read(config.output_dir)
    assert (log.state, log.step, log.total) == ("finished", 6, 6)
    assert figures.losses(log) == ["loss", "loss/classification", "loss/localization", "loss/restoration"]
    assert len(log.series["loss"]) == 6
    assert "macro_auroc" in [score.name for score in figures.scores(log)]
    assert log.settings["optim"]["ema"] == 0.9
    assert log.damaged == {METRICS: 0, "skipped.jsonl": 0, EVENTS: 0}
    assert "Macro AUROC" in shown([log])


def test_a_run_that_goes_on_is_running_again(config: TrainConfig) -> None:
    train(replace(config, steps=2))
    log = read(config.output_dir)
    assert log.state == "finished"
    train(replace(config, steps=4), resume=True, allow=("steps",))
    assert log.update()
    assert (log.state, log.step, log.total) == ("finished", 4, 4)
    assert "going on from" in log.events[-3].said or any("going on from" in event.said for event in log.events)


def test_a_run_without_a_step_says_so(written: Written) -> None:
    log = read(written())
    assert (log.state, log.step, log.heard) == ("starting", 0, 0.0)
    assert "no step has been logged yet" in "\n".join(lines([log]))
    assert "no step has been logged yet" in shown([log])


def test_only_whole_lines_count_while_a_run_is_writing(written: Written) -> None:
    torn = json.dumps(step(2, 0.5))
    folder = written(metrics=[step(1), torn[:20]])
    log = read(folder)
    assert log.step == 1
    assert not log.update()
    with (folder / METRICS).open("a") as file:
        file.write(torn[20:] + "\n")
    assert log.update()
    assert log.series["loss"] == Points([1, 2], [1.0, 0.5])
    assert log.damaged[METRICS] == 0


def test_what_a_resumed_run_takes_back_is_forgotten(written: Written) -> None:
    folder = written(metrics=[step(1), step(2, 9.0), step(3, 9.0), {"step": 3, "valid/macro_dice": 0.9}])
    log = read(folder)
    Run(folder=folder).rewind(1)
    with (folder / METRICS).open("a") as file:
        file.write(json.dumps(step(2, 0.5)) + "\n")
    log.update()
    assert log.series["loss"] == Points([1, 2], [1.0, 0.5])
    assert log.scores == {}


def test_steps_that_come_again_in_one_file_replace_the_first_ones(written: Written) -> None:
    again = [step(n, 1.0) for n in (1, 2, 3)] + [{"step": 3, "valid/a": 0.1}, step(2, 0.5), step(2, 0.4)]
    log = read(written(metrics=again, skipped=[{"step": n, "why": "x", "case_ids": ["a"]} for n in (2, 5, 3)]))
    assert log.series["loss"] == Points([1, 2], [1.0, 0.4])
    assert log.scores == {}
    assert [skip.step for skip in log.skipped] == [2, 3]


def test_nulls_are_undefined_and_damaged_lines_are_counted(written: Written) -> None:
    rows = [
        step(1, None),
        "nonsense\n",
        "[1]\n",
        '{"step": "2"}\n',
        '{"loss": 1}\n',
        '{"step": -1}\n',
        "[" * 9999 + "\n",
    ]
    rows += ['{"step": 2, "loss": NaN, "seconds": 1e999, "note": "hello", "rate": 1' + "0" * 400 + "}\n"]
    log = read(written(metrics=rows, events=[{"said": 3}], skipped=[{"step": 1}, {"step": 4, "case_ids": [1, None]}]))
    assert np.isnan(log.series["loss"].values).all()
    assert (log.damaged[METRICS], log.damaged["skipped.jsonl"]) == (6, 1)
    assert figures.told(log) == {"Learning rate": "–", "Time a step": "2 s", "Waiting for data": "25 %"}
    assert "metrics.jsonl: 6 damaged lines left out." in figures.warnings(log)
    assert "Loss –" in "\n".join(lines([log]))
    assert shown([log])


def test_a_skipped_step_is_left_out_of_the_loss_and_named(written: Written) -> None:
    skips = [{"step": 2, "why": "loss 900 is 90.0 times its running mean", "case_ids": ["a", "b"]}]
    log = read(written(metrics=[step(1, 1.0), step(2, 900.0), step(3, 1.0)], skipped=skips))
    assert log.taken("loss") == Points([1, 3], [1.0, 1.0])
    told = "1 step skipped, the last 2: loss 900 is 90.0 times its running mean; cases a, b"
    assert told in "\n".join(lines([log]))
    assert told in shown([log])


def test_figures_are_told_in_their_units(written: Written) -> None:
    rows = [step(n, cases_per_second=4.0, tflops=0.22, mfu=0.281, memory_gb=2.0, odd_one=7.0) for n in (1, 2)]
    log = read(written(metrics=rows, config="optim: {lr: 4.0e-4}\n", events=[BEGUN]))
    assert figures.told(log) == {
        "Learning rate": "0.0002",
        "Time a step": "2 s",
        "Waiting for data": "25 %",
        "Cases a second": "4",
        "Compute": "0.22 TFLOP/s",
        "Share of the peak": "28.1 %",
        "Memory": "2 GB",
        "Odd one": "7",
    }
    assert figures.headline(log) == "running, step 2 of 8, 12 s of steps left"


def test_what_is_unknown_of_the_machine_is_not_told(written: Written) -> None:
    assert "Share of the peak" not in figures.told(read(written(metrics=[step(1, mfu=None)])))


def test_a_score_stands_beside_its_interval_its_best_and_its_control(written: Written) -> None:
    rows = [
        {"step": 2, "valid/macro_auroc": 0.8, "valid/macro_auroc_mismatched": 0.5, "valid/hidden_error": 0.1},
        {
            "step": 4,
            "valid/macro_auroc": 0.7,
            "valid/macro_auroc_low": 0.6,
            "valid/macro_auroc_high": 0.8,
            "valid/macro_auroc_mismatched": 0.65,
            "valid/hidden_error": 0.2,
            "valid/dice_lung_nodule": None,
        },
    ]
    log = read(written(metrics=rows))
    auroc, error, dice = figures.scores(log)
    assert (auroc.name, auroc.step, auroc.last, auroc.best, auroc.best_step) == ("macro_auroc", 4, 0.7, 0.8, 2)
    assert auroc.interval == "0.600 to 0.800"
    assert auroc.reached, "0.65 lies in the interval"
    assert (error.best, error.best_step, error.reached) == (0.1, 2, False), "less is better"
    assert math.isnan(dice.best)
    assert "Another patient's scores reach Macro AUROC" in "\n".join(lines([log]))
    told = "Macro AUROC 0.700 (0.600 to 0.800; mismatched 0.650; best 0.800 at step 2)"
    assert told in "\n".join(lines([log]))
    assert ["Macro", "AUROC", "0.700", "0.600", "to", "0.800", "0.650", "0.800", "2"] in map(
        str.split, shown([log]).splitlines()
    )
    assert "0.600 to" not in shown([log], 60), "a narrow terminal has no room for it"


def test_a_run_that_has_fallen_silent_is_told_apart(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    log = read(written(metrics=[step(1)], events=[BEGUN]))
    assert "silent" not in figures.headline(log)
    later = time.time() + 7200
    monkeypatch.setattr("rect_train.watch.figures.time.time", lambda: later)
    assert "silent for 2 h" in figures.headline(log)
    with (log.folder / EVENTS).open("a") as file:
        file.write(json.dumps(ENDED) + "\n")
    log.update()
    assert "silent" not in figures.headline(log)


def test_text_of_others_neither_steers_the_terminal_nor_becomes_markup(written: Written) -> None:
    bad = "\x1b[31m[red]evil\u202e\x07"
    rows = [{**step(1), f"loss/{bad}": 1.0, bad: 1.0, f"valid/{bad}": 0.5}]
    folder = written(
        metrics=rows, events=[{"at": bad, "said": bad}], skipped=[{"step": 1, "why": bad, "case_ids": [bad]}]
    )
    log = read(folder)
    for text in ("\n".join(lines([log])), shown([log]), shown([log, log])):
        assert not set(text) & set("\x1b\x07\u202e")
        assert "[red]evil" in text


def test_several_runs_share_a_table(written: Written) -> None:
    one = written("one", metrics=[step(1), {"step": 1, "valid/macro_auroc": 0.8}], events=[BEGUN])
    two = written("two", metrics=[step(1), {"step": 1, "valid/macro_dice": 0.3}], events=[BEGUN, ENDED])
    logs = open_logs([one, two, one])
    assert [log.name for log in logs] == ["one", "two"], "a run that is given twice is shown once"
    text = shown(logs)
    assert "Macro AUROC" in text
    assert "Macro Dice 0.300" in text
    assert "course of the loss" not in shown(logs, 80)


def test_runs_of_one_name_are_told_apart(written: Written, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    logs = open_logs([written("a/run"), written("b/run"), written("c")])
    assert [log.name for log in logs] == ["a/run", "b/run", "c"]


def test_differences_of_configs_are_found_key_by_key() -> None:
    one, two, three = {"a": {"x": 1, "y": 2}, "output_dir": "p"}, {"a": {"x": 3}, "output_dir": "q"}, {"b": 5}
    assert figures.differences([one, two, three]) == {
        "a.x": [1, 3, None],
        "a.y": [2, None, None],
        "b": [None, None, 5],
    }
    assert figures.differences([one]) == {}


def test_a_config_of_another_edition_or_none_at_all_is_no_reason_to_fail(written: Written) -> None:
    assert read(written("a", config="odd: 1\noptim: []\n")).settings == {"odd": 1, "optim": []}
    assert read(written("b", config="{broken\n", metrics=[step(1)])).settings == {}
    assert read(written("c", config="- 1\n")).settings == {}


def test_watch_prints_lines_once_where_there_is_no_terminal(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(metrics=[step(1, 0.25)], events=[BEGUN])
    assert main(["watch", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("run: running, step 1 of 8, 14 s of steps left\n  Loss 0.25")
    assert "2026-01-02 03:04:05 beginning a run of 8 steps" in out


def test_watch_once_shows_the_view_of_a_terminal(
    written: Written, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(metrics=[step(n, 1 / n) for n in (1, 2, 3)], events=[BEGUN])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["watch", "--once", str(folder)]) == 0
    assert "└─" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere holds no run (no config.yaml in it): give a folder that rect-train wrote to"),
        (["."], "holds no run"),
        ([f"run{n}" for n in range(9)], "9 runs are too many to tell apart: give at most 8"),
    ],
)
def test_what_is_no_run_is_refused_in_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["watch", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err


def test_the_live_view_ends_with_the_run(written: Written) -> None:
    folder = written(metrics=[step(1)], events=[BEGUN])
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=40)

    def end() -> None:
        time.sleep(0.2)
        with (folder / METRICS).open("a") as file:
            file.write(json.dumps(step(8, 0.125)) + "\n")
        with (folder / EVENTS).open("a") as file:
            file.write(json.dumps(ENDED) + "\n")

    writer = threading.Thread(target=end)
    writer.start()
    live(open_logs([folder]), console, every=0.05)
    writer.join()
    left = console.file.getvalue().rpartition("\x1b[?1049l")[2]  # type: ignore[attr-defined]
    assert "finished" in left
    assert "0.125" not in left.splitlines()[0]
    assert "finished after 8 steps" in left


def test_ctrl_c_leaves_the_last_view_behind(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(metrics=[step(1)], events=[BEGUN])
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=40)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rect_train.watch.view.time.sleep", interrupt)
    live(open_logs([folder]), console)
    assert "running" in console.file.getvalue().rpartition("\x1b[?1049l")[2]  # type: ignore[attr-defined]


@given(lines=st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=12), data=st.data())
def test_however_a_file_grows_each_line_is_read_once(lines: list[bytes], data: st.DataObject) -> None:
    whole, found = b"".join(line + b"\n" for line in lines), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        tail = Tail(path)
        assert tail.read() == (False, [])
        with path.open("ab", buffering=0) as file:
            while whole:
                count = data.draw(st.integers(1, len(whole)))
                file.write(whole[:count])
                whole = whole[count:]
                again, new = tail.read()
                assert not again
                found += new
        assert found == lines
        path.write_bytes(b"other\n")
        again, new = tail.read()
        assert (again, new) == (bool(lines) and b"\n".join(lines)[:5] != b"other", [b"other"]) or lines[:1] == [
            b"other"
        ]


@given(text=st.lists(LINES, max_size=12))
def test_no_line_however_odd_stops_the_reader(text: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text("a: 1\n")
        for name in (METRICS, EVENTS, "skipped.jsonl"):
            (Path(folder) / name).write_bytes("\n".join(text).encode("utf-8", "surrogatepass") + b"\n")
        log = read(Path(folder))
        for series in (*log.series.values(), *log.scores.values()):
            assert series.steps == sorted(set(series.steps))
        assert lines([log])
        assert shown([log])


@given(values=st.lists(VALUES, min_size=1, max_size=60), buckets=st.integers(1, 9))
def test_a_thinned_line_keeps_its_ends_in_height_and_its_order(values: list[float], buckets: int) -> None:
    series = points(values)
    kept = thinned(series, buckets)
    assert len(kept) <= max(2 * buckets, 0) or kept is series
    assert kept.steps == sorted(kept.steps)
    assert set(map(repr, kept)) <= set(map(repr, series))
    assert kept.known.size == 0 or (kept.known.max() == series.known.max() and kept.known.min() == series.known.min())
    assert bool(kept.known.size) == bool(series.known.size)


@given(values=st.lists(VALUES, max_size=700))
def test_a_running_mean_is_the_mean_of_the_last_steps(values: list[float]) -> None:
    series = points(values)
    many = memory(series)
    for place, (_, value) in enumerate(smooth(series)):
        last = [x for x in values[max(0, place + 1 - many) : place + 1] if not math.isnan(x)]
        expected = math.fsum(last) / len(last) if last else math.nan
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(map(abs, last), default=0), nan_ok=True)


def test_one_huge_value_does_not_blur_the_mean_of_those_after_it() -> None:
    series = points([1e18, *[0.001] * 3000])
    assert smooth(series).last == pytest.approx(0.001)


@given(low=st.floats(-1e12, 1e12), span=st.floats(1e-3, 1e12), most=st.integers(2, 9))
def test_ticks_are_few_and_lie_in_the_range(low: float, span: float, most: int) -> None:
    scale = Scale(low=low, high=low + span)
    if scale.high - scale.low < 1e-9 * max(1.0, abs(low)):
        return
    ticks = scale.ticks(most)
    assert 1 <= len(ticks) <= most
    assert all(-0.01 <= scale.place(value) <= 1.01 for value, _ in ticks) or len(ticks) == 1


def test_ticks_are_round() -> None:
    assert [text for _, text in Scale(low=0, high=5050).ticks(8)] == ["0", "1k", "2k", "3k", "4k", "5k"]
    assert [text for _, text in Scale(low=-0.1, high=1.1).ticks(4)] == ["0", "0.5", "1.0"]
    assert [text for _, text in Scale(low=0, high=2e-5).ticks(3)] == ["0", "1e-5", "2e-5"]


@pytest.mark.parametrize("values", [[], [math.nan], [0.0], [3.0, 3.0], [-1e300, 1e300], [5e-324], [1e15, 1e15 + 1]])
def test_any_values_have_a_range_ticks_and_a_plot(values: list[float]) -> None:
    scale = scale_of([points(values)])
    assert scale.low < scale.high
    assert scale.ticks(4)
    assert len(plot(points(values), 40, 6)) == (8 if points(values).known.size else 0)


def test_a_few_wild_values_do_not_stretch_the_range() -> None:
    usual = [1 + 0.01 * (n % 10) for n in range(1000)]
    assert scale_of([], [points([*usual, 1e6])]).high < 2
    assert scale_of([], [points([*usual, 1.15])]).high > 1.15, "near ones stay in it"


def test_a_plot_falls_as_its_curve_does() -> None:
    *rows, axis, labels = plot(points([4.0, 3.0, 2.0, 1.0]), 40, 6)
    assert rows[0].rstrip("⠀")[-1] != rows[0][-1], "high on the left only"
    assert rows[-1][-1] != "⠀"
    assert {len(row) for row in rows} == {40}
    assert len(axis) == 40
    assert labels.split() == ["1", "4"]


def test_durations_and_numbers_are_short() -> None:
    told = [figures.duration(s) for s in (0, 59, 61, 3600, 7260, 90000, math.nan)]
    assert told == ["0 s", "59 s", "1 min 1 s", "1 h", "2 h 1 min", "1 d 1 h", "–"]
    assert [figures.short(x) for x in (0.123456, 12345.6, 1e-5, 1e9, math.nan)] == [
        "0.1235",
        "12,346",
        "1e-5",
        "1e+09",
        "–",
    ]
    assert figures.sparkline(points([3.0, 2.0, math.nan, 1.0])) == "█▅▁"
    assert figures.sparkline(points([1.0])) == "▄"
    assert figures.sparkline(Points()) == ""
