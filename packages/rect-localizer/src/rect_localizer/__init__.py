"""rect-localizer: outlines and measures five findings in a chest CT."""

from rect_localizer.api import localize, outline_points
from rect_localizer.config import LocalizerConfig
from rect_localizer.denoiser import restoration_loss
from rect_localizer.lesions import MIN_VOLUME_ML, THRESHOLD, measure
from rect_localizer.loss import outline_loss
from rect_localizer.model import Localizer, Outline
from rect_localizer.prompts import PromptTokens, corrupt

__all__ = [
    "MIN_VOLUME_ML",
    "THRESHOLD",
    "Localizer",
    "LocalizerConfig",
    "Outline",
    "PromptTokens",
    "corrupt",
    "localize",
    "measure",
    "outline_loss",
    "outline_points",
    "restoration_loss",
]
