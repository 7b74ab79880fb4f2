"""H-SAM: SAMed's encoder, and a decoder of two stages, of which the first guides the second."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.slices import Canvas
from bench.models.checkpoints import card_of
from bench.models.sam import build_sam
from bench.models.sam.entry import sam_entry
from bench.models.sam.lora_encoder import LoraEncoder
from bench.models.sam.two_stage import Stages, TwoStageDecoder, averaged
from bench.models.trained import load_trained, trained_state
from bench.train.augment import random_views
from bench.train.augment_crops import cropped_views
from bench.train.losses import cross_entropy_squared_dice
from bench.train.optimisers import adamw
from bench.train.slicewise import (
    SliceRecipe,
    adjusted,
    fit_slices,
    labels_at,
    predict_slices,
)

RECIPES = {
    "published": SliceRecipe(batch=16, epochs=300, warm_up=250),
    "short": SliceRecipe(batch=16, epochs=30, warm_up=25),
}
VIEWS = {"shared": random_views, "own": cropped_views}


class HSAM:
    """Both stages are trained together; the second's share of the loss grows."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options = options
        self.device = torch.device(setting.device)
        self.recipe = adjusted(
            RECIPES[options.recipe],
            batch=options.batch,
            epochs=options.epochs,
            warm_up=options.warm_up,
            precision=options.precision,
        )
        card = card_of("sam", setting.backbone["sam"])
        entry = sam_entry(card, image_size=options.image_size, values=options.values)
        sam = build_sam(card, image_size=entry.size, device=self.device, cache=setting.cache)
        decoder = TwoStageDecoder(
            sam,
            classes=len(setting.classes),
            cmattn=options.cmattn,
            noise=options.noise,
            train_prompt=options.train_prompt,
        )
        encoder = LoraEncoder(
            sam.image_encoder, entry, rank=options.rank, precision=options.precision
        )
        self.canvas = Canvas(entry.size)
        self.network = Network(encoder, decoder, output=options.output).to(self.device)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        learned = [value for value in self.network.parameters() if value.requires_grad]
        yield from fit_slices(
            self.network,
            adamw(learned, lr=self.options.lr, weight_decay=self.options.weight_decay),
            support=task.support,
            canvas=self.canvas,
            clock=clock,
            recipe=self.recipe,
            loss=self._loss,
            device=self.device,
            views=VIEWS[self.options.augment],
        )

    def _loss(self, images: Tensor, labels: Tensor, done: float) -> Tensor:
        stages = self.network.stages(images, labels)
        one, two = (
            cross_entropy_squared_dice(
                logits, labels_at(labels, logits), dice_weight=self.options.dice_weight
            )
            for logits in (stages.first, stages.second)
        )
        share = second_share(done * self.recipe.epochs, kind=self.options.stage_weights)
        return (1 - share) * one + share * two

    def predict(self, volume: Volume) -> np.ndarray:
        return predict_slices(
            self.network,
            volume,
            canvas=self.canvas,
            device=self.device,
            precision=self.options.precision,
        )

    def parameters(self) -> Iterable[Tensor]:
        return self.network.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        """What is not in the checkpoint: LoRA and both decoders."""
        return trained_state(self.network)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        load_trained(self.network, state, source="the saved state of H-SAM")


class Network(nn.Module):
    """Slices (B, 1, S, S) in [0, 1] -> what is predicted from, (B, K + 1, 16h, 16w)."""

    def __init__(self, encoder: LoraEncoder, decoder: TwoStageDecoder, *, output: str) -> None:
        super().__init__()
        self.encoder, self.decoder, self.output = encoder, decoder, output

    def forward(self, images: Tensor) -> Tensor:
        return averaged(self.stages(images), kind=self.output)

    def stages(self, images: Tensor, labels: Tensor | None = None) -> Stages:
        return self.decoder(self.encoder(images), labels)


def second_share(epochs: float, *, kind: str = "released") -> float:
    """The second stage's weight after these epochs, of which the whole ones count; the first stage
    has the rest. Released: 0.6 ^ (0.99 ^ e). Paper: the first one's is 0.8 exp(-0.005 e)."""
    epoch = math.floor(epochs + 1e-6)
    if kind == "paper":
        return 1 - 0.8 * math.exp(-0.005 * epoch)
    return 0.6 ** (0.99**epoch)
