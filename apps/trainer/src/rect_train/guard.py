"""Watches the loss: a step that is not finite, or far above the running mean, is not taken."""

import math
from dataclasses import dataclass
from typing import Any


class RunError(RuntimeError):
    """A run that cannot go on; one line with what to do."""


@dataclass(kw_only=True, slots=True)
class Guard:
    """spike: times the running mean; most: skips in a row that are borne; mean: of the losses so far, NaN before the
    first; skips: in a row until now."""

    spike: float
    most: int
    mean: float = math.nan
    skips: int = 0

    def judge(self, loss: float, norm: float) -> str:
        """Why a step must be skipped, or ""."""
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return self._skip(f"loss {loss:g} with a gradient norm of {norm:g}")
        if loss > self.spike * self.mean:
            return self._skip(f"loss {loss:.4g} is {loss / self.mean:.1f} times its running mean")
        self.mean = loss if math.isnan(self.mean) else 0.98 * self.mean + 0.02 * loss
        self.skips = 0
        return ""

    def _skip(self, why: str) -> str:
        self.skips += 1
        return why

    def check(self) -> None:
        """Raises RunError after too many skips in a row."""
        if self.skips > self.most:
            raise RunError(
                f"{self.skips} steps in a row were skipped: lower optim.lr, or look at the cases in skipped.jsonl"
            )

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON; no mean yet is None."""
        return {"mean": None if math.isnan(self.mean) else self.mean, "skips": self.skips}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on at a state."""
        self.mean, self.skips = math.nan if state["mean"] is None else state["mean"], state["skips"]
