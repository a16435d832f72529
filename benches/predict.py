"""One scan through the whole house with weights from a seed, whole and by room, on the real sample CT.

The tiny preset runs every room; of the base encoder (88M) one forward is timed, since it is what most of a full-size
prediction will cost. There is no rival: these are figures to compare later versions with.
"""

import torch

from benches.timing import Result, Rival, interleave, machine, peak_gb
from rect_core.anatomy import regions
from rect_core.preprocess import ModelInput, Preprocess
from rect_core.read import read_volume
from rect_encoder import VisionEncoder
from rect_encoder.config import BASE
from rect_vlm import ReCTVLM
from rect_vlm.sample import sample_path


def whole() -> Rival:
    """From the file to scores, lesions and report; nothing is written."""
    model = ReCTVLM.untrained("tiny")
    return lambda: model.predict(sample_path())


def encoder() -> Rival:
    """The tiny encoder's forward."""
    model, item = _prepared()
    return lambda: model.encoder.encode(item)


def localizer() -> Rival:
    """The tiny localizer's forward."""
    model, item = _prepared()
    tokens = model.encoder.encode(item)

    @torch.no_grad()
    def forward() -> object:
        return model.localizer(item.voxels[None], tokens)

    return forward


def base_encoder() -> Rival:
    """The base encoder's forward on 64 x 512 x 512 voxels, float32."""
    volume = read_volume(sample_path())
    item = Preprocess(BASE.grid)(volume, regions(volume))
    model = VisionEncoder.untrained(BASE)
    return lambda: model.encode(item)


RIVALS = {"predict": whole, "encoder tiny": encoder, "localizer tiny": localizer, "encoder base": base_encoder}


def run() -> Result:
    """Memory first, then the clock."""
    peaks = {name: peak_gb("benches.predict", name) for name in RIVALS}
    noted = machine()
    seconds = interleave({name: prepare() for name, prepare in RIVALS.items()}, repeats=3)
    return Result(name="predict", machine=noted, seconds=seconds, ratios={}, peak_gb=peaks, goals={})


def _prepared() -> tuple[ReCTVLM, ModelInput]:
    model = ReCTVLM.untrained("tiny")
    volume = read_volume(sample_path())
    return model, Preprocess(model.encoder.config.grid)(volume, regions(volume))
