"""ReCT-VLM: one chest CT in; findings, measured lesions and a report with evidence out."""

from rect_vlm.model import ReCTVLM
from rect_vlm.prediction import Prediction

__all__ = ["Prediction", "ReCTVLM"]
