"""Text on its way into a page."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that HTML cannot hold: they are shown as the replacement character."""


def safe(text: object) -> str:
    """Text, escaped for content and for attributes in double quotes."""
    return escape(_CONTROL.sub("\ufffd", str(text)), quote=True)


def isolated(text: object) -> str:
    """Text of somebody else's, which can neither be markup nor turn the direction of what stands around it."""
    return f"<bdi>{safe(text)}</bdi>"


def tag(name: str, content: str, **attributes: str) -> str:
    """An element around content that is markup already. kind= is written as class=; values are escaped."""
    written = "".join(
        f' {"class" if key == "kind" else key.replace("_", "-")}="{safe(value)}"'
        for key, value in attributes.items()
        if value
    )
    return f"<{name}{written}>{content}</{name}>"


def paragraphs(texts: Iterable[str], kind: str = "") -> str:
    """One paragraph a text."""
    return "".join(tag("p", safe(text), kind=kind) for text in texts)


def bullets(texts: Iterable[str]) -> str:
    """A list of sentences, or nothing where there are none."""
    items = "".join(tag("li", safe(text)) for text in texts)
    return tag("ul", items) if items else ""


def facts(pairs: Mapping[str, str]) -> str:
    """Names with their values (markup) as a definition list."""
    return tag(
        "dl",
        "".join(f"<div>{tag('dt', safe(key))}{tag('dd', value)}</div>" for key, value in pairs.items()),
        kind="facts",
    )


def table(head: Sequence[str], rows: Iterable[str], kind: str, caption: str) -> str:
    """Rows of markup under named columns, in a box of its own that can be scrolled. caption: text, may be empty."""
    cells = "".join(tag("th", name, scope="col") for name in head)
    body = "\n".join(rows)
    title = tag("caption", safe(caption)) if caption else ""
    grid = f"<table>{title}<thead><tr>{cells}</tr></thead><tbody>\n{body}\n</tbody></table>"
    return tag("div", grid, kind=f"scroll {kind}", tabindex="0", role="region", aria_label=caption or kind)
