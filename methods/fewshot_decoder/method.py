"""Few-shot decoder fine-tuning: target embeddings of labelled slices prompt SAM's decoder, which is
all that is trained; every embedding is computed once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.transfer import to_device
from bench.models.checkpoints import card_of
from bench.models.sam import build_sam
from bench.models.sam.frozen import frozen_sam
from bench.models.trained import load_trained, trained_state
from bench.options import given
from bench.train.ahead import Source
from bench.train.fit import FitPlan, fit
from bench.train.fitted import FittedSchedule
from bench.train.mask_losses import bce_dice, focal_dice, mask_targets
from bench.train.optimisers import adamw
from bench.train.precision import autocast, resolve_precision
from bench.train.schedule import cosine_decay
from methods.fewshot_decoder.collection import Collection, inside_mean
from methods.fewshot_decoder.decoder import TargetDecoder
from methods.fewshot_decoder.lessons import Lessons, gathered, shots_of
from methods.fewshot_decoder.options import all_tokens, rate_of
from methods.fewshot_decoder.prompts import PromptRule, Shot, padded, shots_from, shots_state
from methods.fewshot_decoder.targets import operator

LOSSES = {"bce_dice": bce_dice, "focal_dice": focal_dice}
FLOOR = 0.01
"""Of the base rate, at the end: 1e-6 of 1e-4."""
SLICES = 8
"""Of a volume, that are predicted at once."""
NOT_SHOWN = -1e4
"""The score of a class that no labelled slice shows."""


class FewshotDecoder:
    """`collection` -> `lessons` -> the decoder learns; then all slices prompt for every query."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options, self.classes = options, len(setting.classes)
        self.device = torch.device(setting.device)
        self.precision = resolve_precision(options.precision, self.device)
        card = card_of("sam", setting.backbone["sam"])
        size = given(options.image_size, card.input_size)
        sam = build_sam(card, image_size=size, device=self.device, cache=setting.cache)
        self.encoder = frozen_sam(
            sam, card, device=self.device, cache=setting.cache, precision=options.precision
        )
        self.network = TargetDecoder(
            sam,
            classes=self.classes,
            per_class=options.multiclass == "per_class",
            depth=options.depth,
            scratch=options.start == "scratch",
            all_tokens=all_tokens(options),
            learned=options.learned_tokens if options.prompt == "learned" else 0,
        ).to(self.device)
        self.rate = rate_of(options, small=card.shipped)
        self.rule = PromptRule(
            mode=options.target_mode,
            cells=options.cells,
            retrieve_k=options.retrieve_k,
            leave_out=options.leave_out,
        )
        self.shots: dict[int, list[Shot]] = {}

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        options = self.options
        collection = Collection(
            encoder=self.encoder,
            operator=operator(options.target_mode, clusters=options.clusters),
            classes=self.classes,
            ring=options.ring,
            cropped=options.target_mode == "crop" and options.prompt == "targets",
            margin=options.crop_margin,
        )
        for _ in collection.read(task.support, empty_share=options.empty_share):
            yield Progress(steps=0)
        self.shots = shots_of(collection.slices, self.classes)
        if options.train and self.shots:
            yield from self._augment(collection, clock)
            yield from self._train(collection, clock)

    def _augment(self, collection: Collection, clock: Clock) -> Iterator[Progress]:
        """The copies, as many as a share of the budget allows. Where a class is shown by a single
        slice, the first copy of that is needed."""
        for copy in range(1, self.options.copies + 1):
            for number, (_, places) in enumerate(collection.chunks):
                needed = copy == 1 and collection.lonely(places)
                if needed or clock.fraction < self.options.fill_share:
                    collection.augment(number, copy=copy)
                    yield Progress(steps=0)

    def _train(self, collection: Collection, clock: Clock) -> Iterator[Progress]:
        """From here on the image encoder is not used."""
        options = self.options
        lessons = Lessons(
            collection.slices,
            self.shots,
            self.rule,
            absent_share=options.empty_share,
            dropout=options.token_dropout,
        )
        plan = FitPlan(
            batch=options.batch,
            epochs=math.ceil(
                options.steps / FitPlan(options.batch, 1, fill=True).steps(len(lessons))
            ),
            fill=True,
            precision=options.precision,
        )
        schedule = FittedSchedule(
            clock,
            recipe_steps=options.steps,
            warm_up=options.warm_up,
            decay=partial(cosine_decay, floor=FLOOR),
        )
        learned = [value for value in self.network.parameters() if value.requires_grad]
        for progress in fit(
            self.network,
            adamw(learned, lr=self.rate, weight_decay=options.weight_decay),
            clock=clock,
            plan=plan,
            count=len(lessons),
            sample=Source(choose=lessons.choose, gather=gathered, finish=lambda *parts: parts),
            loss=self._loss,
            rate=schedule,
            device=self.device,
            keeps={"schedule": schedule, "collection": collection},
        ):
            yield progress
            if not clock.limited and clock.steps >= options.steps:
                return

    def _loss(
        self, images: Tensor, labels: Tensor, classes: Tensor, tokens: Tensor, kinds: Tensor
    ) -> Tensor:
        logits = self.network(images.float(), classes, tokens, kinds)
        size = (logits.shape[-2], logits.shape[-1])
        truth = mask_targets(labels, [1], size)[:, 0]
        return LOSSES[self.options.loss](logits, truth)

    @torch.inference_mode()
    def predict(self, volume: Volume) -> np.ndarray:
        """Slice by slice and class by class; the background's score is 0."""
        self.network.eval()
        height, width = volume.image.shape[1:]
        kept = self.encoder.volume(volume)
        inner = self.encoder.inner(volume)
        found = []
        for part in torch.arange(len(kept)).split(SLICES):
            images = kept.take(part)
            similar = inside_mean(images.float(), inner, self.encoder)
            scores = self.scores(to_device(images, self.device).float(), similar)
            native = self.encoder.canvas.scores_back(scores, height, width)
            found.append(native.argmax(dim=1).to(torch.uint8))
        return torch.cat(found).cpu().numpy()  # one wait for the device a volume

    def scores(self, images: Tensor, descriptors: Tensor) -> Tensor:
        """images (B, C, h, w), their descriptors (B, C) -> (B, K + 1, 4h, 4w), background first."""
        size = [4 * length for length in images.shape[-2:]]
        scores = images.new_full((len(images), self.classes + 1, *size), NOT_SHOWN)
        scores[:, 0] = 0
        for value, shots in self.shots.items():
            near = [shots]  # the same tokens for every slice
            if self.rule.retrieve_k:
                near = [self.rule.nearest(shots, descriptor) for descriptor in descriptors]
            prompts = padded([self.rule.tokens(few) for few in near])
            tokens, kinds = (to_device(part, self.device) for part in prompts)
            classes = torch.full((len(images),), value - 1, device=self.device)
            with autocast(self.precision, self.device):
                scores[:, value] = self.network(
                    images,
                    classes,
                    tokens.expand(len(images), -1, -1),
                    kinds.expand(len(images), -1),
                )
        return scores

    def parameters(self) -> Iterable[Tensor]:
        return self.network.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        """What is not in the checkpoint: the decoder as it was trained, and the targets."""
        return {**trained_state(self.network), **shots_state(self.shots, self.rule)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        targets = {name: v for name, v in state.items() if name.startswith("targets.")}
        self.shots = shots_from(targets)
        rest = {name: v for name, v in state.items() if name not in targets}
        load_trained(self.network, rest, source="the saved state of fewshot_decoder")
