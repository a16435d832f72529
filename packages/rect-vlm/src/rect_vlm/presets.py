"""The four sizes of the whole model, composed from the constants of the packages that own them."""

from dataclasses import dataclass, replace
from typing import Final

from rect_classifier import config as classifier
from rect_classifier.config import ClassifierConfig
from rect_encoder import config as encoder
from rect_encoder.config import EncoderConfig
from rect_localizer import config as localizer
from rect_localizer.config import LocalizerConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """The configs of one size."""

    encoder: EncoderConfig
    classifier: ClassifierConfig
    localizer: LocalizerConfig


PRESETS: Final = {
    "tiny": Preset(encoder=encoder.TINY, classifier=classifier.TINY, localizer=localizer.TINY),
    "small": Preset(encoder=encoder.SMALL, classifier=classifier.SMALL, localizer=localizer.SMALL),
    "medium": Preset(
        encoder=encoder.BASE,
        classifier=classifier.BASE,
        localizer=replace(localizer.BASE, channels=(16, 32, 64, 128, 256), denoiser_width=384, denoiser_heads=6),
    ),
    "large": Preset(encoder=encoder.BASE, classifier=classifier.BASE, localizer=localizer.BASE),
}
"""medium and large share the base encoder; large has the full localizer."""
