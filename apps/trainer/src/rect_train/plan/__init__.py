"""What a run would hold, compute and take, told before it is paid for: `rect-train plan`."""

from typing import Final

MFU: Final = 0.4
"""Share of the peak that a plan assumes. Large matrix products reach it; convolutions of few channels at full size stay
far below, so a run's own `mfu` in metrics.jsonl is the better number once there is one."""
