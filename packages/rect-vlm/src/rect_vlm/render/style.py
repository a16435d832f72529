"""How pictures look: colours, type, and the words on them."""

from functools import cache
from typing import TYPE_CHECKING, Final

from rect_core.types import SYNTHETIC, WeightsStatus

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

Colour = tuple[int, int, int]

GROUND: Final = (15, 17, 21)
PANEL: Final = (0, 0, 0)
INK: Final = (240, 242, 245)
FAINT: Final = (158, 166, 178)
BANNER: Final = (166, 28, 28)

FINDING_COLOURS: Final[dict[str, Colour]] = {
    "pericardial_effusion": (204, 121, 167),
    "pleural_effusion": (86, 180, 233),
    "consolidation": (230, 159, 0),
    "ground_glass_opacity": (0, 190, 140),
    "lung_nodule": (240, 228, 66),
}
"""After Okabe and Ito's palette, which stays distinct with any colour vision; the green is lifted for a dark ground."""

OTHER_COLOURS: Final[tuple[Colour, ...]] = ((213, 94, 0), (120, 140, 255), (255, 255, 255))
"""For findings asked for with a prompt of one's own."""

BANNERS: Final[dict[WeightsStatus, str]] = {
    "untrained": "UNTRAINED WEIGHTS - the outlines are not findings and must not be used",
    "synthetic": f"WEIGHTS {SYNTHETIC.upper()}",
    "clinical-data": "",
}


def colour_of(finding: str, findings: tuple[str, ...]) -> Colour:
    """The colour of a finding; unknown ones take turns in the order asked."""
    if finding in FINDING_COLOURS:
        return FINDING_COLOURS[finding]
    unknown = [name for name in findings if name not in FINDING_COLOURS]
    return OTHER_COLOURS[unknown.index(finding) % len(OTHER_COLOURS)]


def name_of(finding: str) -> str:
    """A finding as it stands in a legend: "ground_glass_opacity" -> "Ground-glass opacity"."""
    name = finding.replace("ground_glass", "ground-glass").replace("_", " ")
    return name[:1].upper() + name[1:]


@cache
def font(size: int) -> "PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont":
    """Pillow's own scalable typeface (Latin-1 only)."""
    from PIL import ImageFont

    return ImageFont.load_default(size=size)


def fitted(draw: "PIL.ImageDraw.ImageDraw", text: str, size: int, width: int) -> str:
    """Text cut to a width in pixels, with an ellipsis where something was left out."""
    if draw.textlength(text, font=font(size)) <= width:
        return text
    while text and draw.textlength(f"{text}...", font=font(size)) > width:
        text = text[:-1]
    return f"{text.rstrip()}..."


def write(draw: "PIL.ImageDraw.ImageDraw", at: tuple[int, int], text: str, size: int, anchor: str = "la") -> None:
    """Light text on a translucent dark plate, readable on any gray; `draw` must blend (mode "RGBA" on an RGB image)."""
    left, top, right, bottom = draw.textbbox(at, text, font=font(size), anchor=anchor)
    pad = max(3, size // 4)
    draw.rounded_rectangle((left - pad, top - pad, right + pad, bottom + pad), radius=pad, fill=(*PANEL, 150))
    draw.text(at, text, font=font(size), fill=INK, anchor=anchor)
