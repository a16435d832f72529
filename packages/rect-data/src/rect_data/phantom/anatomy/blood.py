"""How dense blood is: by its haemoglobin, and by the iodine that has reached each part of the circulation."""

from dataclasses import dataclass

import numpy as np

from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream


@dataclass(frozen=True, kw_only=True, slots=True)
class Blood:
    """HU of blood: plain: without iodine; arterial: aorta and left heart (pulmonary veins too); pulmonary: pulmonary
    arteries and right ventricle; atrial: right atrium; caval: superior vena cava and the veins it drains; lower:
    inferior vena cava and azygos vein; muscle: myocardium."""

    plain: float
    arterial: float
    pulmonary: float
    atrial: float
    caval: float
    lower: float
    muscle: float

    @classmethod
    def of(cls, scene: Scene) -> "Blood":
        """The blood of a patient: 34 to 48 HU without iodine, less in anaemia. The phase follows from contrast and
        patient alone, so that whoever asks finds the same."""
        iodine = scene.traits.contrast
        rng = stream(round(iodine * 1e6), round(scene.patient.stature * 1e6), "blood")
        plain, phase, mixed = float(np.clip(rng.normal(42, 2.5), 34, 48)), rng.uniform(0.6, 1.3), rng.uniform(0.75, 1.0)
        arm = rng.uniform(0.8, 1.1) if phase < 0.8 else rng.uniform(1.0, 2.3)
        return cls(
            plain=plain,
            arterial=plain + iodine,
            pulmonary=plain + phase * iodine,
            atrial=plain + mixed * phase * iodine,
            caval=min(plain + arm * iodine, 600.0),
            lower=plain + 0.45 * mixed * iodine / max(phase, 0.7),
            muscle=plain + 7 + 0.24 * iodine,
        )
