"""Operating points (`rect_core.types.OperatingPoints`): calibration and cuts, fitted here, applied by the classifier.

Fit them on patients that are not scored afterwards.
"""

from rect_eval.calibration.apply import apply, logits_of
from rect_eval.calibration.fit import METHODS, Fitted, fit, fit_thresholds, fit_with_warnings

__all__ = ["METHODS", "Fitted", "apply", "fit", "fit_thresholds", "fit_with_warnings", "logits_of"]
