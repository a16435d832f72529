"""Sizes of the classifier."""

from dataclasses import dataclass
from typing import Final

from rect_core.findings import LABELS


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierConfig:
    """Sizes of the classifier and the encoder it belongs to; the defaults are rect-classifier-base.

    width: of the encoder's tokens; text_width: of the prompt vectors; heads: of the attention that reads the scan;
    labels: what the stored prompts stand for. encoder: its folder as seen from this head's own folder, or a Hub id;
    encoder_fingerprint: of the encoder this head was trained on, "" accepts any (an untrained head).
    """

    width: int = 768
    text_width: int = 384
    heads: int = 12
    labels: tuple[str, ...] = LABELS
    encoder: str = "../encoder"
    encoder_fingerprint: str = ""

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("text_width", self.text_width), ("heads", self.heads)):
            if value < 1:
                raise ValueError(f"{name} is {value}: give at least 1")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels must be two or more different names, not {self.labels}")


TINY: Final = ClassifierConfig(width=192, heads=6)
SMALL: Final = ClassifierConfig(width=384, heads=6)
BASE: Final = ClassifierConfig()
