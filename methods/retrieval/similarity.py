"""One vector a slice, by which slices are compared: of DINO, or of the pixels as a control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from bench.contract import Setting
from bench.models.checkpoints import card_of
from bench.models.dino import build_dino
from bench.models.embeddings.frozen import FrozenEncoder, frozen_encoder
from bench.options import given
from bench.train.precision import Precision, autocast, resolve_precision

THUMBNAIL = 24
"""Pixels a side, as in the control that copies the nearest slice's mask."""
OWN_SIZE = 224
"""Pixels a side at which class tokens are compared, where the checkpoint is for more."""


def cls(dino: Any, images: Tensor) -> Tensor:
    """(B, C), after the last norm: what the published networks give when they are called."""
    return dino.forward_features(images)[:, 0]


def patch_mean(dino: Any, images: Tensor) -> Tensor:
    return dino.forward_features(images)[:, dino.num_prefix_tokens :].mean(dim=1)


def pixels(dino: Any, images: Tensor) -> Tensor:
    """(B, t * t): a thumbnail about its mean, so that the cosine is a correlation. No network."""
    small = F.adaptive_avg_pool2d(images[:, :1].float(), THUMBNAIL).flatten(1)
    return small - small.mean(dim=1, keepdim=True)


FEATURES: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "cls": cls,
    "patch_mean": patch_mean,
    "pixels": pixels,
}


def width_of(feature: str, dino: Any) -> int:
    """Numbers in a vector."""
    return THUMBNAIL**2 if feature == "pixels" else int(dino.num_features)


def similarity_encoder(
    setting: Setting, *, feature: str, size: str | int, precision: Precision
) -> tuple[Any, FrozenEncoder]:
    """DINO, and slices of a volume -> (D, C), each computed once for all units."""
    card = card_of("dino", setting.backbone["dino"])
    side = given(size, min(card.input_size, OWN_SIZE))
    dino: Any = build_dino(card, device=setting.device, cache=setting.cache)
    name = resolve_precision(precision, setting.device)

    def vectors(images: Tensor) -> Tensor:
        with autocast(name, setting.device):
            return FEATURES[feature](dino, images).float()

    encoder = frozen_encoder(
        vectors,
        card,
        size=side,
        precision=name,
        output=f"one vector: {feature}",
        device=setting.device,
        cache=setting.cache,
    )
    return dino, encoder
