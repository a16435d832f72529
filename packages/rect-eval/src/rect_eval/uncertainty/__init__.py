"""How sure a score is: intervals by resampling patients, and two systems compared on the same patients.

Reconstructions of one scan, and scans of one patient, are not independent: whole patients are drawn.
"""

from rect_eval.uncertainty.bootstrap import Interval, bootstrap
from rect_eval.uncertainty.paired import paired_bootstrap, permutation_test
from rect_eval.uncertainty.scans import first_rows, to_scans

__all__ = ["Interval", "bootstrap", "first_rows", "paired_bootstrap", "permutation_test", "to_scans"]
