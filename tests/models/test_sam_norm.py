"""The norm over channels against the package's, forwards and backwards, and in its place."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from segment_anything.modeling.common import LayerNorm2d
from torch import nn

from bench.models.sam.norm import ChannelNorm, with_channel_norms


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("shape", [(2, 8, 5, 7), (1, 64, 16, 16)])
def test_it_is_the_packages(shape: tuple[int, int, int, int], scale: float) -> None:
    torch.manual_seed(0)
    theirs = LayerNorm2d(shape[1])
    nn.init.normal_(theirs.weight)
    nn.init.normal_(theirs.bias)
    ours = with_channel_norms(nn.Sequential(deepcopy(theirs)))
    x = scale * torch.randn(shape) + 3 * scale
    found = []
    for norm in (theirs, ours):
        given = x.clone().requires_grad_(True)
        value = norm(given)
        (value * torch.linspace(-1, 1, value.numel()).view(shape)).sum().backward()
        slopes = [p.grad for p in norm.parameters()]
        found.append((value, given.grad * scale, *slopes))  # type: ignore[operator]
    for own, package in zip(*found, strict=True):
        torch.testing.assert_close(own, package, atol=2e-4, rtol=1e-4)


def test_under_autocast_it_is_float32() -> None:
    x = torch.randn(2, 8, 5, 7).to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        found = ChannelNorm(8)(x)
    torch.testing.assert_close(found.float(), ChannelNorm(8)(x.float()), atol=2e-2, rtol=0)


def test_parameters_stay_where_they_are() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Sequential(LayerNorm2d(4, eps=0.5))).eval()
    before = dict(network.named_parameters())
    assert with_channel_norms(network) is network
    norm = network[1][0]
    assert isinstance(norm, ChannelNorm)
    assert (norm.eps, norm.training) == (0.5, False)
    after = dict(network.named_parameters())
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
