"""The attention equals its definition, written out as a dense table, in outputs and gradients."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from einops import rearrange
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from rect_core.preprocess import GridConfig
from rect_encoder.attend import attend
from rect_encoder.attention import MASKED, SUMMARY, AttentionBias, SliceRegionAttention, attention_bias
from rect_encoder.config import EncoderConfig


def some_scan(slices: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shares, region presence and patch presence of two scans with padding; regions 3 and 20 are in neither."""
    random = torch.Generator().manual_seed(3)
    shares = torch.rand(2, slices * size, SUMMARY - 1, generator=random, dtype=torch.float64)
    shares *= torch.rand(shares.shape, generator=random) < 0.4
    shares[..., [2, 19]] = 0.0
    shares[1, :, 7] = 0.0
    patch_present = torch.rand(2, slices * size, generator=random) < 0.7
    patch_present[0, :size] = False
    return shares / SUMMARY, shares.sum(1) > 0, patch_present


def dense_bias(
    module: SliceRegionAttention, scan: tuple[Tensor, Tensor, Tensor], neighbours: int | None
) -> list[list[list[Tensor]]]:
    """Bias (heads) of every query (list) and key (list) of every scan (list), straight from the definition."""
    shares, region_present, patch_present = scan
    size = shares.shape[1] // module.slices
    nothing, never = torch.zeros(module.heads, dtype=torch.float64), torch.full((module.heads,), -math.inf).double()

    def pair(b: int, i: int, j: int) -> Tensor:
        patch_i, patch_j = i - SUMMARY, j - SUMMARY
        if patch_j >= 0 and not patch_present[b, patch_j]:
            return never
        if patch_i >= 0 and patch_j >= 0:
            apart = abs(patch_i // size - patch_j // size)
            return module.distance_bias[:, apart] if neighbours is None or apart <= neighbours else never
        region, patch = (min(i, j), max(patch_i, patch_j))
        if patch >= 0:
            return nothing if region == SUMMARY - 1 else nothing + shares[b, patch, region].log()
        absent = any(r < SUMMARY - 1 and not region_present[b, r] for r in (i, j))
        return never if absent and i != j else nothing

    tokens = range(SUMMARY + shares.shape[1])
    return [[[pair(b, i, j) for j in tokens] for i in tokens] for b in range(shares.shape[0])]


def dense(module: SliceRegionAttention, x: Tensor, scan: tuple[Tensor, Tensor, Tensor], reach: int | None) -> Tensor:
    rows = dense_bias(module, scan, reach)
    bias = torch.stack([torch.stack([torch.stack(row, -1) for row in scan_rows], 1) for scan_rows in rows])
    q, k, v = rearrange(module.qkv(x), "b s (three heads c) -> three b heads s c", three=3, heads=module.heads)
    weights = (q @ rearrange(k, "b heads s c -> b heads c s") / q.shape[-1] ** 0.5 + bias).softmax(-1)
    return module.out(rearrange(weights @ v, "b heads s c -> b s (heads c)"))


def results(out: Tensor, x: Tensor, module: SliceRegionAttention) -> dict[str, Tensor]:
    towards = torch.randn(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(4))
    named = {"input": x, **dict(module.named_parameters())}
    return {"output": out, **dict(zip(named, torch.autograd.grad((out * towards).sum(), named.values()), strict=True))}


@pytest.mark.parametrize("layer", ["own slice", "one neighbour", "two neighbours", "beyond the grid", "full"])
def test_outputs_and_all_gradients_equal_the_dense_definition(config: EncoderConfig, layer: str) -> None:
    neighbours = {"own slice": 0, "one neighbour": 1, "two neighbours": 2, "beyond the grid": 7}.get(layer)
    config = replace(config, neighbours=neighbours or 0)
    torch.manual_seed(0)
    module = SliceRegionAttention(config, full=layer == "full").double()
    torch.nn.init.normal_(module.distance_bias)
    scan = some_scan(slices=4, size=5)
    x = torch.randn(2, SUMMARY + 20, config.dim, dtype=torch.float64, requires_grad=True)
    ours = results(module(x, attention_bias(*scan)), x, module)
    expected = results(dense(module, x, scan, neighbours), x, module)
    for name in expected:
        torch.testing.assert_close(ours[name], expected[name], rtol=1e-9, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}")
    assert expected["distance_bias"].abs().max() > 1e-3


def test_slices_farther_apart_than_the_table_share_its_last_bias(config: EncoderConfig) -> None:
    deep = replace(config, grid=GridConfig(shape=(80, 16, 16), spacing_mm=(5.0, 16.0, 16.0)))
    module = SliceRegionAttention(deep, full=True)
    with torch.no_grad():
        module.distance_bias.copy_(torch.arange(32.0).expand(deep.heads, -1))
    asks, _ = module._slice_columns(1)
    assert asks[0, 0].tolist() == [*range(32), *[31] * 8]


def test_a_scan_of_nothing_but_padding_gives_finite_outputs_and_gradients(config: EncoderConfig) -> None:
    shares, regions, patches = torch.zeros(1, 20, 20), torch.zeros(1, 20).bool(), torch.zeros(1, 20).bool()
    for full in (False, True):
        module = SliceRegionAttention(config, full=full)
        x = torch.randn(1, SUMMARY + 20, config.dim, requires_grad=True)
        found = results(module(x, attention_bias(shares, regions, patches)), x, module)
        assert all(value.isfinite().all() for value in found.values())


def peak_bytes(trace: Path, slices: int, *, full: bool, train: bool) -> int:
    """Most memory that one attention call holds at once, its own scratch space included."""
    grid = GridConfig(shape=(slices, 8, 8), spacing_mm=(5.0, 5.0, 5.0))
    module = SliceRegionAttention(EncoderConfig(dim=32, heads=2, patch=(1, 1, 1), grid=grid), full=full)
    n = slices * 64
    bias = attention_bias(torch.rand(1, n, 20), torch.ones(1, 20).bool(), torch.ones(1, n).bool())
    x = torch.randn(1, SUMMARY + n, 32, requires_grad=train)
    with torch.set_grad_enabled(train), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        run(module, x, bias, train=train)
    watched.export_chrome_trace(str(trace))
    events = sorted((e for e in json.loads(trace.read_text())["traceEvents"] if e["name"] == "[memory]"), key=when)
    return max(itertools.accumulate(e["args"]["Bytes"] for e in events))


def when(event: dict[str, float]) -> float:
    return event["ts"]


def run(module: SliceRegionAttention, x: Tensor, bias: AttentionBias, *, train: bool) -> None:
    out = module(x, bias)
    if train:
        out.sum().backward()


@pytest.mark.parametrize("full", [False, True], ids=["window", "full"])
@pytest.mark.parametrize("train", [False, True], ids=["inference", "training"])
def test_peak_memory_grows_linearly_with_slices(full: bool, train: bool, tmp_path: Path) -> None:
    few, many = (peak_bytes(tmp_path / "trace.json", slices, full=full, train=train) for slices in (8, 32))
    # Four times the slices: a table of all pairs would take 16 times the memory. A full layer has a column a slice.
    assert 3 < many / few < (7 if full else 4.5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("few", [0, 2**24])
def test_either_way_to_attend_gives_the_formula_and_its_gradients(
    few: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rect_encoder.attend.FEW", few)
    torch.manual_seed(0)
    q, k, v, mask = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8), torch.randn(2, 3, 7, 4), torch.randn(2, 1, 5, 7)
    mask[..., 2] = MASKED
    q, k, v, mask = (x.to(dtype) for x in (q, k, v, mask))
    given, exact = (
        [x.detach().to(kind).clone().requires_grad_() for x in (q, k, v)] for kind in (dtype, torch.float64)
    )
    out = attend(*given, mask)
    true = (exact[0] @ exact[1].mT + mask).softmax(-1) @ exact[2]
    assert out.dtype == dtype
    assert out.shape == (2, 3, 5, 4)
    weight = torch.randn(out.shape).to(dtype)
    (out * weight).sum().backward()
    (true * weight).sum().backward()
    close = {"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(out.double(), true, **close)
    for a, b in zip(given, exact, strict=True):
        torch.testing.assert_close(a.grad.double(), b.grad, **close)
    assert (given[1].grad[:, :, 2] == 0).all(), "what is masked is not read at all"
