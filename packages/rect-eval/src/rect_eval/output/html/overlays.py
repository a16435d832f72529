"""The pictures of prediction folders, small enough for a page that is sent by mail."""

import base64
import io
import struct
from pathlib import Path
from typing import Final

from rect_eval.output.html.text import safe, tag

MOST: Final = 6
BUDGET: Final = 4 << 20
"""Bytes of all pictures of a page."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_WIDTH: Final = 900
_QUALITY: Final = 82
_MOST_BYTES: Final = 16 << 20
_MOST_PIXELS: Final = 50_000_000
_HEAD: Final = struct.Struct(">16xII")
"""Where a PNG says how wide and high it is."""


class Overlays:
    """Embeds a case's overlay.png once a page, and no more than MOST of them within BUDGET; says what it leaves out.

    With Pillow (matplotlib brings it) a picture becomes a JPEG of at most 900 pixels across; else it stays as it is.
    """

    def __init__(self) -> None:
        self._shown: set[str] = set()
        self._bytes = 0

    def picture(self, case_id: str, folder: Path) -> str:
        """An <img>, or a sentence in its place."""
        if case_id in self._shown:
            return _quiet("Its picture stands above.")
        source = folder / "overlay.png"
        if not source.is_file():
            return _quiet("The prediction folder has no overlay.png.")
        if len(self._shown) >= MOST:
            return _quiet(f"{MOST} pictures keep this page small: see overlay.png in the prediction folder.")
        kind, data = _encoded(source)
        if not data:
            return _quiet(f"overlay.png {kind} and is not embedded.")
        if self._bytes + len(data) > BUDGET:
            return _quiet(
                f"Its picture would bring this page above {BUDGET >> 20} MB of pictures: see overlay.png in the "
                "prediction folder."
            )
        self._shown.add(case_id)
        self._bytes += len(data)
        address = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        return f'<img src="{address}" alt="{safe(f"Slices of {case_id} with the predicted outlines")}" loading="lazy">'


def _encoded(path: Path) -> tuple[str, bytes]:
    """A picture's kind and bytes; or what is wrong with it, and none."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        return f"cannot be read ({error.strerror})", b""
    if len(data) > _MOST_BYTES:
        return f"has more than {_MOST_BYTES >> 20} MB", b""
    if not data.startswith(_PNG) or len(data) < _HEAD.size:
        return "is no PNG", b""
    width, height = _HEAD.unpack_from(data)
    if width * height > _MOST_PIXELS:
        return f"has {width} x {height} pixels", b""
    try:
        from PIL import Image
    except ImportError:
        return "png", data
    try:
        picture = Image.open(io.BytesIO(data), formats=["PNG"]).convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return "is damaged", b""
    if width > _WIDTH:
        picture = picture.resize((_WIDTH, max(1, round(height * _WIDTH / width))), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "jpeg", buffer.getvalue()


def _quiet(text: str) -> str:
    return tag("p", safe(text), kind="quiet")
