"""A 2D U-Net trained from scratch on the labelled slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from monai.networks.nets import UNet as MonaiUNet

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.slices import Canvas, labelled_slices, long_side, volume_slices
from bench.train.augment import random_views
from bench.train.losses import cross_entropy_dice
from bench.train.schedule import progress_of, set_rate, warm_up_poly

PREDICT_BATCH = 16
CPU_WIDTH, GPU_WIDTH = 8, 32
"""Channels of the first level for `width=auto`: what a minute of either can train."""
SHAPE = "canvas size and width"
EPOCH_SAMPLES = 64
"""An epoch sees at least this many slices: one volume has too few for an epoch to mean anything."""


class UNet:
    """Residual U-Net, cross-entropy + Dice, AdamW, a schedule that ends with the budget."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options = options
        self.device = torch.device(setting.device)
        self.classes = len(setting.classes)
        self.size = 0 if options.size == "auto" else int(options.size)
        self.divisor = 2 ** (options.levels - 1)
        if self.size % self.divisor:
            raise ValueError(
                f"size={self.size}: {options.levels} levels need a multiple of {self.divisor}"
            )
        fitting = GPU_WIDTH if self.device.type == "cuda" else CPU_WIDTH
        self._build(fitting if options.width == "auto" else int(options.width))

    def _build(self, width: int) -> None:
        self.width = width
        self.network = MonaiUNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=self.classes + 1,
            channels=[width * 2**level for level in range(self.options.levels)],
            strides=[2] * (self.options.levels - 1),
            num_res_units=2,
        ).to(self.device)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        self.size = self.size or self._fitting_size(task)
        data = labelled_slices(task.support, Canvas(self.size))
        images, labels = data.images.to(self.device), data.labels.to(self.device)
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=0.0, weight_decay=self.options.weight_decay
        )
        batch = min(self.options.batch, max(EPOCH_SAMPLES, len(data)))
        steps = max(1, max(EPOCH_SAMPLES, len(data)) // batch)
        recipe = self.options.epochs * steps
        while clock.limited or clock.steps < recipe:
            for step, chosen in enumerate(self._batches(len(data), batch, steps)):
                self.network.train()
                rate = warm_up_poly(progress_of(clock, recipe_steps=recipe))
                set_rate(optimiser, self.options.lr * rate)
                x, y = random_views(images[chosen], labels[chosen])
                loss = cross_entropy_dice(self.network(x), y)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
                optimiser.step()
                yield Progress(
                    steps=1, samples=batch, loss=float(loss.detach()), epoch=step == steps - 1
                )

    def _fitting_size(self, task: Task) -> int:
        """The slices' own resolution, as a multiple of what the levels divide."""
        side = min(256, max(64, long_side(task.support)))
        return -(-side // self.divisor) * self.divisor

    @staticmethod
    def _batches(count: int, batch: int, steps: int) -> Iterator[torch.Tensor]:
        """Indices of `steps` batches: whole random passes over the slices, joined."""
        passes = -(-batch * steps // count)
        order = torch.cat([torch.randperm(count) for _ in range(passes)])
        yield from order[: batch * steps].split(batch)

    @torch.inference_mode()
    def predict(self, volume: Volume) -> np.ndarray:
        self.network.eval()
        canvas = Canvas(self.size)
        height, width = volume.image.shape[1:]
        labels = []
        for images in volume_slices(volume, canvas).split(PREDICT_BATCH):
            logits = self.network(images.to(self.device))
            scores = canvas.scores_back(logits, height, width)
            labels.append(scores.argmax(dim=1).to(torch.uint8).cpu())
        return torch.cat(labels).numpy()

    def parameters(self) -> Iterable[torch.Tensor]:
        return self.network.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        shape = np.array([self.size, self.width])
        return {**self.network.state_dict(), SHAPE: shape}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Also on a device where `auto` would have given another width."""
        self.size, width = (int(number) for number in state[SHAPE])
        if width != self.width:
            self._build(width)
        self.network.load_state_dict({k: v for k, v in state.items() if k != SHAPE})
