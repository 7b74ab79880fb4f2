"""SAM 2 for tests: weights that show everywhere, and the package's own way to the three maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bench.models.checkpoints import card_of
from bench.models.sam2 import make_sam2


def random_sam2(name: str, size: int) -> Any:
    """The card's architecture in evaluation mode, trainable."""
    torch.manual_seed(0)
    sam2 = make_sam2(card_of("sam2", name), image_size=size).eval()
    # The package starts its position tables, and PyTorch nothing else that matters, at zero.
    with torch.no_grad():
        for part, parameter in sam2.named_parameters():
            if "pos_embed" in part or part.endswith("bias"):
                parameter.normal_(std=0.3)
    return sam2


def packaged(sam2: Any, images: Tensor) -> list[Tensor]:
    """What the package gives its mask decoder, finest map first."""
    return list(sam2.forward_image(images)["backbone_fpn"])


def apart(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return ((found - expected).abs().max() / expected.abs().max()).item()


def shake(module: nn.Module) -> None:
    """LoRA of its start is no change; this is one."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if ".lora_" in name:
                parameter.normal_(std=0.3)
