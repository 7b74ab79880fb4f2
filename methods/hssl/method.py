"""HSSL: pre-train an encoder, then its decoder, on unlabelled slices of several datasets; fine-tune
on the labels of one."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.slices import Canvas
from bench.errors import RequestError
from bench.models.trained import load_trained, trained_state
from bench.options import given
from bench.train.convolutions import convolutional
from bench.train.losses import cross_entropy_dice
from bench.train.optimisers import adam
from bench.train.schedule import poly_decay_to_zero
from bench.train.slicewise import (
    SliceRecipe,
    adjusted,
    fit_slices,
    labels_at,
    predict_slices,
)
from methods.hssl.embedding import Embedder
from methods.hssl.groups import auto_groups, table_groups
from methods.hssl.pool import DomainPool
from methods.hssl.pretraining import Lesson, Recipe, teach
from methods.hssl.sam import SamLora
from methods.hssl.terms import Terms, names_of
from methods.hssl.unet import DIVISOR, UNet, check_size
from methods.hssl.views import Views

CPU_SIZE, GPU_SIZE = 128, 256
CPU_WIDTH, GPU_WIDTH = 8, 32
CPU_BATCH, GPU_BATCH = {"unet": 16, "sam_lora": 8}, 64
"""Side of a slice, channels of the first level, slices of a pre-training step: the specification's,
and what a minute of a CPU has room for."""
LR = {"unet": 1e-3, "sam_lora": 5e-3}
"""The specification's, and SAMed's for the same decoder."""
SHAPE = "canvas size and width"


class HSSL:
    """`pretrain` is stages 1 and 2, `adapt` the fine-tuning."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options, self.setting = options, setting
        self.device = torch.device(setting.device)
        self.terms = Terms(
            names_of(options.terms),
            grp_as=options.grp_as,
            task=options.task_weight,
            group=options.group_weight,
            temperature=options.temperature,
        )
        self.decoder_stage = decoder_stage(options.apply_to, options.stages)
        self.recipe = adjusted(
            SliceRecipe(batch=4, epochs=200, warm_up=0, decay=poly_decay_to_zero),
            batch=options.batch,
            epochs=options.epochs,
            precision=options.precision,
            compile=options.compile,
        )
        self.taught: set[str] | None = None
        cuda = self.device.type == "cuda"
        self.on_sam = options.apply_to == "sam_lora"
        fitting = GPU_SIZE if cuda else CPU_SIZE
        self._build(
            size=options.image_size if self.on_sam else given(options.image_size, fitting),
            width=given(options.width, GPU_WIDTH if cuda else CPU_WIDTH),
        )

    def _build(self, *, size: int | str, width: int) -> None:
        if self.on_sam:
            network: Any = SamLora(self.options, self.setting, image_size=size)
        else:
            network = UNet(
                classes=len(self.setting.classes),
                width=width,
                size=int(size),
                norm=self.options.norm,
            )
        network = network.to(self.device)
        self.network = network if self.on_sam else convolutional(network, self.device)
        self.canvas = Canvas(self.network.size)

    def pretrain(self, task: Task, clock: Clock) -> Iterator[Progress]:
        self.taught = set()
        options = self.options
        canvas = Canvas(self._pretrain_size(clock))
        if self.on_sam and canvas.size != self.network.size:
            self._build(size=canvas.size, width=0)  # SAM's positions are of one size
        pool = DomainPool(
            task.unlabelled,
            canvas,
            limit=options.pool_slices,
            parts=options.partitions,
            device=self.device,
        )
        groups = torch.arange(len(pool.names))
        if "group" in self.terms.names:
            groups = yield from self._groups(pool)
        lesson = Lesson(
            pool=pool,
            groups=groups,
            terms=self.terms.on(tasks=len(groups), groups=len(groups.unique())),
            views=Views(noise=options.noise, blur=options.blur),
            recipe=self._pretraining(clock),
            device=self.device,
        )
        yield from teach(
            self.network, lesson, clock, decoder=self.decoder_stage, taught=self.taught
        )

    def _groups(self, pool: DomainPool) -> Generator[Progress, None, Tensor]:
        """Yields while it looks at the images; its value is (M,), the group of each dataset."""
        if self.options.groups == "table":
            return table_groups(pool.names, self.options.regroup)
        embedder = Embedder(self.setting, precision=self.options.precision)
        means = []
        for task in range(len(pool.names)):
            means.append(embedder.mean(pool, task, slices=self.options.auto_slices))
            yield Progress(steps=0)
        return auto_groups(np.stack(means))

    def _short(self, clock: Clock) -> bool:
        return clock.limited and self.device.type != "cuda"

    def _pretrain_size(self, clock: Clock) -> int:
        """Half of it for the U-Net on a CPU under a budget: four times as many steps."""
        whole = self.network.size
        half = max(2, -(-whole // (2 * DIVISOR))) * DIVISOR
        size = given(
            self.options.pretrain_size, half if self._short(clock) and not self.on_sam else whole
        )
        check_size("pretrain_size", size)
        return size

    def _pretraining(self, clock: Clock) -> Recipe:
        options, short = self.options, self._short(clock)
        return Recipe(
            lr=options.pretrain_lr,
            weight_decay=options.pretrain_weight_decay,
            batch=given(
                options.pretrain_batch, CPU_BATCH[options.apply_to] if short else GPU_BATCH
            ),
            epochs=options.pretrain_epochs,
            decoder_batch=options.decoder_batch,
            decoder_epochs=options.decoder_epochs,
            epoch_batches=options.epoch_batches,
            places=options.places,
            negatives=options.negatives,
            level=options.local_level,
            decoder_hier=options.decoder_hier,
            precision=options.precision,
        )

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        """A new output layer; all is trained, what was pre-trained at a lower rate."""
        own = {n: p for n, p in self.network.named_parameters() if p.requires_grad}
        with torch.no_grad():
            for name, value in (task.pretrained or {}).items():
                own[name].copy_(value)
        lr, slow = self.rates
        yield from fit_slices(
            self.network,
            adam(
                [
                    {"params": [p for n, p in own.items() if not _deep(n)], "lr": lr},
                    {"params": [p for n, p in own.items() if _deep(n)], "lr": slow},
                ],
                weight_decay=self.options.weight_decay,
            ),
            support=task.support,
            canvas=self.canvas,
            clock=clock,
            recipe=self.recipe,
            loss=self._loss,
            device=self.device,
        )

    @property
    def rates(self) -> tuple[float, float]:
        """Of the decoder and of the encoder. One that learnt nothing before has nothing to keep."""
        lr = given(self.options.lr, LR[self.options.apply_to])
        return lr, given(self.options.encoder_lr, lr / 10 if self.terms.names else lr)

    def _loss(self, images: Tensor, labels: Tensor, done: float) -> Tensor:
        scores = self.network(images)
        return cross_entropy_dice(scores, labels_at(labels, scores))

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
        """After pre-training what that taught, without any head; else all that is trained."""
        state = trained_state(self.network)
        if self.taught is not None:
            return {name: state[name] for name in sorted(self.taught)}
        shape = np.array([self.network.size, getattr(self.network, "width", 0)])
        return {**state, SHAPE: shape}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Also on a device where `auto` would have given another size or width."""
        size, width = (int(number) for number in state[SHAPE])
        if (size, width) != (self.network.size, getattr(self.network, "width", 0)):
            self._build(size=size, width=width)
        weights = {name: value for name, value in state.items() if name != SHAPE}
        load_trained(self.network, weights, source="the saved state of HSSL")


def decoder_stage(apply_to: str, stages: str) -> bool:
    """Whether there is a stage 2. SAM's decoder has no map that the local term could look at."""
    if stages == "encoder+decoder" and apply_to == "sam_lora":
        raise RequestError(
            "method.stages=encoder+decoder: with apply_to=sam_lora the encoder alone is "
            "pre-trained; say stages=encoder, or leave it out"
        )
    return stages != "encoder" and apply_to == "unet"


def _deep(name: str) -> bool:
    return name.startswith("encoder.")
