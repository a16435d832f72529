"""Which labeler reads the reports."""

from difflib import get_close_matches
from pathlib import Path

from rect_core.errors import DataError
from rect_eval.reports.ce import Reader, rules_reader


def reader(name: str) -> tuple[Reader, str]:
    """A labeler and its name: "rules", the file of a TextClassifier, or a folder of RadBERT weights."""
    if name == "rules":
        return rules_reader, "rules"
    path = Path(name)
    if path.is_dir():
        from rect_eval.radbert import RadBert

        return RadBert(path), f"RadBERT ({path.absolute().name})"
    if path.is_file():
        from rect_eval.text_classifier import TextClassifier

        return TextClassifier.load(path), f"text classifier ({path.name})"
    near = " (did you mean rules?)" if get_close_matches(name.lower(), ["rules"], cutoff=0.5) else ""
    raise DataError(f"labeler {path.name!r} is neither rules nor a file or folder{near}: give one of these")
