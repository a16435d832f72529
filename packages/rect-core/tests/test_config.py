"""Configs: YAML and back gives an equal object, and every mistake is named with its dotted path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rect_core.config import from_dict, from_yaml, to_dict, to_yaml


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    shape: tuple[int, int, int] = (64, 512, 512)
    spacing_mm: tuple[float, ...] = (5.0, 0.75, 0.75)

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ValueError(f"shape {self.shape} has an empty axis")


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimizer:
    name: Literal["adamw", "muon", 8] = "adamw"
    rate: float = 1e-4
    cuts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    steps: int
    title: str | None = None
    resume: bool = False
    grid: Grid = field(default_factory=Grid)
    optimizer: Optimizer | None = None
    threshold: float | Mapping[str, float] | None = None
    folder: Path = Path("runs")
    notes: dict[str, Any] = field(default_factory=dict)


some = settings(deadline=None)  # time says nothing on a shared machine
finite = st.floats(allow_nan=False)
words = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    [
        "1e-4",
        "1.5",
        ".5e3",
        "no",
        "on",
        "~",
        "null",
        "",
        " x ",
        "2024-01-01",
        "0x1f",
        "a: b",
        "# c",
        "12:30",
        "-",
        "1_0",
    ]
)
grids = st.builds(
    Grid,
    shape=st.tuples(*[st.integers(1, 10**12)] * 3),
    spacing_mm=st.lists(finite, max_size=4).map(tuple),
)
optimizers = st.builds(
    Optimizer,
    name=st.sampled_from(["adamw", "muon", 8]),
    rate=finite,
    cuts=st.dictionaries(words, st.lists(finite, max_size=3).map(tuple), max_size=3),
    grids=st.lists(grids, max_size=2).map(tuple),
)
runs = st.builds(
    Run,
    steps=st.integers(),
    title=st.none() | words,
    resume=st.booleans(),
    grid=grids,
    optimizer=st.none() | optimizers,
    threshold=st.none() | finite | st.dictionaries(words, finite, max_size=2),
    folder=st.sampled_from([Path("runs"), Path("a/b c"), Path("1e-4")]),
    notes=st.dictionaries(words, st.none() | st.booleans() | st.integers() | finite | words, max_size=3),
)


@some
@given(runs)
def test_yaml_and_back_gives_an_equal_config(run: Run) -> None:
    assert from_yaml(Run, to_yaml(run)) == run


@some
@given(runs)
def test_dict_and_back_gives_an_equal_config(run: Run) -> None:
    assert from_dict(Run, to_dict(run)) == run


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "1.e-4", "1.0e-4", "+1e-4", ".1e-3", "0.0001", "100e-6"])
def test_a_learning_rate_is_a_float_however_it_is_written(text: str) -> None:
    assert from_yaml(Optimizer, f"rate: {text}").rate == pytest.approx(1e-4, rel=1e-12)


@pytest.mark.parametrize("text", ["e-4", "1e", "1e-4x", "v1e-4", "1-e4"])
def test_what_only_looks_like_a_float_stays_text(text: str) -> None:
    assert from_yaml(Run, f"steps: 1\ntitle: {text}").title == text


def test_a_whole_number_is_taken_for_a_float_and_becomes_one() -> None:
    rate = from_yaml(Optimizer, "rate: 1").rate
    assert rate == 1
    assert type(rate) is float


def test_a_file_and_its_text_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(Run(steps=3, title="tiny")), encoding="utf-8")
    assert from_yaml(Run, path) == from_yaml(Run, str(path)) == Run(steps=3, title="tiny")


def test_an_empty_text_is_all_defaults() -> None:
    assert from_yaml(Grid, "") == Grid()


def test_fields_stand_in_their_order() -> None:
    assert list(to_dict(Run(steps=1))) == list(Run.__slots__)
    assert to_yaml(Grid()).splitlines()[0] == "shape:"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.yaml"):
        from_yaml(Run, tmp_path / "none.yaml")


MISTAKES = {
    "grid: {}": r"^Run: missing steps$",
    "steps: 1\nstep: 2": r"^Run\.step: unknown key; did you mean 'steps'\?$",
    "steps: 1\nzzz: 2": r"^Run\.zzz: unknown key; known are steps, title, resume",
    "steps: 1\n7: 2": r"^Run\.7: unknown key",
    "steps: 1\ngrid: {shap: [1, 1, 1]}": r"^Run\.grid\.shap: unknown key; did you mean 'shape'\?$",
    "steps: 1\noptimizer: {grids: [{}, {spacing: []}]}": r"^Run\.optimizer\.grids\[1\]\.spacing: unknown key; did you",
    "steps: 1.0": r"^Run\.steps: expected a whole number, got float 1\.0$",
    "steps: true": r"^Run\.steps: expected a whole number, got bool True$",
    "steps: '1'": r"^Run\.steps: expected a whole number, got str '1'$",
    "steps: null": r"^Run\.steps: expected a whole number, got NoneType None$",
    "steps: 1\nresume: 1": r"^Run\.resume: expected true or false, got int 1$",
    "steps: 1\ntitle: 2024-01-01": r"^Run\.title: expected text, got date ",
    "steps: 1\ntitle: no": r"^Run\.title: expected text, got bool False$",
    "steps: 1\nfolder: 3": r"^Run\.folder: expected a path, got int 3$",
    "steps: 1\ngrid: 5": r"^Run\.grid: expected a mapping with the keys of Grid, got int 5$",
    "steps: 1\ngrid: null": r"^Run\.grid: expected a mapping",
    "steps: 1\ngrid: {shape: [1, 2]}": r"^Run\.grid\.shape: expected 3 values, got 2$",
    "steps: 1\ngrid: {shape: 4}": r"^Run\.grid\.shape: expected a list, got int 4$",
    "steps: 1\ngrid: {shape: [1, 2, 3.5]}": r"^Run\.grid\.shape\[2\]: expected a whole number, got float 3\.5$",
    "steps: 1\ngrid: {shape: [1, 0, 3]}": r"^Run\.grid: shape \(1, 0, 3\) has an empty axis$",
    "steps: 1\ngrid: {spacing_mm: [true]}": r"^Run\.grid\.spacing_mm\[0\]: expected a number, got bool True$",
    "steps: 1\noptimizer: {name: adam}": r"^Run\.optimizer\.name: 'adam' is not a choice; did you mean 'adamw'\?$",
    "steps: 1\noptimizer: {name: 9}": r"^Run\.optimizer\.name: 9 is not a choice; known are adamw, muon, 8$",
    "steps: 1\noptimizer: {name: '8'}": r"^Run\.optimizer\.name: '8' is not a choice",
    "steps: 1\noptimizer: {cuts: {a: [x]}}": r"^Run\.optimizer\.cuts\.a\[0\]: expected a number, got str 'x'$",
    "steps: 1\noptimizer: {cuts: {1: []}}": r"^Run\.optimizer\.cuts key: expected text, got int 1$",
    "steps: 1\noptimizer: {cuts: []}": r"^Run\.optimizer\.cuts: expected a mapping, got list \[\]$",
    "steps: 1\nthreshold: high": r"^Run\.threshold: str 'high' fits none of ",
    "steps: 1\nsteps: 2": r"^key 'steps' is given twice \(line 2\)$",
    "steps: 1\ngrid: {shape: [1, 1, 1], shape: [2, 2, 2]}": r"^key 'shape' is given twice",
    "[1, 2]": r"^Run: expected a mapping",
    "steps: [1": r"^not YAML: ",
    "steps: !!python/object:os.system x": r"^not YAML: could not determine a constructor",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_one_line_with_its_dotted_path(text: str) -> None:
    with pytest.raises(ValueError, match=MISTAKES[text]) as caught:
        from_yaml(Run, text)
    assert "\n" not in str(caught.value)


def test_a_type_that_no_config_can_hold_is_the_authors_mistake() -> None:
    @dataclass(frozen=True)
    class Bad:
        what: set[int]

    with pytest.raises(TypeError, match=r"Bad\.what: a config cannot hold set\[int\]"):
        from_dict(Bad, {"what": [1]})
    with pytest.raises(TypeError, match="takes a dataclass instance"):
        to_dict(Grid)


@pytest.mark.parametrize("written", ["010", "-012", "1:30", "190:20.5"])
def test_numbers_that_yaml_1_1_reads_in_base_8_or_60_are_text(written: str) -> None:
    """010 would be 8 and 1:30 would be 90: nobody who writes a config means that."""

    @dataclass(frozen=True)
    class Numbers:
        rate: float = 0.0
        name: str = ""

    with pytest.raises(ValueError, match=rf"Numbers\.rate: expected a number, got str '{written}'"):
        from_yaml(Numbers, f"rate: {written}")
    found = from_yaml(Numbers, f"name: {written}")
    assert found.name == written
    assert from_yaml(Numbers, to_yaml(found)) == found


@pytest.mark.parametrize("text", ["? [1, 2]\n: 3", "{[1]: 2}", "{{a: 1}: 2}"])
def test_a_key_that_is_no_name_is_refused(text: str) -> None:
    @dataclass(frozen=True)
    class Numbers:
        rate: float = 0.0

    with pytest.raises(ValueError, match="is no name"):
        from_yaml(Numbers, text)
