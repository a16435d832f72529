"""Operating points, fitted here: calibration and cuts (`rect_core.types.OperatingPoints`), which the classifier
applies, and the peaks that outlined lesions have to reach (`OutlinePoints`), which the localizer does.

Fit them on patients that are not scored afterwards.
"""

from rect_eval.calibration.apply import apply, logits_of
from rect_eval.calibration.fit import METHODS, Fitted, fit, fit_thresholds, fit_with_warnings
from rect_eval.calibration.peaks import FittedOutlines, Outlines, fit_peaks

__all__ = [
    "METHODS",
    "Fitted",
    "FittedOutlines",
    "Outlines",
    "apply",
    "fit",
    "fit_peaks",
    "fit_thresholds",
    "fit_with_warnings",
    "logits_of",
]
