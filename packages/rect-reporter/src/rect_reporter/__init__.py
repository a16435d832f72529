"""Writes a chest CT report whose every sentence names its evidence."""

from rect_reporter.evidence import evidence_ids
from rect_reporter.writer import report_from_findings, write_report

__all__ = ["evidence_ids", "report_from_findings", "write_report"]
