"""The page around the pictures: header, banner, rows of panels, legend, closing line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rect_core.types import WeightsStatus
from rect_vlm.render.style import BANNER, BANNERS, FAINT, GROUND, INK, Colour, fitted, font

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageDraw

EDGE = 28
GAP = 10
CLOSING = "Research software, not a medical device."


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One legend entry: a swatch, a name, and a second line."""

    colour: Colour
    name: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """What stands on a page. rows: a heading and its panels, laid out in lines of `columns`."""

    title: str
    subtitle: str
    status: WeightsStatus
    rows: Sequence[tuple[str, Sequence["PIL.Image.Image"]]]
    columns: int
    legend: Sequence[Entry]
    notes: Sequence[str]
    legend_columns: int = 5

    @property
    def _entry_px(self) -> int:
        return 68 if any(entry.note for entry in self.legend) else 40

    def draw(self) -> "PIL.Image.Image":
        """The page in RGB, as wide as its widest line of panels."""
        from PIL import Image, ImageDraw

        page = Image.new("RGB", (self._width(), self._height()), GROUND)
        pen = ImageDraw.Draw(page)
        y = self._header(pen, page.width)
        for heading, panels in self.rows:
            pen.text((EDGE, y + 8), heading, font=font(22), fill=INK)
            y = self._panels(page, panels, y + 42)
        y = self._legend(pen, page.width, y + 14)
        for note in (*self.notes, CLOSING):
            pen.text((EDGE, y), fitted(pen, note, 18, page.width - 2 * EDGE), font=font(18), fill=FAINT)
            y += 26
        return page

    def _width(self) -> int:
        lines = [line for _, panels in self.rows for line in _lines(panels, self.columns)]
        widest = max(sum(p.width for p in line) + GAP * (len(line) - 1) for line in lines)
        return widest + 2 * EDGE

    def _height(self) -> int:
        lines = [line for _, panels in self.rows for line in _lines(panels, self.columns)]
        panels = sum(max(p.height for p in line) + GAP for line in lines) + 42 * len(self.rows)
        legend = self._entry_px * -(-len(self.legend) // self.legend_columns)
        banner = 62 if BANNERS[self.status] else 0
        return 90 + banner + panels + 14 + legend + 26 * (len(self.notes) + 1) + EDGE // 2

    def _header(self, pen: "PIL.ImageDraw.ImageDraw", width: int) -> int:
        room = width - 2 * EDGE
        half = round(room * 0.5)
        pen.text((EDGE, 24), fitted(pen, self.title, 36, half), font=font(36), fill=INK)
        subtitle = fitted(pen, self.subtitle, 22, room - half - EDGE)
        pen.text((width - EDGE, 62), subtitle, font=font(22), fill=FAINT, anchor="rs")
        if not (words := BANNERS[self.status]):
            return 82
        pen.rectangle((0, 84, width, 84 + 48), fill=BANNER)
        size = 28
        while size > 14 and pen.textlength(words, font=font(size)) > room:
            size -= 1
        pen.text((width // 2, 84 + 24), words, font=font(size), fill=(255, 255, 255), anchor="mm")
        return 82 + 62

    def _panels(self, page: "PIL.Image.Image", panels: Sequence["PIL.Image.Image"], y: int) -> int:
        for line in _lines(panels, self.columns):
            x = EDGE
            for picture in line:
                page.paste(picture, (x, y))
                x += picture.width + GAP
            y += max(picture.height for picture in line) + GAP
        return y

    def _legend(self, pen: "PIL.ImageDraw.ImageDraw", width: int, y: int) -> int:
        step = (width - 2 * EDGE) // self.legend_columns
        for n, entry in enumerate(self.legend):
            x, top = EDGE + step * (n % self.legend_columns), y + self._entry_px * (n // self.legend_columns)
            pen.rounded_rectangle((x, top + 3, x + 24, top + 27), radius=4, fill=entry.colour)
            pen.text((x + 34, top), fitted(pen, entry.name, 22, step - 44), font=font(22), fill=INK)
            pen.text((x + 34, top + 29), fitted(pen, entry.note, 18, step - 44), font=font(18), fill=FAINT)
        return y + self._entry_px * -(-len(self.legend) // self.legend_columns)


def _lines(panels: Sequence["PIL.Image.Image"], columns: int) -> list[Sequence["PIL.Image.Image"]]:
    return [panels[i : i + columns] for i in range(0, len(panels), columns)]
