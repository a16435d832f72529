"""The vision encoder: a chest CT on the model grid to tokens of its patches, of its 20 regions and of the whole."""

from dataclasses import replace
from typing import ClassVar

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int64, UInt8
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


class VisionEncoder(Published):
    """A 3D vision transformer with slice-aware and region-aware attention (see `rect_encoder.attention`).

    Voxels become patch tokens with a position in mm; 20 region tokens start from a learned vector and, where the region
    is present, its size, its place and how dense its voxels are; a global token starts from a learned vector. The
    blocks treat all alike; at the end each kind has a linear map of its own.
    """

    config_class: ClassVar[type] = EncoderConfig
    config: EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.patches = PatchEmbedding(config)
        self.positions = Positions(config)
        self.region_tokens = nn.Parameter(torch.empty(len(REGIONS), config.dim))
        self.region_input = nn.Linear(REGION_FEATURES, config.dim, bias=False)
        self.global_token = nn.Parameter(torch.empty(config.dim))
        self.blocks = nn.ModuleList(Block(config, full=i in config.full_layers) for i in range(config.depth))
        self.norm = nn.LayerNorm(config.dim)
        self.patch_out = nn.Linear(config.dim, config.dim)
        self.region_out = nn.Linear(config.dim, config.dim)
        self.global_out = nn.Linear(config.dim, config.dim)
        self._initialize()

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
        densities = region_densities(voxels, regions)
        x = torch.cat([self._summary(shares, centres, densities), self._patches(voxels)], dim=1)
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

    def _summary(
        self, shares: Float[Tensor, "b n r"], centres: Float[Tensor, "n 3"], densities: Float[Tensor, "b r s"]
    ) -> Float[Tensor, "b t c"]:
        """Region tokens and the global token, as the first block gets them; an absent region's features are zero."""
        places = region_features(shares, centres, self.config.patch_ml)
        features = torch.cat([places, densities], dim=-1).to(self.region_tokens.dtype)
        regions = self.region_tokens + self.region_input(features)
        return torch.cat([regions, repeat(self.global_token, "c -> b 1 c", b=shares.shape[0])], dim=1)

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
