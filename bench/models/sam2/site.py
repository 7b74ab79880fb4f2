"""A block's attention in SAM 2's image encoder (Hiera), where a method may put its own.

Hiera differs from SAM's ViT: no relative positions, windows of another side in every stage, and in
the first block of a stage the queries are pooled, so that a quarter of the tokens comes out, with
twice the channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import RequestError

if TYPE_CHECKING:
    from sam2.modeling.backbones.hieradet import MultiScaleAttention


@dataclass(frozen=True, eq=False)
class Site:
    """One attention. (B, h, w, C) goes in, (B, h', w', C') comes out.

    block      its number, from 0
    window     side of its windows in what goes in; 0 where it sees the whole image
    attention  the package's module
    """

    block: int
    window: int
    attention: MultiScaleAttention

    @property
    def side(self) -> int:
        """Of its windows in what comes out."""
        return self.window // _stride(self.attention)

    @property
    def width(self) -> int:
        return self.attention.dim_out

    @property
    def heads(self) -> int:
        return self.attention.num_heads

    def attend(self, x: Tensor) -> Tensor:
        """The block's own attention: (B, h, w, C) -> (B, h', w', C')."""
        return _attend(self.attention, self.window, x, self.attention.qkv)

    def attend_each(self, x: Tensor, adapters: Sequence[str | None]) -> Tensor:
        """Its attention under each of these LoRA adapters alone; None: under none of them.

        (B, h, w, C) -> (adapters, B, h', w', C'). What they share is computed once.
        """
        each = getattr(self.attention.qkv, "each", None)
        if each is None:
            raise RequestError(f"block {self.block} has no LoRA adapters: call add_lora first")

        def project(tokens: Tensor) -> Tensor:
            return each(tokens, adapters).flatten(0, 1)

        attended = _attend(self.attention, self.window, x, project)
        return attended.unflatten(0, (len(adapters), len(x)))

    def attend_beside(self, x: Tensor, adapters: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Its plain attention (B, h', w', C'), and that under each of these adapters alone,
        (adapters, B, h', w', C'), of which nothing is kept for a backward pass."""
        layer, known = self.attention.qkv, []

        def plain(tokens: Tensor) -> Tensor:
            known.append(layer.base_layer(tokens))
            return known[0]

        def project(tokens: Tensor) -> Tensor:
            return layer.each(tokens, adapters, base=known[0]).flatten(0, 1)

        base = _attend(self.attention, self.window, x, plain)
        with torch.no_grad():
            attended = _attend(self.attention, self.window, x, project)
        return base, attended.unflatten(0, (len(adapters), len(x)))

    def windows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What came out -> its windows (B * n, s, s, C') and where they are padding, (B * n, s, s).

        A block without windows is one window of the image's size.
        """
        real = x.new_ones((*x.shape[:3], 1))
        if not self.window:
            return x, real[..., 0] == 0
        side = (self.side, self.side)
        below, right = (-length % self.side for length in x.shape[1:3])
        tokens, known = (
            _taken_apart(F.pad(each, (0, 0, 0, right, 0, below)), side).unflatten(1, side)
            for each in (x, real)
        )
        return tokens, known[..., 0] == 0

    def join(self, windows: Tensor, size: tuple[int, int]) -> Tensor:
        """What `windows` took apart: (B * n, s, s, C') -> (B, *size, C'), without the padding."""
        if not self.window:
            return windows
        return _joined(windows.flatten(1, 2), (self.side, self.side), size)


def _attend(attention: Any, window: int, x: Tensor, project: Callable[[Tensor], Tensor]) -> Tensor:
    """(B, h, w, C) -> (A, h', w', C'). project: (B, ..., C) -> q | k | v, (A, ..., 3C').

    The package pads its windows with zeros before it projects them. A zero's projection is the
    bias, with LoRA too, so only real positions are projected, here and after the attention.
    """
    height, width = x.shape[1:3]
    rows, columns = (window, window) if window else (height, width)
    if height % rows or width % columns:
        projected = _padded(project(x), attention.qkv.bias, (rows, columns))
        projected = _taken_apart(projected, (rows, columns))
    else:
        # Windows first: a third of the numbers is moved then.
        projected = project(_taken_apart(x, (rows, columns)))
    # Each (A * n, tokens of a window, heads, d)
    q, k, v = projected.unflatten(2, (3, attention.num_heads, -1)).unbind(2)
    if attention.q_pool is not None:
        # The side of a window is even, so that a pooled token is all image or all padding.
        q = pooled(q.flatten(2).unflatten(1, (rows, columns)), attention.q_pool)
        stride = _stride(attention)
        height, width, rows, columns = (n // stride for n in (height, width, rows, columns))
        q = q.flatten(1, 2).unflatten(2, (attention.num_heads, -1))
    q, k, v = (each.transpose(1, 2) for each in (q, k, v))
    attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return attention.proj(_joined(attended, (rows, columns), (height, width)))


def pooled(x: Tensor, pool: Any) -> Tensor:
    """(B, h, w, C) -> (B, h', w', C); no pool: as it is."""
    return x if pool is None else pool(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def _stride(attention: Any) -> int:
    return 1 if attention.q_pool is None else attention.q_pool.stride[0]


def _padded(x: Tensor, value: Tensor, side: tuple[int, int]) -> Tensor:
    """(B, h, w, C) with `value` (C,) to the right and below, up to whole windows."""
    batch, height, width, channels = x.shape
    below, right, value = -height % side[0], -width % side[1], value.to(x.dtype)
    x = torch.cat([x, value.expand(batch, height, right, channels)], dim=2)
    return torch.cat([x, value.expand(batch, below, width + right, channels)], dim=1)


def _taken_apart(x: Tensor, side: tuple[int, int]) -> Tensor:
    """(B, h, w, C), whole windows -> (B * n, tokens of a window, C)."""
    x = x.unflatten(2, (-1, side[1])).unflatten(1, (-1, side[0]))
    return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def _joined(windows: Tensor, side: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """What `_taken_apart` gave -> (B, *size, C) without the padding."""
    (height, width), (rows, columns) = size, side
    x = windows.unflatten(0, (-1, -(-height // rows), -(-width // columns)))
    x = x.unflatten(3, side).transpose(2, 3).flatten(3, 4).flatten(1, 2)
    # Contiguous: a Linear of anything else is one product an image row.
    return x[:, :height, :width].contiguous()
