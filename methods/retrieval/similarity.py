"""One vector a slice, by which slices are compared: DINO's class token, or its mean patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from bench.contract import Setting
from bench.models.checkpoints import card_of
from bench.models.dino import build_dino
from bench.models.embeddings.frozen import FrozenEncoder, frozen_encoder, side_of
from bench.train.precision import Precision, autocast, resolve_precision

OWN_SIZE = 224
"""Pixels a side at which class tokens are compared, where the checkpoint is for more."""


def cls(dino: Any, images: Tensor) -> Tensor:
    """(B, C), after the last norm: what the published networks give when they are called."""
    return dino.forward_features(images)[:, 0]


def patch_mean(dino: Any, images: Tensor) -> Tensor:
    return dino.forward_features(images)[:, dino.num_prefix_tokens :].mean(dim=1)


FEATURES: dict[str, Callable[[Any, Tensor], Tensor]] = {"cls": cls, "patch_mean": patch_mean}


def similarity_encoder(
    setting: Setting, *, feature: str, size: str | int, precision: Precision
) -> tuple[Any, FrozenEncoder]:
    """DINO, and slices of a volume -> (D, C), each computed once for all units."""
    card = card_of("dino", setting.backbone["dino"])
    side = min(card.input_size, OWN_SIZE) if size == "auto" else side_of(card, size)
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
