"""Synthetic chest CTs in which all 18 labels are drawn as what they are, with full truth."""

from rect_data.phantom.case import Case
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.generate import generate
from rect_data.phantom.insert import Insertion, insert

__all__ = ["Case", "Insertion", "PhantomConfig", "generate", "insert"]
