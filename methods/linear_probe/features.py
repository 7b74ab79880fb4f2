"""Which frozen encoder's cells are looked at."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from bench.contract import Setting
from bench.models.checkpoints import card_of
from bench.models.dino import build_dino
from bench.models.dino.frozen import frozen_dino
from bench.models.embeddings.frozen import FrozenEncoder
from bench.models.sam import build_sam
from bench.models.sam.frozen import frozen_sam
from bench.options import given

Family = Callable[[SimpleNamespace, Setting], tuple[FrozenEncoder, int]]
"""Options and setting -> the encoder, and how many channels its cells have."""


def _dino(options: SimpleNamespace, setting: Setting) -> tuple[FrozenEncoder, int]:
    card = card_of("dino", setting.backbone["dino"])
    dino = build_dino(card, device=setting.device, cache=setting.cache)
    encoder = frozen_dino(
        dino,
        card,
        size=given(options.image_size, card.input_size),
        device=setting.device,
        cache=setting.cache,
        precision=options.precision,
    )
    return encoder, dino.num_features


def _sam(options: SimpleNamespace, setting: Setting) -> tuple[FrozenEncoder, int]:
    card = card_of("sam", setting.backbone["sam"])
    size = given(options.image_size, card.input_size)
    sam = build_sam(card, image_size=size, device=setting.device, cache=setting.cache)
    encoder = frozen_sam(
        sam, card, device=setting.device, cache=setting.cache, precision=options.precision
    )
    return encoder, card.architecture.embedding


FAMILIES: dict[str, Family] = {"dino": _dino, "sam": _sam}
