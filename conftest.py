"""Checks every array shape of the packages while tests run."""

import os

from hypothesis import settings
from jaxtyping import install_import_hook

PACKAGES = [
    "rect_train",
    "rect_core",
    "rect_data",
    "rect_encoder",
    "rect_eval",
    "rect_classifier",
    "rect_localizer",
    "rect_reporter",
    "rect_vlm",
]

os.environ.setdefault("HF_HUB_OFFLINE", "1")
install_import_hook(PACKAGES, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

settings.register_profile("house", deadline=None)  # a loaded machine is not a failure
settings.load_profile("house")
