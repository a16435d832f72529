"""The pictures of a report, drawn by matplotlib as inline SVG."""

from rect_eval.output.pictures.canvas import Group, Picture, style
from rect_eval.output.pictures.curves import classification_groups
from rect_eval.output.pictures.forest import forest_groups
from rect_eval.output.pictures.lesions import localization_groups, plain
from rect_eval.scores import Section

__all__ = ["Group", "Picture", "groups", "plain"]


def groups(section: Section) -> list[Group]:
    """All pictures that a section has numbers for. Raises ImportError without matplotlib."""
    with style():
        found = forest_groups(section)
        if section.name == "classification":
            found += classification_groups(section)
        if section.name == "localization":
            found += localization_groups(section)
    return found
