"""A 2D U-Net trained from scratch on the labelled slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from monai.networks.nets import UNet as MonaiUNet

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.slices import Canvas, long_side
from bench.options import given
from bench.train.convolutions import convolutional
from bench.train.losses import cross_entropy_dice
from bench.train.optimisers import adamw
from bench.train.schedule import poly_decay_to_zero
from bench.train.slicewise import SliceRecipe, adjusted, fit_slices, predict_slices

RECIPE = SliceRecipe(batch=4, epochs=200, warm_up=50, decay=poly_decay_to_zero, clip=1.0)
CPU_WIDTH, GPU_WIDTH = 8, 32
"""Channels of the first level for `width=auto`: what a minute of either can train."""
SHAPE = "canvas size and width"


class UNet:
    """Residual U-Net, cross-entropy + Dice, AdamW, a schedule that ends with the budget."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options = options
        self.device = torch.device(setting.device)
        self.classes = len(setting.classes)
        self.size = given(options.size, 0)
        self.divisor = 2 ** (options.levels - 1)
        if self.size % self.divisor:
            raise ValueError(
                f"size={self.size}: {options.levels} levels need a multiple of {self.divisor}"
            )
        fitting = GPU_WIDTH if self.device.type == "cuda" else CPU_WIDTH
        self._build(given(options.width, fitting))

    def _build(self, width: int) -> None:
        self.width = width
        network = MonaiUNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=self.classes + 1,
            channels=[width * 2**level for level in range(self.options.levels)],
            strides=[2] * (self.options.levels - 1),
            num_res_units=2,
        )
        self.network = convolutional(network, self.device)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        self.size = self.size or self._fitting_size(task)
        options = self.options
        yield from fit_slices(
            self.network,
            adamw(self.network.parameters(), lr=options.lr, weight_decay=options.weight_decay),
            support=task.support,
            canvas=Canvas(self.size),
            clock=clock,
            recipe=adjusted(
                RECIPE, batch=options.batch, epochs=options.epochs, compile=options.compile
            ),
            loss=lambda images, labels, _: cross_entropy_dice(self.network(images), labels),
            device=self.device,
        )

    def _fitting_size(self, task: Task) -> int:
        """The slices' own resolution, as a multiple of what the levels divide."""
        side = min(256, max(64, long_side(task.support)))
        return -(-side // self.divisor) * self.divisor

    def predict(self, volume: Volume) -> np.ndarray:
        return predict_slices(self.network, volume, canvas=Canvas(self.size), device=self.device)

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
