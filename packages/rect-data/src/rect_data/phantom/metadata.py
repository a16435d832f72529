"""The columns of CT-RATE's metadata table, filled in for a phantom."""

from typing import Final

from rect_data.phantom.grid import Grid
from rect_data.phantom.patient import Patient
from rect_data.phantom.settings import Settings

COLUMNS: Final = (
    *("VolumeName", "Manufacturer", "SeriesDescription", "ManufacturerModelName", "PatientSex", "PatientAge"),
    *("ReconstructionDiameter", "DistanceSourceToDetector", "DistanceSourceToPatient", "GantryDetectorTilt"),
    *("TableHeight", "RotationDirection", "ExposureTime", "XRayTubeCurrent", "Exposure", "FilterType"),
    *("GeneratorPower", "FocalSpots", "ConvolutionKernel", "PatientPosition", "RevolutionTime"),
    *("SingleCollimationWidth", "TotalCollimationWidth", "TableSpeed", "TableFeedPerRotation", "SpiralPitchFactor"),
    *("DataCollectionCenterPatient", "ReconstructionTargetCenterPatient", "ExposureModulationType", "CTDIvol"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "SamplesPerPixel"),
    *("PhotometricInterpretation", "Rows", "Columns", "XYSpacing", "RescaleIntercept", "RescaleSlope", "RescaleType"),
    *("NumberofSlices", "ZSpacing", "StudyDate"),
)
"""The 44 columns of `train_metadata.csv` and `validation_metadata.csv`, in their order."""

_DESCRIPTION: Final = {"soft": "Thorax mediasten", "medium": "Thorax routine", "sharp": "HRCT"}


def metadata(settings: Settings, patient: Patient, grid: Grid) -> dict[str, str]:
    """Every column of COLUMNS but the first (the name, which knows the split), in order; "" for what many real rows do
    not state either. grid: that the scan is written on."""
    d, h, w = grid.shape
    sd, sh, sw = grid.spacing_mm
    (z, _, _), (_, y, x) = grid.high_mm, grid.low_mm
    known = {
        "Manufacturer": settings.manufacturer,
        "SeriesDescription": _DESCRIPTION[settings.sharpness],
        "ManufacturerModelName": settings.model,
        "PatientSex": patient.sex,
        "PatientAge": f"{patient.age:03d}Y",
        "ReconstructionDiameter": f"{sw * w:g}",
        "GantryDetectorTilt": "0",
        "RotationDirection": "CW",
        "ExposureTime": str(settings.exposure_ms),
        "XRayTubeCurrent": str(settings.ma),
        "Exposure": str(settings.milliampere_seconds),
        "ConvolutionKernel": settings.kernel,
        "PatientPosition": "HFS",
        "SpiralPitchFactor": f"{settings.pitch:g}",
        "CTDIvol": f"{0.068 * settings.milliampere_seconds * (settings.kvp / 120) ** 2.5:.3f}",
        "ImagePositionPatient": f"[{x:g}, {y:g}, {z:g}]",
        "ImageOrientationPatient": "[1, 0, 0, 0, 1, 0]",
        "SliceLocation": f"{z:g}",
        "SamplesPerPixel": "1",
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": str(h),
        "Columns": str(w),
        "XYSpacing": f"[{sh:g}, {sw:g}]",
        "RescaleIntercept": str(settings.intercept),
        "RescaleSlope": "1",
        "RescaleType": "HU",
        "NumberofSlices": str(d),
        "ZSpacing": f"{sd:g}",
        "StudyDate": settings.date,
    }
    return {column: known.get(column, "") for column in COLUMNS[1:]}
