"""The wheel is data: three components in bfloat16 that say of themselves what they have seen."""

import json
import struct
from importlib.resources import files
from pathlib import Path

import pytest

WEIGHTS = Path(str(files("rect_tiny"))) / "weights"
PARTS = ("encoder", "classifier", "localizer")


def config(part: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((WEIGHTS / part / "config.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("part", PARTS)
def test_a_component_is_bfloat16_and_says_synthetic(part: str) -> None:
    assert config(part)["weights_status"] == "synthetic"
    with (WEIGHTS / part / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    kinds = {entry["dtype"] for name, entry in header.items() if name != "__metadata__"}
    assert "BF16" in kinds
    assert not {"F32", "F64"} & kinds


@pytest.mark.parametrize("card", ["README.md", *(f"{part}/README.md" for part in PARTS)])
def test_every_card_says_what_the_weights_were_trained_on(card: str) -> None:
    assert "Trained on synthetic phantoms; not for clinical use." in (WEIGHTS / card).read_text("utf-8")


def test_heads_name_their_encoder() -> None:
    seals = [config(part)["config"]["encoder_fingerprint"] for part in PARTS[1:]]  # type: ignore[index]
    assert seals == [config("encoder")["fingerprint"]] * 2


def test_the_wheel_stays_small_and_holds_no_pickle() -> None:
    found = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in found) < 25_000_000
    assert {path.suffix for path in found} == {".json", ".md", ".safetensors"}
