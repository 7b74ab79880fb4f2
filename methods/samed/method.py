"""SAMed: LoRA in SAM's encoder, and its decoder without prompts, one mask a class."""

from __future__ import annotations

from collections import OrderedDict
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
from bench.models.sam.decoder import PromptFreeDecoder
from bench.models.sam.decoder_lora import add_decoder_lora
from bench.models.sam.entry import sam_entry
from bench.models.sam.lora_encoder import LoraEncoder
from bench.models.trained import load_trained, trained_state
from bench.train.augment import random_views
from bench.train.augment_turns import turned_views
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
    "published": SliceRecipe(batch=24, epochs=160, planned=200, warm_up=250),
    "short": SliceRecipe(batch=24, epochs=20, warm_up=25),
}
VIEWS = {"shared": random_views, "own": turned_views}


class SAMed:
    """The encoder learns by LoRA alone, the decoder as a whole; Dice and cross-entropy on its
    low-resolution logits."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options = options
        self.device = torch.device(setting.device)
        self.recipe = adjusted(
            RECIPES[options.recipe],
            batch=options.batch,
            epochs=options.epochs,
            warm_up=options.warm_up,
            precision=options.precision,
            compile=options.compile,
        )
        card = card_of("sam", setting.backbone["sam"])
        entry = sam_entry(card, image_size=options.image_size, values=options.values)
        sam = build_sam(card, image_size=entry.size, device=self.device, cache=setting.cache)
        decoder = PromptFreeDecoder(
            sam, classes=len(setting.classes), train_prompt=options.train_prompt
        )
        if options.lora_decoder:
            add_decoder_lora(decoder.mask_decoder.transformer, rank=options.rank)
        encoder = LoraEncoder(
            sam.image_encoder, entry, rank=options.rank, precision=options.precision
        )
        self.canvas = Canvas(entry.size)
        self.network = nn.Sequential(OrderedDict(encoder=encoder, decoder=decoder)).to(self.device)

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
        logits = self.network(images)
        return cross_entropy_squared_dice(
            logits, labels_at(labels, logits), dice_weight=self.options.dice_weight
        )

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
        """What is not in the checkpoint: LoRA and the decoder."""
        return trained_state(self.network)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        load_trained(self.network, state, source="the saved state of SAMed")
