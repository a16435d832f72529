"""The four texts of a CT-RATE report."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportTexts:
    """CT-RATE's columns ClinicalInformation_EN, Technique_EN, Findings_EN and Impressions_EN, in this order."""

    clinical_information: str
    technique: str
    findings: str
    impressions: str
