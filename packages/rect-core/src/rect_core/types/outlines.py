"""Which of the outlined lesions count."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rect_core.findings import LOCALIZED


@dataclass(frozen=True, kw_only=True, slots=True)
class OutlinePoints:
    """Fitted on held-out data by rect-eval, applied by the localizer: a lesion counts where its probability somewhere
    reaches the `peak` of its finding (hysteresis thresholding; Canny 1986, doi 10.1109/TPAMI.1986.4767851).

    peak: one a finding, 0 lets every lesion count; fingerprint: of the localizer that they were fitted for, "" for
    any. Raises ValueError for lists of other lengths or a peak outside 0..1.
    """

    findings: tuple[str, ...] = LOCALIZED
    peak: tuple[float, ...] = (0.0,) * len(LOCALIZED)
    fingerprint: str = ""
    fitted_on: str = ""

    def __post_init__(self) -> None:
        if len(self.peak) != len(self.findings):
            raise ValueError(f"operating points: peak has {len(self.peak)} values for {len(self.findings)} findings")
        if wrong := [value for value in self.peak if not 0 <= value <= 1]:
            raise ValueError(f"operating points: peak {wrong[0]} is not from 0 to 1: fit them again")

    @property
    def peaks(self) -> dict[str, float]:
        """Finding -> peak."""
        return dict(zip(self.findings, self.peak, strict=True))

    def save(self, path: Path | str) -> None:
        """Writes `operating_points.json`."""
        Path(path).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> "OutlinePoints":
        """Reads what `save` wrote; anything else raises ValueError."""
        path = Path(path)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(**data | {key: tuple(data[key]) for key in ("findings", "peak")})
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{path.parent.name}/{path.name} holds no operating points of outlines ({error}): export again"
            ) from None
