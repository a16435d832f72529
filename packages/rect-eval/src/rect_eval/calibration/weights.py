"""What the cases that operating points are fitted on weigh."""

import numpy as np
from jaxtyping import Float, Int64


def patient_weights(patients: Int64[np.ndarray, " n"] | None, n: int) -> Float[np.ndarray, " n"]:
    """A weight a case: all cases of one patient weigh together as much as one; without patients all the same."""
    if patients is None:
        return np.ones(n)
    _, group, count = np.unique(patients, return_inverse=True, return_counts=True)
    weights: Float[np.ndarray, " n"] = 1.0 / count[group]
    return weights
