"""What prediction folders say about the weights they come from: scores of untrained weights mean nothing."""

import json
from collections import Counter
from pathlib import Path

from rect_core.errors import DataError
from rect_eval.cases import Pairs

_MEANING = {
    "untrained": "come from untrained weights: nothing that was found is true, and no score here says anything.",
    "synthetic": "come from weights that were trained on synthetic phantoms only.",
}


def weights_warnings(pairs: Pairs) -> list[str]:
    """A sentence for each kind of weights that no statement about patients can rest on."""
    found = Counter(_status(p.folder / "findings.json") for p in pairs.predictions if p is not None and p.folder)
    return [f"{found[status]} of {len(pairs)} predictions {text}" for status, text in _MEANING.items() if found[status]]


def _status(path: Path) -> str:
    if not path.is_file():
        return ""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path.parent.name}/{path.name}: no JSON in UTF-8 ({error}): predict this case again"
        ) from error
    return str(data.get("weights_status", "")) if isinstance(data, dict) else ""
