"""The mismatched scan: every case gets the prediction of another patient."""

import numpy as np
from jaxtyping import Int64


def mismatch(patients: Int64[np.ndarray, " n"], *, seed: int, times: int = 5) -> Int64[np.ndarray, "times n"]:
    """Rows of predictions: case i gets the prediction of row [i], which is never of its own patient.

    Patients stand in a shuffled circle and each takes from the one some steps on, so that every patient gives to one
    other; reconstructions are handed out in turn. patients: numbered from 0. Raises ValueError for fewer than two.
    """
    many = int(patients.max()) + 1 if len(patients) else 0
    if many < 2:
        raise ValueError(f"{many} patient: the mismatched control needs the prediction of another one")
    rng = np.random.default_rng(seed)
    return np.stack([_one(patients, many, rng) for _ in range(times)])


def _one(patients: Int64[np.ndarray, " n"], many: int, rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    circle = rng.permutation(many)
    giver = np.empty(many, np.int64)
    giver[circle] = np.roll(circle, int(rng.integers(1, many)))
    rows = np.argsort(patients, kind="stable")
    count = np.bincount(patients, minlength=many)
    start = np.cumsum(count) - count
    turn = np.empty(len(patients), np.int64)
    turn[rows] = np.arange(len(patients)) - start[patients[rows]]
    other = giver[patients]
    taken: Int64[np.ndarray, " n"] = rows[start[other] + turn % count[other]]
    return taken
