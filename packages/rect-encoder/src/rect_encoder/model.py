"""The vision encoder: a chest CT on the model grid to tokens of its patches, of its 20 regions and of the whole."""

from dataclasses import replace
from typing import ClassVar, Final

import torch
from einops import einsum, rearrange, repeat
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from rect_core.findings import REGIONS
from rect_core.hub import Published
from rect_core.preprocess import GridConfig, ModelInput
from rect_core.types import VisionTokens
from rect_encoder.attention import SUMMARY, attention_bias
from rect_encoder.block import Block
from rect_encoder.config import EncoderConfig
from rect_encoder.patch import PatchEmbedding, Positions, axis_centres_mm, centres_mm
from rect_encoder.shares import REGION_FEATURES, patch_presence, region_densities, region_features, region_shares

LEAST_SCANS: Final = 8
"""Fewer do not say what is usual of a region."""

LEAST_SPREAD: Final = 0.02
"""What hardly varies in the training data is not blown up."""

MOST_SPREADS: Final = 5.0
"""A region that is stranger than this is as strange as can be."""


class VisionEncoder(Published):
    """A 3D vision transformer with slice-aware and region-aware attention (see `rect_encoder.attention`).

    Voxels become patch tokens with a position in mm; 20 region tokens start from a learned vector and, where the region
    is present, its size, its place and how dense its voxels are, each region by a linear map of its own, so that what
    reads many at once still knows which of them said what; a global token starts from a learned vector. The blocks
    treat all alike; at the end each kind has a linear map of its own.
    """

    config_class: ClassVar[type] = EncoderConfig
    config: EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.patches = PatchEmbedding(config)
        self.positions = Positions(config)
        self.region_tokens = nn.Parameter(torch.empty(len(REGIONS), config.dim))
        self.region_input = nn.Parameter(torch.empty(len(REGIONS), REGION_FEATURES, config.dim))
        self.register_buffer("region_mean", torch.zeros(len(REGIONS), REGION_FEATURES))
        self.register_buffer("region_spread", torch.ones(len(REGIONS), REGION_FEATURES))
        self.global_token = nn.Parameter(torch.empty(config.dim))
        self.blocks = nn.ModuleList(Block(config, full=i in config.full_layers) for i in range(config.depth))
        self.norm = nn.LayerNorm(config.dim)
        self.patch_out = nn.Linear(config.dim, config.dim)
        self.region_out = nn.Linear(config.dim, config.dim)
        self.global_out = nn.Linear(config.dim, config.dim)
        self._initialize()

    region_mean: Tensor
    region_spread: Tensor

    def forward(
        self,
        voxels: Float[Tensor, "b 1 d h w"],
        regions: UInt8[Tensor, "b d h w"],
        valid: Int64[Tensor, "b 3 2"],
    ) -> VisionTokens:
        """Scans on the model grid to tokens.

        voxels: [-1, 1], padding -1; regions: labels 0..20; valid: half-open voxel ranges of the grid that lie inside
        the scan. `pooled` is the global token, which reads every patch in every layer. The token of an absent region
        is a constant of the weights. The fingerprint is empty in training mode, where the weights are no longer the
        published ones. Raises ValueError for voxels of another shape than the config's grid.
        """
        if tuple(voxels.shape[2:]) != self.config.grid.shape:
            raise ValueError(
                f"voxels are {tuple(voxels.shape[2:])} but this encoder's grid is {self.config.grid.shape}: "
                "use Preprocess(encoder.config.grid), or encoder.on_grid(grid)"
            )
        shares = region_shares(regions, self.config.patch)
        region_present = shares.sum(dim=1) > 0
        patch_present = patch_presence(valid, self.config.patch_grid, self.config.patch)
        centres = centres_mm(self.config).to(shares.device)
        bias = attention_bias(shares, region_present, patch_present)
        numbers = torch.cat(
            [region_features(shares, centres, self.config.patch_ml), region_densities(voxels, regions)], dim=-1
        )
        x = torch.cat([self._summary(numbers, region_present), self._patches(voxels)], dim=1)
        for block in self.blocks:
            x = block(x, bias)
        x = self.norm(x)
        return VisionTokens(
            patches=self.patch_out(x[:, SUMMARY:]),
            regions=self.region_out(x[:, : SUMMARY - 1]),
            region_present=region_present,
            patch_present=patch_present,
            pooled=self.global_out(x[:, SUMMARY - 1]),
            grid=self.config.patch_grid,
            centres_mm=repeat(centres, "n xyz -> b n xyz", b=voxels.shape[0]),
            fingerprint="" if self.training else self.fingerprint,
        )

    @torch.no_grad()
    def encode(self, item: ModelInput) -> VisionTokens:
        """Tokens of one preprocessed scan (b = 1), without gradients, on the device of the weights."""
        device = self.global_token.device
        voxels, regions = (rearrange(x, "... d h w -> 1 ... d h w").to(device) for x in (item.voxels, item.regions))
        tokens: VisionTokens = self(voxels, regions, torch.tensor([item.valid], dtype=torch.int64, device=device))
        return tokens

    def on_grid(self, grid: GridConfig) -> "VisionEncoder":
        """This encoder for scans of another spacing or size: the same tensors in memory, the same fingerprint."""
        with torch.device("meta"):
            other = VisionEncoder(replace(self.config, grid=grid))
        other.load_state_dict(self.state_dict(), strict=True, assign=True)
        other.weights_status, other.origin = self.weights_status, self.origin
        return other.train(self.training)

    def _patches(self, voxels: Float[Tensor, "b 1 d h w"]) -> Float[Tensor, "b n c"]:
        axes_mm = axis_centres_mm(self.config)
        tokens: Tensor = self.patches(voxels) + self.positions(axes_mm)
        return tokens

    @torch.no_grad()
    def standardize(self, voxels: Float[Tensor, "b 1 d h w"], regions: UInt8[Tensor, "b d h w"]) -> None:
        """Takes what is usual of each region from some scans of the training data, before the first step: region tokens
        then say what is unusual. A region that fewer than LEAST_SCANS of them have stays as it was.

        Without it the tokens of all scans look alike, and a head first has to learn to see past that.
        """
        shares = region_shares(regions, self.config.patch)
        places = region_features(shares, centres_mm(self.config).to(shares.device), self.config.patch_ml)
        numbers = torch.cat([places, region_densities(voxels, regions)], dim=-1)
        present = shares.sum(dim=1) > 0
        for region in (present.sum(0) >= LEAST_SCANS).nonzero()[:, 0].tolist():
            seen = numbers[present[:, region], region]
            self.region_mean[region] = seen.mean(0)
            self.region_spread[region] = seen.std(0).clamp(min=LEAST_SPREAD)

    def _summary(self, numbers: Float[Tensor, "b r f"], present: Bool[Tensor, "b r"]) -> Float[Tensor, "b t c"]:
        """Region tokens and the global token, as the first block gets them; an absent region's numbers are zero."""
        unusual = (numbers - self.region_mean) / self.region_spread * present[..., None]
        features = unusual.clamp(-MOST_SPREADS, MOST_SPREADS).to(self.region_tokens.dtype)
        regions = self.region_tokens + einsum(features, self.region_input, "b r f, r f c -> b r c")
        return torch.cat([regions, repeat(self.global_token, "c -> b 1 c", b=len(numbers))], dim=1)

    def _initialize(self) -> None:
        """Normal of variance 1 / inputs (LeCun), so that every width starts alike; what adds to the residual stream is
        scaled by depth as in GPT-2; tokens start small, so that the scan outweighs them."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.endswith(("token", "tokens")):
                nn.init.trunc_normal_(parameter, std=0.02)
            elif "norm" not in name:
                depth = 2 * self.config.depth if name.endswith(("attention.out.weight", "narrow.weight")) else 1
                nn.init.normal_(parameter, std=(parameter.shape[1] * depth) ** -0.5)
