"""SAM's image encoder: one call for all methods, on the package's own module and weights.

    embedding = encode(sam.image_encoder, images)

The same numbers as the module's own forward pass, sooner and in less memory. Nothing is wrapped or
replaced, so names and state stay those of `segment_anything`. A method that changes what a block
does says so through `Hooks`; LoRA is added to the module by `bench.models.lora`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import Attention, window_partition, window_unpartition
from torch import Tensor

from bench.errors import RequestError
from bench.models.hooks import Hooks
from bench.models.sam.attention import relative_attention
from bench.train.precision import Precision, autocast, resolve_precision


@dataclass(frozen=True, eq=False)
class Site:
    """A block's attention, where a method may put its own.

    block   its number, from 0         window  side of its windows; 0 where it sees the whole image
    """

    block: int
    window: int
    attention: Attention

    @property
    def side(self) -> int:
        return self.window

    @property
    def width(self) -> int:
        return self.attention.qkv.in_features

    @property
    def heads(self) -> int:
        return self.attention.num_heads

    def attend(self, x: Tensor) -> Tensor:
        """The block's own attention: (B, h, w, C) -> (B, h, w, C)."""
        return _attend(self.attention, self.window, self.attention.qkv(x))

    def attend_each(self, x: Tensor, adapters: Sequence[str | None]) -> Tensor:
        """Its attention under each of these LoRA adapters alone; None: under none of them.

        (B, h, w, C) -> (adapters, B, h, w, C). What they share is computed once.
        """
        each = getattr(self.attention.qkv, "each", None)
        if each is None:
            raise RequestError(f"block {self.block} has no LoRA adapters: call add_lora first")
        projected = each(x, adapters)
        attended = _attend(self.attention, self.window, projected.flatten(0, 1))
        return attended.unflatten(0, (len(adapters), len(x)))

    def attend_beside(self, x: Tensor, adapters: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Its plain attention (B, h, w, C), and that under each of these adapters alone, (adapters,
        B, h, w, C), of which nothing is kept for a backward pass."""
        layer = self.attention.qkv
        plain = layer.base_layer(x)
        base = _attend(self.attention, self.window, plain)
        with torch.no_grad():
            projected = layer.each(x, adapters, base=plain)
            attended = _attend(self.attention, self.window, projected.flatten(0, 1))
        return base, attended.unflatten(0, (len(adapters), len(x)))

    def windows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, h, w, C) -> the windows (B * n, s, s, C) and where they are padding, (B * n, s, s).

        A block without windows is one window of the image's size.
        """
        real = x.new_ones((*x.shape[:3], 1))
        if not self.window:
            return x, real[..., 0] == 0
        partitioned, _ = window_partition(x, self.window)
        return partitioned, window_partition(real, self.window)[0][..., 0] == 0

    def join(self, windows: Tensor, size: tuple[int, int]) -> Tensor:
        """What `windows` took apart: (B * n, s, s, C) -> (B, h, w, C), without the padding."""
        if not self.window:
            return windows
        padded = (size[0] + -size[0] % self.window, size[1] + -size[1] % self.window)
        return window_unpartition(windows, self.window, padded, size)


def encode(
    encoder: ImageEncoderViT,
    images: Tensor,
    *,
    precision: Precision = "auto",
    hooks: Hooks | None = None,
) -> Tensor:
    """Normalised images (B, 3, S, S) -> embeddings (B, C, S / patch, S / patch), fp32.

    precision  fp32, bf16 or fp16 (by autocast); "auto" is fp32 on a CPU

    Nothing is kept for a backward pass where nothing of the encoder is trainable and there are no
    hooks. With hooks that is the caller's to say (`torch.no_grad`): they may hold trainable parts.
    """
    _check(encoder, images)
    trained = images.requires_grad or any(p.requires_grad for p in encoder.parameters())
    frozen = hooks is None and not (trained and torch.is_grad_enabled())
    cast = autocast(resolve_precision(precision, images.device), images.device)
    with torch.inference_mode() if frozen else nullcontext(), cast:
        embedding = _forward(encoder, images, hooks or Hooks()).float()
    # An inference tensor could not enter the graph of a decoder that is trained on it.
    return embedding.clone() if frozen else embedding


def sites(encoder: ImageEncoderViT) -> tuple[Site, ...]:
    """The encoder's attentions, block after block."""
    return tuple(Site(i, block.window_size, block.attn) for i, block in enumerate(encoder.blocks))


def _forward(encoder: ImageEncoderViT, images: Tensor, hooks: Hooks) -> Tensor:
    x = encoder.patch_embed(images)
    if encoder.pos_embed is not None:
        x = x + encoder.pos_embed
    # In place where no one else may hold x, so that no block touches new memory for it.
    owned = hooks.attend is None and hooks.after is None and not torch.is_grad_enabled()
    for number, (block, site) in enumerate(zip(encoder.blocks, sites(encoder), strict=True)):
        normed = block.norm1(x)
        attended = hooks.attend(site, normed) if hooks.attend else site.attend(normed)
        x = x.add_(attended) if owned else x + attended
        changed = block.mlp(block.norm2(x))
        x = x.add_(changed) if owned else x + changed
        if hooks.after is not None:
            x = hooks.after(number, x)
    return encoder.neck(x.permute(0, 3, 1, 2))


def _attend(attention: Attention, window: int, projected: Tensor) -> Tensor:
    """q, k and v of all positions (B, h, w, 3C) -> (B, h, w, C).

    The package pads its windows with zeros before it projects them. A zero's projection is the
    bias, with LoRA too, so only real positions are projected, here and after the attention.
    """
    batch, height, width, tripled = projected.shape
    if window:
        bias = attention.qkv.bias
        empty = projected.new_zeros(tripled) if bias is None else bias.to(projected.dtype)
        projected = _padded(projected, empty, window)
    rows, columns = (window, window) if window else (height, width)
    heads = attention.num_heads
    down, across = projected.shape[1] // rows, projected.shape[2] // columns
    # (B, down, rows, across, columns, 3, heads, d), each of q, k, v with a head of a window a row
    q, k, v = (
        projected.reshape(batch, down, rows, across, columns, 3, heads, -1)
        .permute(5, 0, 1, 3, 6, 2, 4, 7)
        .reshape(3, batch * down * across * heads, rows * columns, -1)
    )
    if attention.use_rel_pos:
        tables = (attention.rel_pos_h.to(q.dtype), attention.rel_pos_w.to(q.dtype))
        x = relative_attention(q, k, v, *tables, grid=(rows, columns))
    else:
        x = F.scaled_dot_product_attention(q[None], k[None], v[None])[0]
    x = (
        x.view(batch, down, across, heads, rows, columns, -1)
        .permute(0, 1, 4, 2, 5, 3, 6)
        .reshape(batch, down * rows, across * columns, -1)
    )
    # Contiguous: a Linear of anything else is one product an image row.
    return attention.proj(x[:, :height, :width].contiguous())


def _padded(x: Tensor, value: Tensor, window: int) -> Tensor:
    """(B, h, w, C) with `value` (C,) to the right and below, up to whole windows."""
    batch, height, width, channels = x.shape
    right, below = -width % window, -height % window
    if right:
        x = torch.cat([x, value.expand(batch, height, right, channels)], dim=2)
    if below:
        x = torch.cat([x, value.expand(batch, below, width + right, channels)], dim=1)
    return x


def _check(encoder: ImageEncoderViT, images: Tensor) -> None:
    channels, size = encoder.patch_embed.proj.in_channels, encoder.img_size
    if images.ndim != 4 or not len(images) or images.shape[1:] != (channels, size, size):
        shape = "x".join(map(str, images.shape))
        raise RequestError(
            f"images of shape {shape}; this encoder takes Bx{channels}x{size}x{size}: "
            "resize them, or build_sam(..., image_size=...)"
        )
