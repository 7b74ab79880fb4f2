"""HL-Attn: what several low-rank experts would change in a block, fused into one change (SAMora).

An expert's residual is the block's attention under it minus the block's attention without it. The
lowest level is fused into the next higher one, that result into the next. An attention here gives
the change of the higher level only: the cross-attention of the paper, less its query.

    P = D_patch + g CA(D_patch <- D_pixel)      I = D_image + g CA(D_image <- P)      E = finish(I)

    fusion = make_fusion("stable", width=768, levels=3, heads=12)
    change = fusion(residuals)                  # (3, n, t, C), highest level first -> (n, t, C)

This file knows tokens only. `bench.models.experts` puts it into SAM's encoder.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import RequestError, unknown

HEAD = 16
"""Channels of a head within the bottleneck."""


class BottleneckAttention(nn.Module):
    """Attention of `width` channels through `bottleneck` of them; it starts as no change at all.

    The norms have no weights of their own: the projections after them would undo any. One norm
    serves keys and values.
    """

    def __init__(self, width: int, *, bottleneck: int) -> None:
        super().__init__()
        if bottleneck < 1 or (bottleneck > HEAD and bottleneck % HEAD):
            raise RequestError(
                f"HL-Attn of width {bottleneck}: give a multiple of {HEAD}, or less than {HEAD}"
            )
        self.heads = max(1, bottleneck // HEAD)
        self.query = nn.Linear(width, bottleneck)
        self.key_value = nn.Linear(width, 2 * bottleneck)
        self.out = nn.Linear(bottleneck, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, high: Tensor, low: Tensor, padding: Tensor | None) -> Tensor:
        """high, low (n, t, C); padding (n, t), True where a token is none -> (n, t, C)"""
        q = self.query(F.layer_norm(high, high.shape[-1:]))
        kv = self.key_value(F.layer_norm(low, low.shape[-1:]))
        # (n, t, heads * d) -> (n, heads, t, d)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, *kv.chunk(2, -1)))
        mixed = attend(q, k, v, padding)
        return self.out(mixed.transpose(1, 2).flatten(2))


def attend(q: Tensor, k: Tensor, v: Tensor, padding: Tensor | None) -> Tensor:
    """(n, heads, t, d) three times; padding (n, t), True where a key is none -> (n, heads, t, d)

    On a CPU written out: PyTorch's fused kernel has a backward pass there that is several times
    slower in bf16, and none that is faster, for heads as narrow as these.
    """
    if q.device.type != "cpu":
        seen = None if padding is None else ~padding[:, None, None, :]
        return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if padding is not None:
        scores = scores.masked_fill(padding[:, None, None, :], float("-inf"))
    return scores.softmax(-1).to(v.dtype) @ v


class FullAttention(nn.Module):
    """The released code's: PyTorch's own attention at full width and one more Linear after it."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.out = nn.Linear(width, width)

    def forward(self, high: Tensor, low: Tensor, padding: Tensor | None) -> Tensor:
        """As above, but padding takes part, as it does there."""
        query, key, value = (norm(x) for norm, x in zip(self.norms, (high, low, low), strict=True))
        return self.out(self.attention(query, key, value, need_weights=False)[0])


class Scale(nn.Module):
    """A factor a channel, 1 at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class HLAttention(nn.Module):
    """The fusion of one block."""

    def __init__(self, attentions: list[nn.Module], finish: nn.Module) -> None:
        """attentions: from the lowest pair of levels to the highest."""
        super().__init__()
        self.attentions = nn.ModuleList(attentions)
        self.gates = nn.ParameterList(nn.Parameter(torch.ones(())) for _ in attentions)
        self.finish = finish

    def forward(self, residuals: Tensor, padding: Tensor | None = None) -> Tensor:
        """(levels, n, t, C), highest first; padding (n, t) -> (n, t, C)"""
        *higher, fused = residuals.unbind()
        for high, attention, gate in zip(
            reversed(higher), self.attentions, self.gates, strict=True
        ):
            fused = high + gate * attention(high, fused, padding)
        return self.finish(fused)


class Sum(nn.Module):
    """The released code's alternative without weights: the residuals are added."""

    def forward(self, residuals: Tensor, padding: Tensor | None = None) -> Tensor:
        return residuals.sum(0)


def stable(*, width: int, levels: int, heads: int, bottleneck: int) -> nn.Module:
    """At the start the highest level's residual as it is."""
    pairs = [BottleneckAttention(width, bottleneck=bottleneck) for _ in range(levels - 1)]
    return HLAttention([*pairs], Scale(width))


def released(*, width: int, levels: int, heads: int, bottleneck: int) -> nn.Module:
    """At the start a change of unit variance, however small the residuals are."""
    pairs = [FullAttention(width, heads=heads) for _ in range(levels - 1)]
    return HLAttention([*pairs], nn.LayerNorm(width))


def added(*, width: int, levels: int, heads: int, bottleneck: int) -> nn.Module:
    return Sum()


MODES = {"stable": stable, "released": released, "sum": added}
SEES_PADDING = frozenset({"released"})
"""Modes whose tokens are those of padded windows, padding included."""


def make_fusion(
    mode: str, *, width: int, levels: int, heads: int, bottleneck: int = 32
) -> nn.Module:
    """One block's fusion, trainable.

    levels      experts there are            heads       of the block, for `released`
    bottleneck  width inside `stable`'s attention
    """
    if mode not in MODES:
        raise unknown("fusion", mode, MODES)
    return MODES[mode](width=width, levels=levels, heads=heads, bottleneck=bottleneck)
