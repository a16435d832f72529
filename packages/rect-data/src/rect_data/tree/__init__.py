"""Phantoms on disk, in CT-RATE's own layout."""

from rect_data.tree.make import make_tree

__all__ = ["make_tree"]
