"""What an evaluation leaves on disk: metrics.json, tables as CSV, and one self-contained report.html."""

from rect_eval.output.metrics import from_json, load, to_json
from rect_eval.output.write import is_ours, write

__all__ = ["from_json", "is_ours", "load", "to_json", "write"]
