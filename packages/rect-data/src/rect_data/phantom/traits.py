"""How this chest differs from the reference one: normal variation, and what its labels ask of the anatomy."""

from dataclasses import dataclass

import numpy as np

from rect_data.phantom.parts import LOBES
from rect_data.phantom.patient import Patient


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """Numbers that shapes are built with.

    inspiration: 0 at expiration, 1 at full inspiration; heart: factor of the heart's width (cardiothoracic ratio);
    fat_mm: subcutaneous fat; contrast: HU that iodine adds to arterial blood, 0 without; losing: lobe with volume loss
    or ""; loss: share of its volume; effusion_ml: pleural fluid (right, left); kyphosis: 0 to 1; arms_down: beside the
    body in the picture; azygos: an azygos lobe; thymus: thymic tissue remains; epicardial_fat: factor; hyperinflation:
    flattening of the diaphragm, 0 to 1.
    """

    inspiration: float
    heart: float
    fat_mm: float
    contrast: float
    losing: str
    loss: float
    effusion_ml: tuple[float, float]
    kyphosis: float
    arms_down: bool
    azygos: bool
    thymus: float
    epicardial_fat: float
    hyperinflation: float

    @classmethod
    def of(cls, patient: Patient, labels: tuple[str, ...], rng: np.random.Generator) -> "Traits":
        """Draws every number whatever the labels are, so that one label never shifts another's chance."""
        normal, large = rng.uniform(0.88, 1.06), rng.uniform(1.2, 1.42)
        lobe, loss = LOBES[int(rng.choice(5, p=[0.1, 0.15, 0.3, 0.1, 0.35]))], rng.uniform(0.15, 0.55)
        millilitres = np.exp(rng.normal(np.log(120), 1.0, 2)).clip(12, 1200)
        both = rng.random()
        if both > 0.45:
            millilitres[int(both > 0.75)] = 0.0
        effusion = "Pleural effusion" in labels
        inflated = rng.beta(1.2, 5.0)
        fat = (4 + 26 * patient.build) * (1.15 if patient.sex == "F" else 1.0)
        return cls(
            inspiration=float(np.clip(rng.normal(0.8, 0.15), 0.35, 1.0)),
            heart=float(large if "Cardiomegaly" in labels else normal),
            fat_mm=float(fat * rng.uniform(0.85, 1.15)),
            contrast=float(rng.uniform(120, 320) if rng.random() < 0.4 else 0.0),
            losing=lobe if rng.random() < 0.4 and "Atelectasis" in labels else "",
            loss=float(loss),
            effusion_ml=(float(millilitres[0]), float(millilitres[1])) if effusion else (0.0, 0.0),
            kyphosis=float(np.clip(rng.normal(0.2 + max(0, patient.age - 50) / 100, 0.15), 0, 1)),
            arms_down=bool(rng.random() < 0.07),
            azygos=bool(rng.random() < 0.02),
            thymus=float(rng.uniform(0, 1) * np.clip((45 - patient.age) / 25, 0, 1)),
            epicardial_fat=float(np.clip(rng.normal(0.6 + patient.build, 0.25), 0.2, 2.0)),
            hyperinflation=float(np.clip(inflated + rng.uniform(0, 0.5) * ("Emphysema" in labels), 0, 1)),
        )
