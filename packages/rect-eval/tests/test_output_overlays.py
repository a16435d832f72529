"""Pictures of cases on the page: few, small, each once, and never a reason to lose a report."""

import base64
import io
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from rect_eval.output.html.overlays import BUDGET, MOST, Overlays


def folder(root: Path, name: str, width: int, height: int) -> Path:
    """A prediction folder with a noisy overlay.png, which no compression makes small."""
    image = pytest.importorskip("PIL.Image")
    (root / name).mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    image.fromarray(noise).save(root / name / "overlay.png")
    return root / name


def embedded(markup: str) -> tuple[str, bytes]:
    found = re.search(r'src="data:image/(\w+);base64,([^"]+)"', markup)
    assert found is not None, markup
    return found[1], base64.b64decode(found[2])


def test_a_large_picture_becomes_a_small_jpeg(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    kind, data = embedded(Overlays().picture("<case>", folder(tmp_path, "a", 1400, 700)))
    assert kind == "jpeg"
    assert image.open(io.BytesIO(data)).size == (900, 450)
    assert len(data) < (tmp_path / "a" / "overlay.png").stat().st_size / 4


def test_a_small_picture_keeps_its_size_and_names_are_escaped(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    markup = Overlays().picture("<case>", folder(tmp_path, "a", 40, 30))
    assert image.open(io.BytesIO(embedded(markup)[1])).size == (40, 30)
    assert "<case>" not in markup


def test_a_page_has_each_picture_once_and_no_more_than_six(tmp_path: Path) -> None:
    place, overlays = folder(tmp_path, "a", 8, 8), Overlays()
    made = [overlays.picture(f"case {k}", place) for k in range(MOST + 2)]
    assert ["<img" in markup for markup in made] == [True] * MOST + [False] * 2
    assert f"{MOST} pictures keep this page small" in made[-1]
    assert "stands above" in overlays.picture("case 0", place)


def test_without_pillow_pictures_stay_as_they_are_within_a_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder(tmp_path, "a", 800, 600)
    content = (place / "overlay.png").read_bytes()
    monkeypatch.setitem(sys.modules, "PIL", None)
    overlays = Overlays()
    made = [overlays.picture(f"case {k}", place) for k in range(MOST)]
    assert embedded(made[0]) == ("png", content)
    assert sum("<img" in markup for markup in made) == BUDGET // len(content) < MOST
    assert "above 4 MB of pictures" in made[-1]


def test_what_is_no_picture_is_told_and_takes_no_room(tmp_path: Path) -> None:
    place, overlays = folder(tmp_path, "a", 8, 8), Overlays()
    whole = (place / "overlay.png").read_bytes()
    told = {
        b"": "is no PNG",
        b"GIF89a": "is no PNG",
        whole[:20]: "is no PNG",
        whole[:60]: "is damaged",
        whole[:16] + struct.pack(">II", 60_000, 60_000) + whole[24:]: "has 60000 x 60000 pixels",
    }
    for content, words in told.items():
        (place / "overlay.png").write_bytes(content)
        assert words in overlays.picture("case", place)
    (place / "overlay.png").unlink()
    assert "has no overlay.png" in overlays.picture("case", place)
    assert "<img" in overlays.picture("case", folder(tmp_path, "b", 8, 8))
