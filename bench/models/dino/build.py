"""A DINOv2 or DINOv3 network of timm's classes.

`model(images)` is the class token after the last norm, (B, C); `model.forward_features(images)` are
all tokens after it, (B, P + N, C), of which the first P = `model.num_prefix_tokens` are no patches.
"""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints.card import DinoCard, Dinov2Architecture, Dinov3Architecture
from bench.models.checkpoints.file import checkpoint_file
from bench.models.checkpoints.fill import fill, freeze, same_randomness
from bench.models.checkpoints.reading import read_weights
from bench.models.dino.mapping import PERIODS, from_dinov2, from_dinov3
from bench.models.dino.vit import DinoV2


def make_dino(card: DinoCard) -> nn.Module:
    """The architecture with random weights, trainable, for any input of whole patches."""
    if isinstance(card.architecture, Dinov3Architecture):
        return _dinov3(card, card.architecture)
    return _dinov2(card, card.architecture)


def _dinov2(card: DinoCard, shape: Dinov2Architecture) -> DinoV2:
    return DinoV2(
        img_size=card.input_size,
        patch_size=shape.patch,
        embed_dim=shape.width,
        depth=shape.depth,
        num_heads=shape.heads,
        mlp_ratio=shape.mlp_ratio,
        init_values=1e-5 if shape.layer_scale else None,
        num_classes=0,
        dynamic_img_size=True,
    )


def _dinov3(card: DinoCard, shape: Dinov3Architecture) -> nn.Module:
    if not timm.is_model(shape.timm):
        raise RequestError(
            f"{card.family} {card.name}: timm {timm.__version__} knows no model {shape.timm!r}"
        )
    return timm.create_model(shape.timm, pretrained=False, num_classes=0, global_pool="token")


def build_dino(
    card: DinoCard, *, device: str | torch.device = "cpu", cache: Path | str | None = None
) -> nn.Module:
    """The card's network with its weights: evaluation mode, frozen, on the device.

    It takes any image whose sides are multiples of its patch.
    """
    with same_randomness():
        dino = make_dino(card)
    path = checkpoint_file(card, cache)
    weights = read_weights(path, nesting=card.nesting)
    if isinstance(card.architecture, Dinov3Architecture):
        fill(dino, from_dinov3(weights, source=str(path)), source=str(path))
        _take_periods(dino, weights, source=str(path))
    else:
        fill(dino, from_dinov2(weights), source=str(path))
    return freeze(dino, device)


def _take_periods(dino: nn.Module, weights: dict[str, Tensor], *, source: str) -> None:
    """The checkpoint's own rotary periods: they were rounded in training, timm's are exact."""
    periods = dino.get_buffer("rope.periods")
    if PERIODS not in weights or weights[PERIODS].shape != periods.shape:
        raise RequestError(
            f"{source} does not fit the architecture on its card: {PERIODS} is missing or not "
            f"of length {len(periods)}"
        )
    periods.copy_(weights[PERIODS])
