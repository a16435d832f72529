"""Weights in and out: what is saved comes back exactly, and everything else is refused in one line."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from rect_core.hub import Published, resolve_source

STATUS = "synthetic"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToyConfig:
    dim: int = 6
    rate: float = 0.5


class Toy(Published):
    """Tied parameters, a buffer under two names, a whole-number buffer and a scalar one."""

    config_class = ToyConfig
    config: ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.into = nn.Linear(config.dim, config.dim)
        self.out = nn.Linear(config.dim, config.dim, bias=False)
        self.out.weight = self.into.weight
        self.register_buffer("order", torch.arange(config.dim))
        self.register_buffer("scale", torch.tensor(config.rate))
        self.register_buffer("same_scale", self.scale)


class Other(Published):
    config_class = ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.into = nn.Linear(config.dim, config.dim)


class Forgetful(Published):
    config_class = ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.register_buffer("gone", torch.zeros(2), persistent=False)


@pytest.fixture
def toy() -> Toy:
    return Toy.untrained(ToyConfig(), seed=3)


@pytest.fixture
def folder(toy: Toy, tmp_path: Path) -> Path:
    toy.save_pretrained(tmp_path / "toy", weights_status=STATUS, card="Trained in a test.")
    return tmp_path / "toy"


def test_what_is_saved_comes_back_exactly(toy: Toy, folder: Path) -> None:
    again = Toy.from_pretrained(folder)
    assert again.config == toy.config
    assert again.weights_status == STATUS
    assert again.origin == folder
    assert again.fingerprint == toy.fingerprint
    assert not again.training
    for (name, a), (other, b) in zip(toy.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def test_the_folder_holds_config_weights_and_card(folder: Path, toy: Toy) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text())
    assert list(config) == ["class", "format", "rect_version", "weights_status", "fingerprint", "config"]
    assert config["class"].endswith(".Toy")
    assert config["config"] == {"dim": 6, "rate": 0.5}
    card = (folder / "README.md").read_text()
    assert "synthetic" in card
    assert toy.fingerprint in card
    assert card.endswith("Trained in a test.\n")
    assert (folder / "model.safetensors").stat().st_mode == (folder / "config.json").stat().st_mode


def test_a_tied_tensor_is_stored_once_and_comes_back_tied_and_trainable(folder: Path) -> None:
    assert set(load_file(folder / "model.safetensors")) == {"into.weight", "into.bias", "order", "scale"}
    again = Toy.from_pretrained(folder)
    assert again.out.weight is again.into.weight
    assert again.same_scale is again.scale
    assert all(p.requires_grad and p.is_leaf for p in again.parameters())


def test_loading_draws_no_random_numbers(folder: Path) -> None:
    before = torch.get_rng_state()
    Toy.from_pretrained(folder)
    assert torch.equal(before, torch.get_rng_state())


def test_untrained_weights_follow_the_seed_and_leave_the_generator_alone() -> None:
    before = torch.get_rng_state()
    one, same, two = (Toy.untrained(ToyConfig(), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert one.fingerprint == same.fingerprint != two.fingerprint
    assert one.weights_status == "untrained"
    assert one.origin is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_fingerprint_survives_a_cast_in_memory(toy: Toy, dtype: torch.dtype) -> None:
    before = toy.fingerprint
    assert toy.to(dtype).fingerprint == before
    assert nn.ModuleList([toy]).to(torch.float32)[0].fingerprint == before


def test_weights_kept_in_bfloat16_are_computed_with_in_float32(toy: Toy, folder: Path, tmp_path: Path) -> None:
    Toy.from_pretrained(folder).to(torch.bfloat16).save_pretrained(tmp_path / "small", weights_status=STATUS)
    loaded = Toy.from_pretrained(tmp_path / "small")
    assert loaded.into.weight.dtype == torch.float32
    assert torch.equal(loaded.into.weight, toy.into.weight.bfloat16().float())
    assert loaded.order.dtype == torch.int64
    assert loaded.fingerprint == toy.fingerprint


def test_the_fingerprint_survives_a_save_in_bfloat16(toy: Toy, folder: Path, tmp_path: Path) -> None:
    Toy.from_pretrained(folder).to(torch.bfloat16).save_pretrained(tmp_path / "small", weights_status=STATUS)
    small = Toy.from_pretrained(tmp_path / "small", dtype=None)
    assert small.into.weight.dtype == torch.bfloat16
    assert small.order.dtype == torch.int64
    assert small.fingerprint == toy.fingerprint


def test_the_fingerprint_follows_every_change_of_the_weights(toy: Toy) -> None:
    seen = [toy.fingerprint]
    optimizer = torch.optim.AdamW(toy.parameters(), lr=0.1)
    toy.out(toy.into(torch.ones(1, 6))).sum().backward()
    optimizer.step()
    seen.append(toy.fingerprint)
    toy.load_state_dict({name: value + 1 for name, value in toy.state_dict().items()})
    seen.append(toy.fingerprint)
    toy.scale.data = torch.tensor(7.0)
    seen.append(toy.fingerprint)
    toy.into.bias = nn.Parameter(torch.zeros(6))
    seen.append(toy.fingerprint)
    assert len(set(seen)) == len(seen)


def test_a_name_or_a_shape_alone_changes_the_fingerprint(toy: Toy) -> None:
    assert Other.untrained(ToyConfig(), seed=3).fingerprint != toy.fingerprint


def test_saving_again_replaces_our_files_and_keeps_others(folder: Path) -> None:
    (folder / "operating_points.json").write_text("{}")
    newer = Toy.untrained(ToyConfig(dim=4), seed=9)
    newer.save_pretrained(folder, weights_status="untrained")
    assert Toy.from_pretrained(folder).fingerprint == newer.fingerprint
    assert (folder / "operating_points.json").is_file()
    assert [p.name for p in folder.parent.iterdir()] == ["toy"]


def test_a_failed_save_leaves_nothing_behind(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"scale is float16, which changes the fingerprint"):
        toy.half().save_pretrained(tmp_path / "half", weights_status=STATUS)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        toy.float().save_pretrained(tmp_path / "file", weights_status=STATUS)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_torn_ties_and_foreign_tensors_are_not_saved(toy: Toy, tmp_path: Path) -> None:
    toy.out.weight = nn.Parameter(torch.zeros(6, 6))
    with pytest.raises(ValueError, match=r"out\.weight is tied to into\.weight but holds other values"):
        toy.save_pretrained(tmp_path / "torn", weights_status=STATUS)
    toy.adapter = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"unexpected adapter\.weight, adapter\.bias"):
        toy.save_pretrained(tmp_path / "adapted", weights_status=STATUS)


def test_buffers_that_no_file_keeps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Forgetful has buffers that no file keeps: gone"):
        Forgetful.untrained(ToyConfig()).save_pretrained(tmp_path / "x", weights_status=STATUS)


def edit_config(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "config.json"
        data = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in data.items() if value is not None}))

    return edit


def edit_tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return edit


def cut(folder: Path, name: str, share: float) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * share)])


def swap_weights(folder: Path) -> None:
    other = Toy.untrained(ToyConfig(), seed=77)
    other.save_pretrained(folder.parent / "other", weights_status=STATUS)
    (folder.parent / "other" / "model.safetensors").replace(folder / "model.safetensors")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), r"toy/config\.json is missing"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), r"toy/model\.safetensors is missing"),
    "cut config": (lambda f: cut(f, "config.json", 0.5), r"toy/config\.json is not JSON .*download the folder again"),
    "binary config": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), r"config\.json is not JSON"),
    "config is a list": (lambda f: (f / "config.json").write_text("[1]"), r"holds a list, not an object"),
    "newer format": (edit_config(format=2, new_key=1), r"has format 2 but this rect-core reads up to 1: upgrade"),
    "odd format": (edit_config(format="1"), r"no proper format, fingerprint or config"),
    "no fingerprint": (edit_config(fingerprint=None), r"config\.json lacks fingerprint"),
    "strange key": (edit_config(extra=1), r"unknown keys extra"),
    "strange status": (edit_config(weights_status="good"), r"weights_status 'good' is not one of untrained, synthetic"),
    "wrong class": (edit_config(**{"class": "rect_x.Y"}), r"holds a rect_x\.Y, not a \w+\.Toy"),
    "unknown config key": (edit_config(config={"dmi": 6}), r"ToyConfig\.dmi: unknown key; did you mean 'dim'\?"),
    "wrong config type": (edit_config(config={"dim": 6.5}), r"ToyConfig\.dim: expected a whole number, got float 6\.5"),
    "config is text": (edit_config(config="x"), r"no proper format, fingerprint or config"),
    "missing tensor": (edit_tensors(lambda t: t.pop("order")), r"does not fit its class: missing order$"),
    "extra tensor": (
        edit_tensors(lambda t: t.update(more=torch.zeros(1))),
        r"does not fit its class: unexpected more$",
    ),
    "wrong shape": (
        edit_tensors(lambda t: t.update(order=torch.zeros(2, 3))),
        r"wrong shape: order is \(2, 3\) instead of \(6,\)$",
    ),
    "renamed tensor": (edit_tensors(lambda t: t.update(ordre=t.pop("order"))), r"missing order; unexpected ordre$"),
    "other size": (edit_config(config={"dim": 7}), r"into\.weight is \(6, 6\) instead of \(7, 7\)"),
    "changed value": (
        edit_tensors(lambda t: t["into.bias"].add_(1)),
        r"fingerprint \w{12} but config\.json says \w{12}",
    ),
    "other weights": (swap_weights, r"the files do not belong together"),
    "cut weights": (lambda f: cut(f, "model.safetensors", 0.8), r"toy/model\.safetensors is damaged .*again$"),
    "empty weights": (lambda f: cut(f, "model.safetensors", 0.0), r"toy/model\.safetensors is damaged"),
    "weights are text": (lambda f: (f / "model.safetensors").write_text("version https://git-lfs"), r"is damaged"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_is_refused_in_one_line_without_its_path(folder: Path, case: str) -> None:
    spoil, message = BROKEN[case]
    spoil(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        Toy.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    assert str(folder.parent) not in str(caught.value)


def test_a_long_list_of_names_is_cut(folder: Path) -> None:
    edit_tensors(lambda t: t.update({f"x{i}": torch.zeros(1) for i in range(9)}))(folder)
    with pytest.raises(ValueError, match=r"unexpected x0, x1, x2, x3, x4 and 4 more$"):
        Toy.from_pretrained(folder)


SOURCES: dict[str, str] = {
    "NEWMES-AI/ReCT-VLM": r"no weights exist under 'NEWMES-AI/ReCT-VLM', none were ever .*; ours: rect-tiny",
    "newmes-ai/other": r"ours: rect-tiny \(pip install 'rect-vlm\[tiny\]'\)",
    "rect-huge": r"'rect-huge' is neither a folder here nor an installed package of weights",
    "json": r"'json' is neither a folder here nor an installed package of weights",
    "untrained:tiny": r"no folder 'untrained:tiny'",
    "./nowhere/model": r"no folder 'model'",
    "/nowhere": r"no folder 'nowhere'",
    "somebody/model": r"somebody/model is neither a folder here nor in the Hub's cache.*HF_HUB_OFFLINE",
    "weights.pt": r"weights\.pt is a pickle, which can run code: give a folder with config\.json",
    "a/pytorch_model.bin": r"pytorch_model\.bin is a pickle",
    "last.ckpt": r"last\.ckpt is a pickle",
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_is_nothing_says_what_to_give(source: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=SOURCES[source]) as caught:
        Toy.from_pretrained(source)
    assert "\n" not in str(caught.value)


def test_a_file_is_answered_with_its_folder(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.safetensors is a file: give its folder, 'toy'"):
        Toy.from_pretrained(folder / "model.safetensors")


def test_a_folder_has_no_revision(folder: Path) -> None:
    with pytest.raises(ValueError, match="revision 'main' belongs to a Hub id but 'toy' is a folder"):
        Toy.from_pretrained(folder, revision="main")


def test_a_component_takes_its_own_part_of_a_whole_model(toy: Toy, tmp_path: Path) -> None:
    part = Toy.__module__.partition(".")[0].removeprefix("rect_")
    toy.save_pretrained(tmp_path / "whole" / part, weights_status=STATUS)
    assert Toy.from_pretrained(tmp_path / "whole").origin == tmp_path / "whole" / part
    assert resolve_source(tmp_path / "whole") == tmp_path / "whole"
    assert resolve_source(tmp_path / "whole" / part, subfolder=part) == tmp_path / "whole" / part


def test_a_whole_model_without_that_part_names_the_part(folder: Path, toy: Toy) -> None:
    part = toy.__module__.partition(".")[0].removeprefix("rect_")
    with pytest.raises(FileNotFoundError, match=rf"{part}/config\.json is missing"):
        Toy.from_pretrained(folder.parent)


def test_a_head_finds_its_encoder_beside_it(toy: Toy, tmp_path: Path) -> None:
    toy.save_pretrained(tmp_path / "whole" / "encoder", weights_status=STATUS)
    (tmp_path / "whole" / "classifier").mkdir()
    assert Toy.from_pretrained(tmp_path / "whole" / "classifier" / "../encoder").fingerprint == toy.fingerprint


def test_an_installed_weights_package_is_found_by_its_name(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.save_pretrained(tmp_path / "rect_pea" / "weights" / "encoder", weights_status=STATUS)
    (tmp_path / "rect_pea" / "__init__.py").write_text("raise RuntimeError('weights packages are never imported')")
    monkeypatch.syspath_prepend(tmp_path)
    found = resolve_source("rect-pea", subfolder="encoder")
    assert found == tmp_path / "rect_pea" / "weights" / "encoder"
    assert Toy.from_pretrained(found).fingerprint == toy.fingerprint


@pytest.fixture
def hub_cache(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The Hub's cache as huggingface_hub lays it out, with one commit of one repository; returns the commit."""
    commit, repository = "c0ffee" + "0" * 34, tmp_path / "cache" / "models--somebody--toy"
    toy.save_pretrained(repository / "snapshots" / commit, weights_status=STATUS)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return commit


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("local_files_only", [True, False])
def test_a_cached_hub_id_loads_offline_and_its_commit_is_known(
    toy: Toy, hub_cache: str, pinned: bool, local_files_only: bool
) -> None:
    again = Toy.from_pretrained(
        "somebody/toy", revision=hub_cache if pinned else None, local_files_only=local_files_only
    )
    assert again.fingerprint == toy.fingerprint
    assert again.origin is not None
    assert again.origin.name == hub_cache


@pytest.mark.usefixtures("hub_cache")
def test_another_revision_than_the_cached_one_is_not_taken_for_it() -> None:
    with pytest.raises(FileNotFoundError, match="somebody/toy at v2 is neither a folder here nor in the Hub's cache"):
        Toy.from_pretrained("somebody/toy", revision="v2")


def test_pushing_offline_says_so_before_anything_is_built(toy: Toy) -> None:
    with pytest.raises(ConnectionError, match=r"HF_HUB_OFFLINE is set: unset it to push somebody/toy, or use save_pr"):
        toy.push_to_hub("somebody/toy", weights_status=STATUS)
