"""rect-classifier: scores the 18 CT-RATE findings of a chest CT from text prompts."""

from rect_classifier.api import classify
from rect_classifier.calibration import to_scores
from rect_classifier.config import ClassifierConfig
from rect_classifier.loss import masked_asymmetric, masked_bce
from rect_classifier.model import Classifier

__all__ = ["Classifier", "ClassifierConfig", "classify", "masked_asymmetric", "masked_bce", "to_scores"]
