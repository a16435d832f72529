"""Predictions and references from files, refused in one line where they cannot be scored, and matched by name."""

from rect_eval.io.match import match
from rect_eval.io.predictions import read_predictions
from rect_eval.io.truth import Truths, read_truth

__all__ = ["Truths", "match", "read_predictions", "read_truth"]
