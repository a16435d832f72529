"""What training does to a batch, on the CPU or a GPU, from one generator."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from rect_data.dataset.affine import random_affines, uniform, warp
from rect_data.dataset.collate import Batch
from rect_data.dataset.crop import crop
from rect_data.dataset.flip import flip, flip_refusals
from rect_data.dataset.intensity import blur, gamma, hu_shift, noise


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentConfig:
    """How likely each change is for a case (`..._chance`), and its largest strength.

    rotate_deg: about the (d, h, w) axes. crop: cells of the box that is cut out, None keeps the whole grid.
    flip: mirrors left and right where a case's words allow it; off by default, see `rect_data.dataset.flip`.
    """

    affine_chance: float = 0.5
    rotate_deg: tuple[float, float, float] = (10.0, 5.0, 5.0)
    scale: float = 0.1
    shift_mm: tuple[float, float, float] = (10.0, 10.0, 10.0)
    blur_chance: float = 0.2
    blur_mm: float = 1.5
    gamma_chance: float = 0.3
    gamma: float = 0.2
    shift_chance: float = 0.3
    shift_hu: float = 40.0
    noise_chance: float = 0.3
    noise_hu: float = 30.0
    crop: tuple[int, int, int] | None = None
    lesion_bias: float = 0.5
    flip: bool = False
    flip_chance: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (
            ("affine_chance", self.affine_chance),
            ("blur_chance", self.blur_chance),
            ("gamma_chance", self.gamma_chance),
            ("shift_chance", self.shift_chance),
            ("noise_chance", self.noise_chance),
            ("lesion_bias", self.lesion_bias),
            ("flip_chance", self.flip_chance),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} {value} must lie in 0 to 1")
        if min(*self.rotate_deg, self.scale, *self.shift_mm, self.blur_mm, self.gamma, self.noise_hu) < 0:
            raise ValueError(f"a strength is below 0 in {self}")


def augment(batch: Batch, config: AugmentConfig, generator: torch.Generator) -> Batch:
    """Flip, affine, crop, blur, gamma, HU shift and noise, in this order; then padding is padding again.

    The generator lives on the batch's device; the same state gives the same batch on the same kind of device. Raises
    ValueError where it lives elsewhere.
    """
    if generator.device.type != batch.voxels.device.type:
        raise ValueError(f"generator is on {generator.device} and the batch on {batch.voxels.device}: make it there")
    if config.flip:
        willing = [not why for why in flip_refusals(batch)]
        chosen = _chosen(batch, config.flip_chance, generator).tolist()
        batch = flip(batch, [i for i, (a, b) in enumerate(zip(willing, chosen, strict=True)) if a and b])
    moved = _chosen(batch, config.affine_chance, generator).nonzero()[:, 0].tolist()
    affines = random_affines(len(moved), config.rotate_deg, config.scale, config.shift_mm, generator)
    batch = warp(batch, moved, affines)
    if config.crop is not None:
        batch = crop(batch, config.crop, config.lesion_bias, generator)
    return padded(replace(batch, voxels=_intensity(batch, config, generator)))


def generator_of(batch: Batch, seed: int) -> torch.Generator:
    """A generator on the batch's device that depends on the seed and the batch's draws alone: a resumed run, and any
    number of workers, augments alike."""
    keys = np.random.SeedSequence([seed, *(number for draw in batch.draws for number in draw)])
    generator = torch.Generator(batch.voxels.device)
    return generator.manual_seed(int(keys.generate_state(1, np.uint64)[0] >> np.uint64(1)))


def padded(batch: Batch) -> Batch:
    """The batch with -1, region 0 and no lesion in all cells outside the scan."""
    voxels, regions = torch.full_like(batch.voxels, -1.0), torch.zeros_like(batch.regions)
    lesions = torch.zeros_like(batch.lesions)
    for case, ranges in enumerate(batch.valid.tolist()):
        d, h, w = (slice(*ends) for ends in ranges)
        voxels[case, :, d, h, w] = batch.voxels[case, :, d, h, w]
        regions[case, d, h, w] = batch.regions[case, d, h, w]
        lesions[case, :, d, h, w] = batch.lesions[case, :, d, h, w]
    return replace(batch, voxels=voxels, regions=regions, lesions=lesions)


def _intensity(batch: Batch, config: AugmentConfig, generator: torch.Generator) -> Float32[Tensor, "b 1 d h w"]:
    voxels, count = batch.voxels, len(batch)

    def strength(low: float, high: float, chance: float) -> Float32[Tensor, " b"]:
        return uniform(count, low, high, generator) * _chosen(batch, chance, generator)

    sigma = strength(0, config.blur_mm, config.blur_chance)
    if sigma.any():
        voxels = blur(voxels, sigma, batch.spacing_mm, config.blur_mm)
    exponent = strength(-config.gamma, config.gamma, config.gamma_chance)
    if exponent.any():
        voxels = gamma(voxels, exponent.exp())
    hu = strength(-config.shift_hu, config.shift_hu, config.shift_chance)
    if hu.any():
        voxels = hu_shift(voxels, hu, batch.hu_range)
    grain = strength(0, config.noise_hu, config.noise_chance)
    return noise(voxels, grain, batch.hu_range, generator) if grain.any() else voxels


def _chosen(batch: Batch, chance: float, generator: torch.Generator) -> Bool[Tensor, " b"]:
    return torch.rand(len(batch), generator=generator, device=generator.device) < chance
