"""rect-eval: scores of chest CT findings, lesions and reports, with the controls that say whether they mean anything.

`import rect_eval` costs nothing, and `rect_eval.label` needs the standard library alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rect_eval.labeler import Labelled, Mention, label
    from rect_eval.run import evaluate

__all__ = ["Labelled", "Mention", "evaluate", "label"]

_HOMES = {"Labelled": "labeler", "Mention": "labeler", "evaluate": "run", "label": "labeler"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("rect-eval")
    if name not in _HOMES:
        raise AttributeError(f"module 'rect_eval' has no attribute {name!r}")
    value = getattr(import_module(f"rect_eval.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
