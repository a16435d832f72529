"""Small drawings as inline SVG: colours are those of the page, text is text, the same numbers give the same bytes."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stand-ins: the page gives the colours, so that a picture follows light, dark and paper.
INK, MUTED, LINE, PAPER, ACCENT, FLOOR, CEILING = (f"#0a0b{n:02x}" for n in range(1, 8))
_VARIABLES: Final = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    PAPER: "--paper",
    ACCENT: "--accent",
    FLOOR: "--floor",
    CEILING: "--ceiling",
}
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.hashsalt": "rect-eval",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 1.0,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "path.simplify": True,
    "path.simplify_threshold": 0.5,
    "savefig.facecolor": "none",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One drawing. svg: safe to put into a page; title, note: text that is not escaped yet."""

    svg: str
    title: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Pictures of one kind. kind: how they stand on the page: small ones in a grid, a pair, or one over the width."""

    title: str
    about: str
    pictures: tuple[Picture, ...]
    kind: Literal["grid", "pair", "wide"] = "grid"


@contextmanager
def style() -> Iterator[None]:
    """matplotlib as the pictures need it, whatever the user's own settings are.

    Raises ImportError where it is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError("The `matplotlib` package draws the pictures: pip install 'rect-eval[plots]'") from error
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # measured only: the browser has the fonts
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def sheet(width: float, height: float, margins: tuple[float, float, float, float]) -> "tuple[Figure, Axes]":
    """A figure with one set of axes, in CSS pixels. margins: left, right, top, bottom."""
    from matplotlib.figure import Figure

    left, right, top, bottom = margins
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    return figure, figure.add_axes(box)


def unit_axes(axes: "Axes", x: str, y: str) -> None:
    """Axes from 0 to 1 with little more room than that."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y)
    axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.xaxis.labelpad = axes.yaxis.labelpad = 1.0


def to_svg(figure: "Figure", name: str, described: str) -> str:
    """A figure as an <svg> element for an HTML page. name: unique on the page; described: read aloud in its place."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    return _inline(buffer.getvalue(), re.sub(r"[^a-z0-9]+", "-", name.lower()), described)


def _inline(text: str, name: str, described: str) -> str:
    body = text[text.index("<svg") :]
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)
    if size is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = body[body.index(">") + 1 :].replace("xlink:href=", "href=")
    body = _names(body, name)
    body = re.sub(r" transform=\"rotate\(-?0 [^)]*\)\"", "", body)
    body = re.sub(r' (d|x|y)="[^"]*"', lambda m: re.sub(r"\d+\.\d+", _short, m[0]), body)
    body = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    head = (
        f'<svg viewBox="0 0 {size[1]} {size[2]}" width="{size[1]}" height="{size[2]}" role="img" '
        f'aria-label="{escape(described)}">'
    )
    return head + "\n".join(line.strip() for line in body.splitlines() if line.strip())


def _names(body: str, name: str) -> str:
    """Ids that something refers to get the picture's name before them; the others go."""
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    return re.sub(r'(url\(|href=")#', rf"\1#{name}-", body)


def _short(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
