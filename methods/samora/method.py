"""SAMora: experts trained without labels at three levels, then fused in every block of SAM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.slicepool import SlicePool
from bench.data.slices import Canvas
from bench.models.checkpoints.fill import fill
from bench.models.experts import load_experts
from bench.options import given
from bench.train.optimisers import adamw
from bench.train.slicewise import adjusted, fit_slices, predict_slices
from methods.samora.bases import BASES, views_of
from methods.samora.choice import choice_of
from methods.samora.parts import Parts
from methods.samora.pretraining import Stage1, teach
from methods.samora.student import Student


class SAMora:
    """Stage 1 is `pretrain`, stage 2 is `adapt`: the encoder and its experts stay as they are, the
    fusion and the decoder learn."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options, self.classes = options, len(setting.classes)
        self.device = torch.device(setting.device)
        self.base, self.choice = BASES[options.base], choice_of(options.experts)
        self.parts = Parts(
            self.base.family,
            setting,
            self.choice,
            image_size=options.image_size,
            values=options.values,
            rank=options.rank,
            precision=options.precision,
        )
        self.recipe = adjusted(
            self.base.recipe,
            batch=options.batch,
            epochs=options.epochs,
            warm_up=options.warm_up,
            precision=options.precision,
        )
        self.canvas = Canvas(self.parts.entry().size)
        self.student: Student | None = None

    def pretrain(self, task: Task, clock: Clock) -> Iterator[Progress]:
        self.student = self.parts.student(size=self.options.pretrain_size)
        pool = SlicePool(
            task.unlabelled,
            Canvas(self.student.size),
            limit=self.options.pool_slices,
            device=self.device,
        )
        stage = Stage1(
            teacher=self.options.teacher,
            lr=self.options.pretrain_lr,
            batch=self.options.pretrain_batch,
            epochs=self.options.pretrain_epochs,
            precision=self.options.precision,
        )
        yield from teach(self.student, pool, clock, stage=stage, device=self.device)

    @cached_property
    def network(self) -> nn.Module:
        """Slices (B, 1, S, S) -> scores (B, K + 1, s, s)."""
        whole, encoder = self.parts.fused(
            fusion=self.options.fusion, width=self.options.width, recompute=self.options.recompute
        )
        return self.base.network(whole, encoder, self.classes, self.options).to(self.device)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        encoder = self.network.encoder
        if self.choice.pretrained:
            assert task.pretrained is not None
            load_experts(encoder.fused.encoder, self.choice.levels, task.pretrained)
        encoder.fused.through = self._exact(clock)
        fusion = list(encoder.fused.fusion.parameters())
        own = {id(parameter) for parameter in fusion}
        rest = [p for p in self.network.parameters() if p.requires_grad and id(p) not in own]
        groups = [
            {"params": rest, "lr": self.rates["decoder"]},
            {"params": fusion, "lr": self.rates["fusion"]},
        ]
        yield from fit_slices(
            self.network,
            adamw(groups, weight_decay=self.options.weight_decay),
            support=task.support,
            canvas=self.canvas,
            clock=clock,
            recipe=self.recipe,
            loss=self._loss,
            device=self.device,
            views=views_of(self.base, self.options.augment),
        )

    def _exact(self, clock: Clock) -> bool:
        """Experts that learn need their own gradient."""
        if self.choice.trained or self.options.gradient != "auto":
            return self.choice.trained or self.options.gradient == "exact"
        return not clock.limited

    @property
    def rates(self) -> dict[str, float]:
        """Peak learning rates; experts that stage 2 trains have the decoder's."""
        return {
            "decoder": given(self.options.lr, self.base.lr),
            "fusion": self.options.fusion_lr,
        }

    def _loss(self, images: Tensor, labels: Tensor, done: float) -> Tensor:
        epochs = done * self.recipe.epochs
        return self.base.loss(self.network, images, labels, epochs, self.options)

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
        """After stage 1 the experts alone; after stage 2 all that is not in the checkpoint."""
        return self._kept() if self.student is None else self.student.state()

    def _kept(self) -> dict[str, Tensor]:
        return {
            name: value.detach()
            for name, value in self.network.named_parameters()
            if value.requires_grad or ".lora_" in name
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        own = self._kept()
        frozen = {name: v for name, v in self.network.state_dict().items() if name not in own}
        foreign = {name: v for name, v in state.items() if name not in frozen}
        fill(self.network, {**frozen, **foreign}, source="the saved state of SAMora")
