"""From the key layouts of the original checkpoints to timm's."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.errors import RequestError

PERIODS = "rope_embed.periods"


def from_dinov2(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """timm kept DINOv2's names. `mask_token` serves its pre-training alone."""
    return {name: tensor for name, tensor in weights.items() if name != "mask_token"}


def from_dinov3(weights: Mapping[str, Tensor], *, source: str) -> dict[str, Tensor]:
    """timm's Eva has other names, and no bias on the keys.

    The original multiplies the bias of q, k and v with a stored mask that is 0 for k.
    """
    mapped: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if name in ("mask_token", PERIODS) or name.endswith("attn.qkv.bias_mask"):
            continue
        if name.endswith("attn.qkv.bias"):
            bias = tensor * weights.get(f"{name}_mask", torch.ones_like(tensor))
            query, key, value = bias.chunk(3)
            if key.any():  # a mask that was never filled is NaN: that counts as a bias too
                raise RequestError(f"{source}: {name} has a bias on the keys; DINOv3 has none")
            stem = name.removesuffix("qkv.bias")
            mapped[f"{stem}q_bias"] = query
            mapped[f"{stem}v_bias"] = value
            continue
        name = name.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2")
        mapped["reg_token" if name == "storage_tokens" else name] = tensor
    return mapped
