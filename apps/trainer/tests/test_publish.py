"""tools/publish_weights.py and tools/download_weights.py: what is refused, what would go where, and the way back."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rect_classifier import Classifier
from rect_core.hub_upload import upload
from rect_encoder import VisionEncoder
from rect_train.publish import plan
from rect_vlm import ReCTVLM
from rect_vlm.fetch import fetch
from rect_vlm.presets import Preset

Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    """An export that a test may spoil."""
    return Path(shutil.copytree(exported, tmp_path / "weights"))


def test_a_dry_run_says_files_sizes_fingerprints_and_repositories(exported: Path, tool: Tool) -> None:
    code, out, err = tool("publish_weights", exported, "--all", "--repo-prefix", "somebody/ct")
    assert (code, err) == (0, "")
    seals = ReCTVLM.from_pretrained(exported).fingerprints
    for repo in ("somebody/ct-encoder", "somebody/ct-classifier", "somebody/ct-localizer", "somebody/ct"):
        assert f"{repo}: " in out
    assert "somebody/ct-reporter" not in out
    size = (exported / "localizer" / "model.safetensors").stat().st_size
    assert f"localizer/model.safetensors {size:>20,} bytes".split() == next(
        line.split() for line in out.splitlines() if "localizer/model.safetensors" in line
    )
    assert all(f"fingerprint of {part}: {seal}" in out for part, seal in seals.items())
    assert out.endswith("dry run: nothing was uploaded; add --push\n")


def test_pushing_offline_stops_with_one_line_before_anything_leaves(exported: Path, tool: Tool) -> None:
    words = ("publish_weights", exported, "--encoder", "--repo-prefix", "somebody/ct")
    for push in ("--push", "--no-dry-run"):
        code, _, err = tool(*words, push)
        assert (code, err) == (2, "error: HF_HUB_OFFLINE is set: unset it to upload to somebody/ct\n")


def test_a_hub_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    with pytest.raises(ConnectionError, match=r"^somebody/ct: the Hub cannot be reached \(ConnectError\): check the"):
        upload("somebody/ct", {"a.txt": b"a"}, message="one", endpoint="http://127.0.0.1:9")


def test_a_head_alone_names_the_published_encoder_and_still_loads(exported: Path, tmp_path: Path) -> None:
    found = plan(exported, ["classifier"], "somebody/ct")
    assert [upload.repo_id for upload in found] == ["somebody/ct-classifier"]
    assert {"README.md", "config.json", "model.safetensors", "operating_points.json"} == found[0].files.keys()
    assert found[0].notes == ("it reads the tokens of somebody/ct-encoder, which has to be published too",)
    for name, content in found[0].files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    head = Classifier.from_pretrained(tmp_path)
    assert head.config.encoder == "somebody/ct-encoder"
    assert head.fingerprint == Classifier.from_pretrained(exported).fingerprint
    assert plan(exported, ["encoder"], "somebody/ct")[0].files["config.json"] == exported / "encoder" / "config.json"


def test_nothing_but_the_files_of_a_component_is_published(copy: Path) -> None:
    (copy / "patients.csv").write_text("secret")
    (copy / "encoder" / "notes.txt").write_text("secret")
    names = {name for upload in plan(copy, ["encoder"], "a/b", whole=True) for name in upload.files}
    assert not [name for name in names if "patients" in name or "notes" in name]


def spoil_status(copy: Path) -> None:
    path = copy / "encoder" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "weights_status": "untrained"}))


def spoil_encoder(copy: Path) -> None:
    encoder = VisionEncoder.untrained(VisionEncoder.from_pretrained(copy).config, seed=5)
    text = (copy / "encoder" / "README.md").read_text(encoding="utf-8")
    encoder.save_pretrained(copy / "encoder", weights_status="synthetic", card=text)


def spoil_weights(copy: Path) -> None:
    path = copy / "encoder" / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 64]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_status, "weights/encoder is untrained: random numbers are not published"),
        (spoil_encoder, "weights/classifier belongs to encoder"),
        (spoil_weights, "has fingerprint"),
        (lambda copy: (copy / "classifier" / "README.md").unlink(), "classifier/README.md is missing or names no lic"),
        (lambda copy: (copy / "README.md").write_text("# ReCT"), "weights/README.md is missing or names no licence"),
        (lambda copy: shutil.rmtree(copy / "localizer"), "weights holds no localizer, only encoder, classifier"),
    ],
)
def test_what_should_not_be_published_is_refused(
    copy: Path, spoil: Callable[[Path], None], message: str, tool: Tool
) -> None:
    spoil(copy)
    code, out, err = tool("publish_weights", copy, "--all", "--repo-prefix", "somebody/ct", "--push")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_bad_usage_of_the_publisher_is_one_line(exported: Path, tmp_path: Path, tool: Tool) -> None:
    assert "give ORG/NAME" in tool("publish_weights", exported, "--encoder", "--repo-prefix", "ct")[2]
    assert "nothing to publish: give --encoder" in tool("publish_weights", exported, "--repo-prefix", "a/b")[2]
    assert "holds no reporter" in tool("publish_weights", exported, "--reporter", "--repo-prefix", "a/b")[2]
    assert "holds no encoder, only no weights" in tool("publish_weights", tmp_path, "--all", "--repo-prefix", "a/b")[2]


def test_weights_come_back_from_a_folder_that_stands_in_for_the_hub(exported: Path, tmp_path: Path, tool: Tool) -> None:
    seals = ReCTVLM.from_pretrained(exported).fingerprints
    code, out, err = tool("download_weights", "--all", "--repo", exported, "--out", tmp_path / "all")
    assert (code, err) == (0, "")
    assert all(seal in out for seal in seals.values())
    assert ReCTVLM.from_pretrained(tmp_path / "all").fingerprints == seals
    assert (tmp_path / "all" / "README.md").read_bytes() == (exported / "README.md").read_bytes()
    assert ReCTVLM.from_pretrained(tmp_path / "all").points is not None
    assert tool("download_weights", "--vision-encoder", "--repo", exported, "--out", tmp_path / "one")[0] == 0
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["README.md", "encoder"]
    single = exported / "encoder"
    assert fetch(single, tmp_path / "two") == {"encoder": seals["encoder"]}, "a repository of one component"
    assert tool("download_weights", "--full-model", "--repo", exported, "--out", tmp_path / "all")[0] == 2
    assert tool("download_weights", "--full-model", "--repo", exported, "--out", tmp_path / "all", "--force")[0] == 0


@pytest.mark.parametrize("spoil", [spoil_encoder, spoil_weights])
def test_weights_that_do_not_belong_together_are_never_put_in_place(
    copy: Path, spoil: Callable[[Path], None], tmp_path: Path, tool: Tool
) -> None:
    spoil(copy)
    code, out, err = tool("download_weights", "--all", "--repo", copy, "--out", tmp_path / "out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


def test_bad_usage_of_the_downloader_is_one_line(exported: Path, tmp_path: Path, tool: Tool) -> None:
    def refused(*words: str | Path) -> str:
        code, out, err = tool("download_weights", "--out", tmp_path / "out", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert not (tmp_path / "out").exists()
        return err

    assert "give --all, --full-model, --vision-encoder" in refused("--repo", exported)
    assert "no weights of ours are on the Hub yet: give --repo" in refused("--all")
    assert "holds no reporter, only encoder, classifier, localizer" in refused("--reporter", "--repo", exported)
    assert "holds no weights" in refused("--all", "--repo", tmp_path)
    assert "revision 'v1' belongs to a Hub id" in refused("--all", "--repo", exported, "--revision", "v1")
    assert "the Hub was not asked or not reached" in refused("--all", "--repo", "somebody/nothing-here")
    assert "none were ever published there" in refused("--all", "--repo", "NEWMES-AI/ReCT-VLM-Large")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    assert "so it stays" in tool("download_weights", "--all", "--repo", exported, "--out", mine, "--force")[2]


def test_untrained_weights_are_refused_by_their_status_and_not_by_their_name(
    sizes: Preset, tmp_path: Path, tool: Tool
) -> None:
    for part, module in (("encoder", VisionEncoder.untrained(sizes.encoder)),):
        module.save_pretrained(tmp_path / "new" / part, weights_status="untrained")
    assert "is untrained" in tool("publish_weights", tmp_path / "new", "--encoder", "--repo-prefix", "a/b")[2]
