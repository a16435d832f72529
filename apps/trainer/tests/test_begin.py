"""Runs that begin from others, and what they give away."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rect_classifier import Classifier
from rect_encoder import VisionEncoder
from rect_localizer import Localizer
from rect_train.begin import begin
from rect_train.config import DataConfig, OptimConfig, TrainConfig
from rect_train.export import export, status_of
from rect_train.loop import train
from rect_train.run import EVENTS, config_of, continued, origins_of, read_rows
from rect_train.stack import Stack, make_stack
from rect_train.trained import read_trained
from rect_vlm import ReCTVLM
from rect_vlm.presets import Preset


def to(config: TrainConfig, folder: str) -> TrainConfig:
    """The same run in a folder beside its own."""
    return replace(config, output_dir=config.output_dir.parent / folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, store: Path, sizes: Preset) -> Path:
    """A folder with the runs cls (1.1) and loc (1.2, from cls, encoder frozen)."""

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    base = TrainConfig(
        model=sizes,
        phase="1.1",
        steps=2,
        batch_size=4,
        precision="fp32",
        device="cpu",
        output_dir=folder / "cls",
        data=DataConfig(store=store, origin="phantoms", workers=0),
        optim=OptimConfig(ema=0.9),
    )
    train(base)
    train(replace(base, phase="1.2", init=folder / "cls", freeze_vision=True, output_dir=folder / "loc"))
    return folder


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    one, two = a.state_dict(), b.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def filled(config: TrainConfig) -> tuple[Stack, list[str]]:
    stack = make_stack(config)
    return stack, begin(stack, config).lines


def test_a_frozen_encoder_is_the_one_it_began_from(runs: Path) -> None:
    assert same(read_trained(runs / "cls").encoder, read_trained(runs / "loc").encoder)


def test_init_takes_the_averaged_encoder_and_the_heads_that_both_have(runs: Path, config: TrainConfig) -> None:
    cls = read_trained(runs / "cls")
    assert cls.classifier is not None
    stack, lines = filled(replace(config, phase="1.2", init=runs / "cls"))
    assert same(stack.encoder, cls.encoder)
    assert lines == ["encoder begins from cls/step-00000002"]
    stack, lines = filled(replace(config, init=runs / "cls"))
    assert stack.classifier is not None
    assert same(stack.classifier, cls.classifier)
    assert [line.split()[0] for line in lines] == ["encoder", "classifier"]


def test_phase_two_takes_each_part_from_its_run_and_says_so(runs: Path, config: TrainConfig) -> None:
    stack, lines = filled(replace(config, phase1=(runs / "cls", runs / "loc")))
    cls, loc = read_trained(runs / "cls"), read_trained(runs / "loc")
    assert stack.classifier is not None
    assert stack.localizer is not None
    assert cls.classifier is not None
    assert loc.localizer is not None
    assert same(stack.encoder, cls.encoder)
    assert same(stack.classifier, cls.classifier)
    assert same(stack.localizer, loc.localizer)
    assert lines == [
        "encoder begins from cls/step-00000002",
        "classifier begins from cls/step-00000002",
        "localizer begins from loc/step-00000002",
    ]
    with pytest.raises(ValueError, match=r"holds no classifier: give phase 1\.1's run first"):
        filled(replace(config, phase1=(runs / "loc", runs / "cls")))


def test_a_localizer_of_another_encoder_is_said_to_be_one(runs: Path, config: TrainConfig) -> None:
    train(replace(to(config, "own"), phase="1.2", steps=1))
    _, lines = filled(replace(config, phase1=(runs / "cls", to(config, "own").output_dir)))
    assert "it was trained on another encoder" in lines[-1]


def test_another_architecture_is_refused_with_its_sizes(runs: Path, config: TrainConfig) -> None:
    assert config.model is not None
    deeper = replace(config.model, encoder=replace(config.model.encoder, depth=2))
    with pytest.raises(ValueError, match=r"encoder of cls/step-\d+ is of another architecture \(depth 1 -> 2\)"):
        filled(replace(config, model=deeper, init=runs / "cls"))
    for folder in (runs, runs / "none"):
        with pytest.raises(ValueError, match="neither a run nor a folder with encoder/ in it"):
            filled(replace(config, init=folder))


def test_freezing_a_random_encoder_is_refused_before_anything_is_written(config: TrainConfig) -> None:
    with pytest.raises(ValueError, match="--freeze-vision would freeze a random encoder: give --init RUN"):
        train(replace(config, freeze_vision=True))
    assert not config.output_dir.exists()


def test_a_resumed_run_keeps_its_beginning_without_being_told_again(runs: Path) -> None:
    before = config_of(runs / "loc")
    assert before.init == runs / "cls"
    assert continued(replace(before, init=None)) == before


def test_a_run_with_all_parts_is_exported_as_one_model(runs: Path, config: TrainConfig, tmp_path: Path) -> None:
    run = replace(config, steps=2, phase1=(runs / "cls", runs / "loc"))
    train(run)
    lines = [row["said"] for row in read_rows(run.output_dir / EVENTS)]
    assert "localizer begins from loc/step-00000002" in lines
    assert export(run.output_dir, tmp_path / "out") == ("encoder", "classifier", "localizer")
    model, trained = ReCTVLM.from_pretrained(tmp_path / "out"), read_trained(run.output_dir)
    assert model.weights_status == "synthetic"
    assert same(model.encoder, trained.encoder), "the averaged weights"
    seals = (model.classifier.config.encoder_fingerprint, model.localizer.config.encoder_fingerprint)
    assert seals == (model.encoder.fingerprint, model.encoder.fingerprint)
    shape = run.sizes.encoder.grid.shape
    voxels = torch.full((1, 1, *shape), -1.0)
    regions = torch.zeros((1, *shape), dtype=torch.uint8)
    valid = torch.tensor([[[0, n] for n in shape]])
    tokens = model.encoder(voxels, regions, valid)
    assert trained.classifier is not None
    assert torch.equal(model.classifier(tokens), trained.classifier(tokens))
    assert model.localizer(voxels, tokens).shape == (1, 5, *shape)
    with pytest.raises(ValueError, match="out is not empty"):
        export(run.output_dir, tmp_path / "out")
    other, _ = filled(replace(config, init=tmp_path / "out"))
    assert same(other.encoder, model.encoder), "an export is a beginning too"


def test_a_run_of_one_task_gives_its_parts_alone(runs: Path, tmp_path: Path) -> None:
    assert export(runs / "cls", tmp_path / "cls") == ("encoder", "classifier")
    assert export(runs / "loc", tmp_path / "loc", checkpoint="last") == ("encoder", "localizer")
    encoder = VisionEncoder.from_pretrained(tmp_path / "cls")
    assert Classifier.from_pretrained(tmp_path / "cls").config.encoder_fingerprint == encoder.fingerprint
    assert Localizer.from_pretrained(tmp_path / "loc").config.encoder_fingerprint == encoder.fingerprint, "frozen"


def test_a_damaged_checkpoint_is_not_exported(config: TrainConfig, tmp_path: Path) -> None:
    train(replace(config, steps=1))
    with pytest.raises(ValueError, match="checkpoint step-00000009 of run is damaged"):
        export(config.output_dir, tmp_path / "out", checkpoint="step-00000009")
    shutil.copytree(config.output_dir / "checkpoints" / "step-00000001", config.output_dir / "checkpoints" / "step-2")
    (config.output_dir / "checkpoints" / "step-2" / "state.json").unlink()
    with pytest.raises(ValueError, match="run: the last checkpoint is damaged: --resume the run first, or name step-0"):
        export(config.output_dir, tmp_path / "out")
    shutil.rmtree(config.output_dir / "checkpoints" / "step-2")
    (config.output_dir / "checkpoints" / "step-00000001" / "state.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="run has no whole checkpoint"):
        export(config.output_dir, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_status_of_weights_follows_from_the_scans_they_have_seen(runs: Path, config: TrainConfig) -> None:
    assert status_of({"phantoms"}, None) == "synthetic"
    assert status_of({"phantoms", "clinical"}, None) == "clinical-data", "one clinical scan is enough"
    assert status_of({"unknown"}, "clinical-data") == "clinical-data"
    with pytest.raises(ValueError, match="give --weights-status"):
        status_of({"phantoms", "unknown"}, None)
    with pytest.raises(ValueError, match="have seen clinical and phantoms scans"):
        status_of({"phantoms", "clinical"}, "synthetic")
    clinical = replace(config, phase="1.1", steps=1, init=runs / "cls", data=replace(config.data, origin="clinical"))
    train(clinical)
    assert origins_of(clinical.output_dir) == {"phantoms", "clinical"}
