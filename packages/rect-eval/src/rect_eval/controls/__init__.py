"""Controls: what the same score gives to something that did not look at the scan."""

from rect_eval.controls.compare import LOWER_IS_BETTER, flag, lower_is_better
from rect_eval.controls.mismatch import mismatch

__all__ = ["LOWER_IS_BETTER", "flag", "lower_is_better", "mismatch"]
