"""How a scan was made: scanner, dose and reconstruction. Nothing here knows what the scan shows."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.plan import Study
from rect_data.phantom.streams import stream

SCANNERS: Final = (
    ("SIEMENS", "SOMATOM go.Top", ("Br40f", "Br52f", "Br64f")),
    ("SIEMENS", "SOMATOM Definition Edge", ("I30f", "I50f", "I70f")),
    ("Philips", "iCT 256", ("B", "C", "YA")),
    ("Philips", "Ingenuity Core 128", ("B", "C", "L")),
    ("PNMS", "Brilliance 64", ("A", "C", "L")),
)
"""Manufacturer, model and the kernels for soft tissue, for a first look and for the lung."""

SHARPNESS: Final = ("soft", "medium", "sharp")
_PSF_MM: Final = (0.95, 0.7, 0.5)
_EDGE: Final = (0.0, 0.1, 0.45)
_GRAIN_MM: Final = (0.14, 0.19, 0.25)
_NOISIER: Final = (0.7, 1.0, 1.7)
_SLICES_MM: Final = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
_NOISE_HU: Final = (10.0, 60.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """One reconstruction of one scan.

    sharpness: soft, medium or sharp, and kernel its name on this scanner. psf_mm: standard deviation of the in-plane
    point spread; edge: share of detail that the kernel adds back beyond it; grain_mm: roll-off of the noise spectrum in
    1/mm. slice_mm: thickness of the slice profile, whatever the distance of the slices. noise_hu: standard deviation in
    soft tissue of average depth. kvp, ma, exposure_ms, pitch: of the tube and table. circle: voxels outside the circle
    of reconstruction are padding. intercept: what the DICOM header said, long since applied (as in CT-RATE's fixed
    volumes). date: of the study, YYYYMMDD.
    """

    manufacturer: str
    model: str
    kernel: str
    sharpness: str
    psf_mm: float
    edge: float
    grain_mm: float
    slice_mm: float
    noise_hu: float
    kvp: int
    ma: int
    exposure_ms: int
    pitch: float
    circle: bool
    intercept: int
    date: str

    @classmethod
    def of(cls, config: PhantomConfig, study: Study) -> "Settings":
        """Scanner, dose and date belong to the scan; kernel and slices to the reconstruction."""
        scan = stream(config.seed, study.patient, study.scan, "scanner")
        own = stream(config.seed, study.patient, study.scan, study.reconstruction, "reconstruction")
        maker, model, kernels = SCANNERS[int(scan.integers(len(SCANNERS)))]
        dose, kvp = float(scan.normal(0, 0.25)), int(scan.choice([100, 120, 140], p=[0.2, 0.7, 0.1]))
        sharp, thick = int(own.choice(3, p=[0.35, 0.3, 0.35])), float(own.choice(_SLICES_MM))
        noise = 21 * np.exp(-dose) * _NOISIER[sharp] * (2 / thick) ** 0.25
        return cls(
            manufacturer=maker,
            model=model,
            kernel=kernels[sharp],
            sharpness=SHARPNESS[sharp],
            psf_mm=float(_PSF_MM[sharp] * own.uniform(0.9, 1.1)),
            edge=float(_EDGE[sharp] * own.uniform(0.7, 1.3)),
            grain_mm=float(_GRAIN_MM[sharp] * own.uniform(0.9, 1.1)),
            slice_mm=thick,
            noise_hu=float(np.clip(noise, *_NOISE_HU)),
            kvp=kvp,
            ma=int(190 * np.exp(2 * dose) * (120 / kvp) ** 2),
            exposure_ms=int(scan.choice([500, 622, 750])),
            pitch=float(scan.choice([0.8, 0.9, 1.0, 1.2, 1.4])),
            circle=bool(own.random() < 0.5),
            intercept=-8192 if scan.random() < 0.28 else -1024,
            date=_date(config, study),
        )

    @property
    def milliampere_seconds(self) -> int:
        """Tube current times the time of a turn."""
        return self.ma * self.exposure_ms // 1000


TYPICAL: Final = Settings(
    manufacturer="SIEMENS",
    model="SOMATOM go.Top",
    kernel="Br52f",
    sharpness="medium",
    psf_mm=0.7,
    edge=0.1,
    grain_mm=0.19,
    slice_mm=2.0,
    noise_hu=21.0,
    kvp=120,
    ma=190,
    exposure_ms=500,
    pitch=1.2,
    circle=False,
    intercept=-1024,
    date="20200615",
)
"""An everyday scan."""


def _date(config: PhantomConfig, study: Study) -> str:
    """Between 2015 and 2023; a second scan comes some months after the first."""
    from datetime import date, timedelta

    first, later = stream(config.seed, study.patient, "date").integers((0, 60), (2900, 300))
    return (date(2015, 1, 5) + timedelta(days=int(first + study.scan * later))).strftime("%Y%m%d")
