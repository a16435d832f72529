"""What the encoder hands to every head."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class VisionTokens:
    """One batch of encoded scans.

    patches: one token a patch, n = gd * gh * gw in (d, h, w) order; regions: one token a region of
    `rect_core.findings.REGIONS`; region_present: whether the scan has that region; patch_present: False for a patch
    wholly in padding, which no attention may read; pooled: one vector a scan; grid: (gd, gh, gw); centres_mm: the
    patches' centres as (superior, posterior, left) mm from the centre of the lungs' box; fingerprint: of the encoder's
    published tensors, so that a head can refuse tokens of another encoder.
    """

    patches: Float[Tensor, "b n c"]
    regions: Float[Tensor, "b r c"]
    region_present: Bool[Tensor, "b r"]
    patch_present: Bool[Tensor, "b n"]
    pooled: Float[Tensor, "b c"]
    grid: tuple[int, int, int]
    centres_mm: Float[Tensor, "b n 3"]
    fingerprint: str

    def to(self, device: torch.device | str) -> "VisionTokens":
        """The same tokens on another device."""
        return replace(
            self,
            patches=self.patches.to(device),
            regions=self.regions.to(device),
            region_present=self.region_present.to(device),
            patch_present=self.patch_present.to(device),
            pooled=self.pooled.to(device),
            centres_mm=self.centres_mm.to(device),
        )

    def check_encoder(self, fingerprint: str) -> None:
        """Raises ValueError unless these tokens come from the encoder with this fingerprint."""
        if self.fingerprint != fingerprint:
            found = self.fingerprint[:12] or "(in training mode, so without a fingerprint)"
            raise ValueError(
                f"tokens come from encoder {found} but the head was trained on {fingerprint[:12]}: "
                "encode the scan with the encoder that the head's config names"
            )
