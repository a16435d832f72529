"""How well lesions are outlined: overlap, surface distances, lesion-wise scores and what the model grid allows."""

from rect_eval.localization.matching import match_lesions
from rect_eval.localization.overlap import dice, iou, precision, sensitivity
from rect_eval.localization.section import localize_section
from rect_eval.localization.surface import hd95, nsd

__all__ = ["dice", "hd95", "iou", "localize_section", "match_lesions", "nsd", "precision", "sensitivity"]
