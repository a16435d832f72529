"""A report with what the labeler read marked in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rect_core.findings import LABELS
from rect_eval.output.html.text import safe, tag

if TYPE_CHECKING:
    from rect_eval.labeler import Mention


def marked(text: str) -> str:
    """The text, escaped, with a mark around each finding that the rules read: present, absent or uncertain."""
    from rect_eval.labeler import label

    mentions = [m for m in label(text).mentions if m.state != "not mentioned"]
    parts, at = [], 0
    for mention in _apart(mentions):
        start, end = mention.span
        told = f"{mention.label}: {mention.state}" + (" (in the past)" if mention.historical else "")
        parts += [safe(text[at:start]), tag("mark", safe(text[start:end]), kind=mention.state, title=told)]
        at = end
    return "".join([*parts, safe(text[at:])])


def _apart(mentions: "Sequence[Mention]") -> "list[Mention]":
    """Mentions in the order of the text, without those that begin inside an earlier one."""
    kept: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: (m.span[0], -m.span[1])):
        if mention.span[0] < mention.span[1] and (not kept or mention.span[0] >= kept[-1].span[1]):
            kept.append(mention)
    return kept


def differences(reference: str, generated: str) -> str:
    """In words: which labels one of two reports has and the other has not."""
    from rect_eval.labeler import label

    real, said = label(reference).decided(), label(generated).decided()
    missed = [name for name, r, s in zip(LABELS, real, said, strict=True) if r and not s]
    added = [name for name, r, s in zip(LABELS, real, said, strict=True) if s and not r]
    both = [name for name, r, s in zip(LABELS, real, said, strict=True) if s and r]
    parts = [
        ("Agreed", both, "agreed"),
        ("Left out", missed, "missed"),
        ("Only in the generated report", added, "added"),
    ]
    lines = [
        f"<b>{title}</b> {tag('span', safe(', '.join(found)), kind=kind)}" for title, found, kind in parts if found
    ]
    return tag("p", "<br>".join(lines) or "Neither report has any of the 18 findings.", kind="differences")
