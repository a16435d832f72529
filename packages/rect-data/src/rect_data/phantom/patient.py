"""The patient and what the scan will show: age, sex, build, and which of the 18 labels, drawn from written rules."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from rect_core.findings import LABELS
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.plan import Study
from rect_data.phantom.streams import stream

CAUSES: Final = ("age", "smoking", "heart failure", "infection", "cancer", "scarring")
"""What makes findings occur together; each is a standard normal number of a scan, age of a patient."""

LOADINGS: Final[Mapping[str, tuple[float, ...]]] = {
    "Medical material": (0.3, 0.0, 0.4, 0.0, 0.3, 0.0),
    "Arterial wall calcification": (0.8, 0.2, 0.1, 0.0, 0.0, 0.0),
    "Cardiomegaly": (0.4, 0.0, 0.6, 0.0, 0.0, 0.0),
    "Pericardial effusion": (0.1, 0.0, 0.5, 0.1, 0.2, 0.0),
    "Coronary artery wall calcification": (0.75, 0.2, 0.2, 0.0, 0.0, 0.0),
    "Hiatal hernia": (0.4, 0.0, 0.0, 0.0, 0.0, 0.0),
    "Lymphadenopathy": (0.0, 0.1, 0.0, 0.3, 0.5, 0.0),
    "Emphysema": (0.35, 0.7, 0.0, 0.0, 0.0, 0.0),
    "Atelectasis": (0.2, 0.0, 0.4, 0.2, 0.2, 0.1),
    "Lung nodule": (0.15, 0.15, 0.0, -0.1, 0.3, 0.1),
    "Lung opacity": (-0.1, 0.0, 0.1, 0.75, 0.0, 0.0),
    "Pulmonary fibrotic sequela": (0.3, 0.2, 0.0, 0.0, 0.0, 0.5),
    "Pleural effusion": (0.1, 0.0, 0.65, 0.15, 0.3, 0.0),
    "Mosaic attenuation pattern": (0.0, 0.2, 0.2, 0.1, 0.0, 0.0),
    "Peribronchial thickening": (0.1, 0.4, 0.0, 0.2, 0.0, 0.3),
    "Consolidation": (0.0, 0.0, 0.1, 0.75, 0.0, 0.0),
    "Bronchiectasis": (0.1, 0.2, 0.0, 0.0, 0.0, 0.55),
    "Interlobular septal thickening": (0.1, 0.0, 0.5, 0.35, 0.1, 0.1),
}
"""How strongly each cause drives each label (a Gaussian copula: the rest of the unit variance is the label's own)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """One person. build: body fat, 0 lean to 1 obese; stature: height over the mean of the sex."""

    age: int
    sex: str
    stature: float
    build: float


def patient_of(config: PhantomConfig, study: Study) -> Patient:
    """Age follows the same cause as the labels do: 18 to 95, median about 50."""
    rng = stream(config.seed, study.patient, "patient")
    age = int(np.clip(50 + 16 * _causes(config, study)[0] + study.scan, 18, 95))
    return Patient(
        age=age,
        sex="F" if rng.random() < 0.45 else "M",
        stature=float(np.clip(rng.normal(1.0, 0.04), 0.9, 1.1)),
        build=float(rng.beta(2.0, 2.5)),
    )


def labels_of(config: PhantomConfig, study: Study) -> tuple[str, ...]:
    """Names of the labels of a scan, in the order of LABELS; reconstructions of one scan share them."""
    from scipy.special import ndtri

    causes, own = _causes(config, study), _own(config, study)
    found = []
    for label, noise in zip(LABELS, own, strict=True):
        loading = np.asarray(LOADINGS[label])
        score = float(loading @ causes + np.sqrt(1 - loading @ loading) * noise)
        if score > ndtri(1 - config.prevalence[label]):
            found.append(label)
    return tuple(found)


def _causes(config: PhantomConfig, study: Study) -> Float[np.ndarray, " k"]:
    """One standard normal number a cause. A second scan of a patient keeps the age."""
    scan, first = (
        _normals(config.seed, study),
        _normals(config.seed, Study(patient=study.patient, scan=0, reconstruction=0)),
    )
    return np.asarray([first[0], *scan[1 : len(CAUSES)]])


def _own(config: PhantomConfig, study: Study) -> Float[np.ndarray, " k"]:
    return _normals(config.seed, study)[len(CAUSES) :]


def _normals(seed: int, study: Study) -> Float[np.ndarray, " k"]:
    """A point of a scrambled Sobol sequence, so that any run of cases has the prevalences that were asked for."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(_points(seed, study.ordinal), 1e-9, 1 - 1e-9)))


@cache
def _points(seed: int, at: int) -> Float[np.ndarray, " k"]:
    sobol = deepcopy(_sequence(seed))  # whose place moves with every point
    if at:
        sobol.fast_forward(at)
    return np.asarray(sobol.random(1)[0])


@cache
def _sequence(seed: int) -> Any:
    from scipy.stats import qmc

    return qmc.Sobol(len(CAUSES) + len(LABELS), scramble=True, rng=np.random.default_rng([seed, 18]))
