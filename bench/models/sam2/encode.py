"""SAM 2.1's image encoder: one call for all methods, on the package's own module and weights.

    features = encode(sam2, images)

The same numbers as the package's `forward_image`, sooner and in less memory. Nothing is wrapped or
replaced, so names and state stay those of `sam2`. A method that changes what a block does says so
through `Hooks`; LoRA is added by `bench.models.lora`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.hooks import Hooks
from bench.models.sam2.site import Site, pooled
from bench.train.precision import Precision, autocast, resolve_precision

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base

STRIP = 1 << 19
"""Numbers of a block's input that pass through it at a time on a CPU, about, for each thread: what
they become in between, up to four times as many, then stays in the cache."""


@dataclass(frozen=True, eq=False)
class Features:
    """What SAM 2's mask decoder takes, fp32. C is its width; the first two are projected for it.

    s4  (B, C / 8, S / 4, S / 4)    s8  (B, C / 4, S / 8, S / 8)    s16  (B, C, S / 16, S / 16)

    `vars(features)` is a mapping for the embedding cache, `Features(**mapping)` the way back.
    """

    s4: Tensor
    s8: Tensor
    s16: Tensor


def encode(
    sam2: SAM2Base,
    images: Tensor,
    *,
    precision: Precision = "auto",
    hooks: Hooks | None = None,
) -> Features:
    """Normalised images (B, 3, S, S) -> the three maps for the mask decoder.

    precision  fp32, bf16 or fp16 (by autocast); "auto" is fp32 on a CPU

    Nothing is kept for a backward pass where nothing on the way is trainable and there are no
    hooks. With hooks that is the caller's to say (`torch.no_grad`): they may hold trainable parts.
    """
    _check(sam2, images)
    decoder = sam2.sam_mask_decoder
    parts = (sam2.image_encoder, decoder.conv_s0, decoder.conv_s1)
    trained = images.requires_grad or any(p.requires_grad for m in parts for p in m.parameters())
    frozen = hooks is None and not (trained and torch.is_grad_enabled())
    cast = autocast(resolve_precision(precision, images.device), images.device)
    with torch.inference_mode() if frozen else nullcontext():
        places = _places(sam2.image_encoder.trunk, images.shape[-1])
        with cast:
            stages = _stages(sam2.image_encoder.trunk, images, places, hooks or Hooks())
            maps = [each.float() for each in _maps(sam2, stages)]
    if frozen:
        # An inference tensor could not enter the graph of a decoder that is trained on it.
        return Features(*(each.clone(memory_format=torch.contiguous_format) for each in maps))
    return Features(*(each.contiguous() for each in maps))


def sites(sam2: SAM2Base) -> tuple[Site, ...]:
    """The encoder's attentions, block after block."""
    return tuple(_site(i, block) for i, block in enumerate(sam2.image_encoder.trunk.blocks))


def _stages(trunk: Any, images: Tensor, places: Tensor, hooks: Hooks) -> list[Tensor]:
    """The last block's output of every stage, (B, h, w, C), finest first."""
    x = (trunk.patch_embed(images) + places).contiguous()
    alone = hooks.attend is None and hooks.after is None and not torch.is_grad_enabled()
    ended: list[Tensor] = []
    for number, block in enumerate(trunk.blocks):
        site = _site(number, block)
        if alone:
            # In place where no one else may hold x, so that no block touches new memory for it.
            x = _in_parts(block, site, x, owned=not any(each is x for each in ended))
        else:
            x = _block(block, site, x, hook=hooks.attend)
        if hooks.after is not None:
            x = hooks.after(number, x)
        if number in trunk.stage_ends:
            ended.append(x)
    return ended


def _block(
    block: Any,
    site: Site,
    x: Tensor,
    *,
    hook: Callable[[Site, Tensor], Tensor] | None = None,
    owned: bool = False,
) -> Tensor:
    normed = block.norm1(x)
    if block.dim != block.dim_out:
        x, owned = pooled(block.proj(normed), block.pool), not torch.is_grad_enabled()
    attended = block.drop_path(hook(site, normed) if hook else site.attend(normed))
    x = x.add_(attended) if owned else x + attended
    changed = block.drop_path(block.mlp(block.norm2(x)))
    return x.add_(changed) if owned or not torch.is_grad_enabled() else x + changed


def _in_parts(block: Any, site: Site, x: Tensor, *, owned: bool) -> Tensor:
    """A block of which nothing is kept for a backward pass, some images at a time on a CPU, or some
    rows of windows of an image: windows do not see each other."""
    batch, height, width, channels = x.shape
    images, rows, window = batch, height, block.window_size
    if x.device.type == "cpu":
        strip = STRIP * torch.get_num_threads()
        images = max(1, strip // (height * width * channels))
        if window:
            rows = max(1, strip // (width * channels * window)) * window
    parts = [
        [_block(block, site, strip, owned=owned) for strip in some.split(rows, dim=1)]
        for some in x.split(images)
    ]
    if owned and block.dim == block.dim_out:
        return x
    return _cat([_cat(strips, dim=1) for strips in parts], dim=0)


def _cat(parts: list[Tensor], *, dim: int) -> Tensor:
    """A single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=dim)


def _site(number: int, block: Any) -> Site:
    return Site(number, block.window_size, block.attn)


def _places(trunk: Any, size: int) -> Tensor:
    """What tells the positions apart, (1, S / 4, S / 4, C): a table resized and one repeated.

    PyTorch's bicubic resizing is slow on a CPU. It is the same for all columns and then for all
    rows, so two small products do it.
    """
    height, width = (size // step for step in trunk.patch_embed.proj.stride)
    table, tile = trunk.pos_embed[0], trunk.pos_embed_window[0]
    down, across = _bicubic(table.shape[1], height, table), _bicubic(table.shape[2], width, table)
    wide = torch.einsum("cij,jw->icw", table, across)
    places = torch.einsum("icw,ih->hwc", wide, down)
    repeats = (height // tile.shape[1], width // tile.shape[2], 1)
    return (places + tile.permute(1, 2, 0).tile(repeats))[None]


def _bicubic(rows: int, size: int, like: Tensor) -> Tensor:
    """(rows, size): the part that each row has in each of `size` resized rows."""
    one = torch.eye(rows, device=like.device, dtype=like.dtype)[None, ..., None]
    return F.interpolate(one, size=(size, 1), mode="bicubic")[0, ..., 0]


def _maps(sam2: SAM2Base, stages: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The neck, and the decoder's projections of the two fine levels: three maps (B, C, h, w)."""
    neck, decoder = sam2.image_encoder.neck, sam2.sam_mask_decoder
    last, third, second, first = (each.conv for each in neck.convs)
    planes = [stage.permute(0, 3, 1, 2) for stage in stages]
    if set(neck.fpn_top_down_levels) - {3} != {2} or neck.fuse_type != "sum":
        levels, _ = neck(planes)
        return decoder.conv_s0(levels[0]), decoder.conv_s1(levels[1]), levels[2]
    # Nothing is added to the fine levels, so their two projections are one of fewer channels.
    coarse = F.interpolate(last(planes[3]).float(), scale_factor=2.0, mode=neck.fpn_interp_model)
    return (
        _both(first, decoder.conv_s0, planes[0]),
        _both(second, decoder.conv_s1, planes[1]),
        third(planes[2]) + coarse,
    )


def _both(first: nn.Conv2d, second: nn.Conv2d, x: Tensor) -> Tensor:
    """second(first(x)), both of 1 x 1."""
    weight = second.weight.flatten(1) @ first.weight.flatten(1)
    assert first.bias is not None
    assert second.bias is not None
    bias = second.weight.flatten(1) @ first.bias + second.bias
    return F.conv2d(x, weight[..., None, None], bias)


def _check(sam2: SAM2Base, images: Tensor) -> None:
    channels, size = sam2.image_encoder.trunk.patch_embed.proj.in_channels, sam2.image_size
    if images.ndim != 4 or not len(images) or images.shape[1:] != (channels, size, size):
        shape = "x".join(map(str, images.shape))
        raise RequestError(
            f"images of shape {shape}; this encoder takes Bx{channels}x{size}x{size}: "
            "resize them, or build_sam2(..., image_size=...)"
        )
