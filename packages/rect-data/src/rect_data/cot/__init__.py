"""Reasoning in steps, written by a language model from described findings and reports, checked, joined."""

from rect_data.cot.join import join

__all__ = ["join"]
