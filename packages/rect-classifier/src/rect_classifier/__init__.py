"""rect-classifier: scores the 18 CT-RATE findings of a chest CT from text prompts."""

from rect_classifier.api import classify, operating_points
from rect_classifier.calibration import Threshold, to_scores
from rect_classifier.config import ClassifierConfig
from rect_classifier.loss import masked_asymmetric, masked_bce
from rect_classifier.model import Classifier

__all__ = [
    "Classifier",
    "ClassifierConfig",
    "Threshold",
    "classify",
    "masked_asymmetric",
    "masked_bce",
    "operating_points",
    "to_scores",
]
