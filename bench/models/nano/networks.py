"""The three nano networks as their cards describe them: random weights, trainable."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from segment_anything.modeling import Sam
from torch import Tensor, nn

from bench.models.checkpoints.card import CheckpointCard
from bench.models.checkpoints.normalise import normalise
from bench.models.checkpoints.shelf import card_of
from bench.models.dino import make_dino
from bench.models.sam import make_sam
from bench.models.sam2 import make_sam2

if TYPE_CHECKING:
    from sam2.sam2_video_predictor import SAM2VideoPredictor


@cache
def nano_card(which: str) -> CheckpointCard:
    """Size of the input, normalisation, architecture: the one place that says them."""
    return card_of(which, "nano")


def build_sam() -> Sam:
    """Segment Anything, small."""
    return make_sam(card_of("sam", "nano"))


def build_sam2() -> SAM2VideoPredictor:
    """SAM 2.1 with memory, object pointers and object score, small."""
    return make_sam2(card_of("sam2", "nano"))


def build_dino() -> nn.Module:
    """A vision transformer whose normalised class token is the image's embedding."""
    return make_dino(card_of("dino", "nano"))


BUILDERS = {"sam": build_sam, "sam2": build_sam2, "dino": build_dino}


def normalised(images: Tensor, which: str) -> Tensor:
    """Grey images (..., 1, H, W) in [0, 1] -> the three normalised channels a network expects."""
    return normalise(images.expand(*images.shape[:-3], 3, *images.shape[-2:]), nano_card(which))
