"""Training episodes on the route of `bench.models.sam2.memory`: slices shown, another one asked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bench.models.sam2.encode import Features
from bench.models.sam2.memory import Answer, ask, remember, rows_of


def set_image_size(network: nn.Module, size: int) -> None:
    """Let a SAM2Base expect another square input; no weight depends on it."""
    net: Any = network
    grid = size // net.backbone_stride
    net.image_size, net.sam_image_embedding_size = size, grid
    prompts = net.sam_prompt_encoder
    prompts.input_image_size = (size, size)
    prompts.image_embedding_size = (grid, grid)
    prompts.mask_input_size = (4 * grid, 4 * grid)


def encoded(network: nn.Module, images: Tensor) -> Features:
    """Features of normalised images (F, 3, S, S), by the package's own forward pass."""
    net: Any = network
    return Features(*net.forward_image(images)["backbone_fpn"])


def answered(network: nn.Module, features: Features, masks: Tensor) -> Answer:
    """Answers for the last slice of N episodes, M objects each, object after object.

    features: of N * (K + 1) images, episode after episode; masks (N, M, K, S, S) bool.
    """
    count, objects, supports = masks.shape[:3]
    frames = supports + 1
    owner = torch.arange(count, device=masks.device).repeat_interleave(objects) * frames
    shown = torch.cat([owner + k for k in range(supports)])
    given = masks.permute(2, 0, 1, 3, 4).flatten(0, 2)[:, None].float()
    memory = remember(network, rows_of(features, shown), given)
    rows = torch.arange(len(given), device=masks.device).chunk(supports)
    return ask(network, rows_of(features, owner + supports), [memory.take(row) for row in rows])
