"""Building blocks of the U-Net."""

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rect_localizer.config import Step


class ConvBlock(nn.Sequential):
    """Convolution, group norm, leaky ReLU. Padding keeps the size; a step of 2 halves it.

    The convolution reads channels last and norm and ReLU channels first, forward and backward, whatever layout comes
    in: in the other one, or in both at once, each is several times slower on a CPU, the norm's backward pass at full
    size twenty times.
    """

    def __init__(self, enter: int, leave: int, kernel: Step, groups: int, step: Step = (1, 1, 1)) -> None:
        pad = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        super().__init__(
            nn.Conv3d(enter, leave, kernel, step, pad, bias=False),
            nn.GroupNorm(groups, leave),
            # In place: at full size each saved copy is worth a gigabyte.
            nn.LeakyReLU(0.01, inplace=True),
        )

    def forward(self, x: Float[Tensor, "b c d h w"]) -> Float[Tensor, "b m dd hh ww"]:
        """Features of one level."""
        convolve, norm, rectify = self
        if x.shape[1] > 1:  # one channel has no order
            x = _ChannelsLast.apply(x)  # type: ignore[no-untyped-call]
        mixed: Tensor = rectify(norm(convolve(x).contiguous()))
        return mixed


class _ChannelsLast(torch.autograd.Function):
    """A tensor channels last, its gradient channels first."""

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "b c d h w"]) -> Float[Tensor, "b c d h w"]:
        """For a convolution."""
        return x.clone(memory_format=torch.channels_last_3d)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_x: Float[Tensor, "b c d h w"]) -> Float[Tensor, "b c d h w"]:
        """For what stands before it."""
        return of_x.contiguous()


class Up(nn.Module):
    """A coarser level brought to the size and channels of a finer one. Channels first: they shrink, voxels multiply."""

    def __init__(self, enter: int, leave: int) -> None:
        super().__init__()
        self.mix = nn.Conv3d(enter, leave, 1)

    def forward(self, x: Float[Tensor, "b c d h w"], size: Step) -> Float[Tensor, "b m dd hh ww"]:
        """size: (d, h, w) of the finer level."""
        # As a matrix product it is three times as fast on a CPU, backward included, and channels stay first.
        weight, bias = self.mix.weight.flatten(1), self.mix.bias
        assert bias is not None, "nn.Conv3d makes one unless told otherwise"
        mixed = torch.baddbmm(bias[:, None], weight.expand(len(x), -1, -1), x.flatten(2))
        return grown(mixed.reshape(len(x), -1, *x.shape[2:]), size)


class TextGate(nn.Module):
    """An attention gate (Oktay et al. 2018) a finding, opened by the finding's words.

    Each voxel reads the words by cross-attention; what it reads and what it shows decide how far its gate opens.
    """

    def __init__(self, enter: int, text_width: int, leave: int) -> None:
        super().__init__()
        self.query = nn.Conv3d(enter, leave, 1)
        self.key_value = nn.Linear(text_width, 2 * leave)
        self.show = nn.Conv3d(enter, leave, 1)
        self.open = nn.Linear(leave, 1)

    def forward(
        self, x: Float[Tensor, "b c d h w"], words: Float[Tensor, "b k l t"], mask: Bool[Tensor, "k l"]
    ) -> Float[Tensor, "bk m d h w"]:
        """The gated features of each finding, findings folded into the batch."""
        k, (d, h) = words.shape[1], x.shape[2:4]
        key, value = rearrange(self.key_value(words), "b k l (two m) -> two b k l m", two=2)
        query = repeat(self.query(x), "b m d h w -> b k (d h w) m", k=k)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=rearrange(mask, "k l -> 1 k 1 l"))
        shown = rearrange(self.show(x), "b m d h w -> b 1 (d h w) m")
        gated: Tensor = shown * self.open(F.relu(shown + read)).sigmoid()
        return rearrange(gated, "b k (d h w) m -> (b k) m d h w", d=d, h=h)


def grown(x: Float[Tensor, "b c d h w"], size: Step) -> Float[Tensor, "b c dd hh ww"]:
    """Trilinear, cell centres kept (align_corners off), as one matrix product an axis: up to twenty times as fast on a
    CPU as torch's own."""
    d, h, w = x.shape[2:]
    if size[2] != w:
        x = x @ _shares(w, size[2], x).T
    if size[1] != h:
        x = _shares(h, size[1], x) @ x
    if size[0] != d:
        x = rearrange(_shares(d, size[0], x) @ x.flatten(3), "b c d (h w) -> b c d h w", h=size[1])
    return x


def _shares(cells: int, points: int, like: Tensor) -> Float[Tensor, "points cells"]:
    """How much each cell counts at each of the points that are spread evenly over all of them."""
    place = (torch.arange(points, device=like.device) + 0.5) * (cells / points) - 0.5
    place = place.clamp(0, cells - 1)
    near = 1 - (place[:, None] - torch.arange(cells, device=like.device)).abs()
    return near.clamp(min=0).to(like.dtype)


def size_of(x: Float[Tensor, "b c d h w"]) -> Step:
    """(d, h, w)."""
    d, h, w = x.shape[2:]
    return d, h, w
