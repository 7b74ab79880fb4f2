"""What SAMora is put on: whose decoder and loss it takes, and the recipe that comes with them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from bench.models.sam.decoder import PromptFreeDecoder
from bench.models.sam.two_stage import TwoStageDecoder
from bench.models.sam2.decoder import PromptFreeDecoder as PromptFreeDecoder2
from bench.train.augment import random_views
from bench.train.augment_crops import cropped_views
from bench.train.augment_turns import turned_views
from bench.train.losses import cross_entropy_squared_dice
from bench.train.schedule import poly_decay_to_zero
from bench.train.slicewise import SliceRecipe, Views, labels_at
from methods.hsam.method import Network as TwoStageNetwork
from methods.hsam.method import second_share
from methods.samora.families import SAM, SAM2, Family

Loss = Callable[[nn.Module, Tensor, Tensor, float, SimpleNamespace], Tensor]
"""network, images (B, 1, S, S), labels (B, S, S), epochs that are done, options -> mean loss."""


@dataclass(frozen=True)
class Base:
    """family   of networks that it is made for
    network  the whole network, the fused encoder, number of classes, options -> slices to scores
    lr       of the decoder
    views    the base's own augmentation
    """

    family: Family
    network: Callable[[Any, nn.Module, int, SimpleNamespace], nn.Module]
    loss: Loss
    recipe: SliceRecipe
    lr: float
    views: Views


def one_stage(sam: Any, encoder: nn.Module, classes: int, options: SimpleNamespace) -> nn.Module:
    decoder = PromptFreeDecoder(sam, classes=classes, train_prompt=options.train_prompt)
    return nn.Sequential(OrderedDict(encoder=encoder, decoder=decoder))


def one_stage_of_sam2(
    sam2: Any, encoder: nn.Module, classes: int, options: SimpleNamespace
) -> nn.Module:
    decoder = PromptFreeDecoder2(sam2, classes=classes, train_prompt=options.train_prompt)
    return nn.Sequential(OrderedDict(encoder=encoder, decoder=decoder))


def two_stage(sam: Any, encoder: nn.Module, classes: int, options: SimpleNamespace) -> nn.Module:
    decoder = TwoStageDecoder(
        sam, classes=classes, cmattn=options.cmattn, train_prompt=options.train_prompt
    )
    return TwoStageNetwork(encoder, decoder, output="logits")


def one_loss(
    network: nn.Module, images: Tensor, labels: Tensor, epochs: float, options: SimpleNamespace
) -> Tensor:
    return _against(network(images), labels, options)


def two_losses(
    network: nn.Module, images: Tensor, labels: Tensor, epochs: float, options: SimpleNamespace
) -> Tensor:
    """The second stage's share grows with the epochs, as H-SAM's released code has it."""
    stages, share = network.stages(images, labels), second_share(epochs)
    first, second = (_against(x, labels, options) for x in (stages.first, stages.second))
    return (1 - share) * first + share * second


def _against(logits: Tensor, labels: Tensor, options: SimpleNamespace) -> Tensor:
    return cross_entropy_squared_dice(
        logits, labels_at(labels, logits), dice_weight=options.dice_weight
    )


SAMED = Base(
    family=SAM,
    network=one_stage,
    loss=one_loss,
    recipe=SliceRecipe(batch=32, epochs=20, warm_up=25, decay=poly_decay_to_zero),
    lr=5e-3,
    views=turned_views,
)
BASES = {
    "samed": SAMED,
    "hsam": Base(
        family=SAM,
        network=two_stage,
        loss=two_losses,
        recipe=SliceRecipe(batch=32, epochs=30, warm_up=25, decay=poly_decay_to_zero),
        lr=2.5e-3,
        views=cropped_views,
    ),
    # There is no code of it: SAMed's recipe, with SAM 2's own decoder and its two fine maps.
    "sam2": replace(SAMED, family=SAM2, network=one_stage_of_sam2),
}


def views_of(base: Base, augment: str) -> Views:
    return base.views if augment == "own" else random_views
