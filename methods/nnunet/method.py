"""nnU-Net: nnunetv2 itself, in this process, under the harness's clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from bench.contract import Clock, Progress, Setting, Task, Volume
from methods.nnunet.choice import Choice, choice_of
from methods.nnunet.fitting import Length
from methods.nnunet.model import RECIPE, Model, model_from
from methods.nnunet.planning import make_plan, preprocess
from methods.nnunet.raw import write_raw
from methods.nnunet.trainer import bare_network, end_trainer, start_trainer
from methods.nnunet.training import train


class NnUNet:
    """`model` is None until the support is planned and preprocessed, which is on the clock."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options = options
        self.setting = setting
        self.device = torch.device(setting.device)
        self.model: Model | None = None

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        choice = choice_of(self.options, device=self.device, limited=clock.limited)
        folder = task.scratch
        dataset = write_raw(
            task.support,
            classes=self.setting.classes,
            modality=self.setting.modality,
            folder=folder,
        )
        yield Progress(steps=0)
        plans = make_plan(choice.plan, folder)
        yield Progress(steps=0)
        for _ in preprocess(plans, dataset, choice.plan.configuration, folder):
            yield Progress(steps=0)
        yield from self._train(choice, plans, dataset, task, clock)

    def _train(
        self,
        choice: Choice,
        plans: dict[str, Any],
        dataset: dict[str, Any],
        task: Task,
        clock: Clock,
    ) -> Iterator[Progress]:
        trainer = start_trainer(
            plans,
            dataset,
            configuration=choice.plan.configuration,
            device=self.device,
            folder=task.scratch,
            workers=choice.workers,
            compiled=self.options.compile,
        )
        self.model = Model(
            plans=plans,
            dataset={key: value for key, value in dataset.items() if key != "dataset"},
            configuration=choice.plan.configuration,
            mirroring=choice.mirroring,
            network=bare_network(trainer),
            device=self.device,
        )
        try:
            yield from train(trainer, clock, Length(self.options.epochs, self.options.iterations))
        finally:
            end_trainer(trainer)

    def predict(self, volume: Volume) -> np.ndarray:
        """Background where the budget has not even paid for the preparation."""
        if self.model is None:
            return np.zeros(volume.image.shape, dtype=np.uint8)
        return self.model.predict(volume)

    def parameters(self) -> Iterable[torch.Tensor]:
        return [] if self.model is None else self.model.network.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        return {RECIPE: np.zeros(0, np.uint8)} if self.model is None else self.model.state()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model = model_from(state, self.device) if len(state[RECIPE]) else None
