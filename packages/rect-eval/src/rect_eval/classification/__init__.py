"""Scores of the 18 labels: ranking, decisions, calibration, the VLM3D challenge's own, and the section of all of them.

Every function here takes labels[n k] (0, 1 or NaN for unknown, which is left out label by label) and scores[n k] or
decisions[n k], and gives one value a label; reshape to one column to pool the cells ("micro"). CRG, one number for
all labels, is in `rect_eval.classification.crg`.
"""

from rect_eval.classification.confusion import Counts, Decisions, accuracy, count, f1, precision, recall, specificity
from rect_eval.classification.probability import brier, ece, reliability
from rect_eval.classification.ranking import (
    Ranking,
    auroc,
    average_precision,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)
from rect_eval.classification.section import OPTIMISTIC, classify_section
from rect_eval.classification.statistic import METRICS, WHOLE, ClassificationScores
from rect_eval.classification.vlm3d import vlm3d_scores

__all__ = [
    "METRICS",
    "OPTIMISTIC",
    "WHOLE",
    "ClassificationScores",
    "Counts",
    "Decisions",
    "Ranking",
    "accuracy",
    "auroc",
    "average_precision",
    "brier",
    "classify_section",
    "count",
    "ece",
    "f1",
    "precision",
    "recall",
    "reliability",
    "sensitivity_at_specificity",
    "specificity",
    "specificity_at_sensitivity",
    "vlm3d_scores",
]
