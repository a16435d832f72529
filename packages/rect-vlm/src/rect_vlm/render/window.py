"""Windows: which Hounsfield units a picture shows."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Shaped, UInt8

WindowName = Literal["lung", "mediastinum"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A display window: HU from `center - width / 2` (black) to `center + width / 2` (white)."""

    name: str
    center: int
    width: int

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"window width {self.width} shows nothing: give at least 1 HU")

    @property
    def label(self) -> str:
        """Such as "lung window (C -600, W 1500)"."""
        return f"{self.name} window (C {self.center}, W {self.width})"

    def gray(self, hu: Shaped[np.ndarray, "r c"]) -> UInt8[np.ndarray, "r c"]:
        """One slice of HU as gray values 0..255."""
        low = self.center - self.width / 2
        scaled = (hu.astype(np.float32) - low) * (255.0 / self.width)
        gray: UInt8[np.ndarray, "r c"] = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
        return gray


LUNG: Final = Window(name="lung", center=-600, width=1500)
MEDIASTINUM: Final = Window(name="mediastinum", center=40, width=400)
WINDOWS: Final[dict[WindowName, Window]] = {"lung": LUNG, "mediastinum": MEDIASTINUM}
