"""Settings of a prediction run, as a YAML in configs/ or the command line's flags give them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictSettings:
    """model: folder, installed package, Hub id or untrained:<preset>; threshold: cut for all findings,
    localization_threshold: for the masks, None for the weights' operating points. A flag on the command line wins over
    the file."""

    model: str | None = None
    device: str = "auto"
    threshold: float | None = None
    localization_threshold: float | None = None
    report: bool = True
    prob_maps: bool = False

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("localization_threshold", self.localization_threshold)):
            if value is not None and not 0.0 < value < 1.0:
                raise ValueError(f"{name} {value} is not between 0 and 1")
