"""nnU-Net's training, a step at a time. Read `train`: its calls are those of `run_training`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from bench.contract import Clock, Progress
from methods.nnunet.fitting import Fitting, Length
from methods.nnunet.surroundings import surroundings
from methods.nnunet.trainer import Trainer


def train(trainer: Trainer, clock: Clock, recipe: Length) -> Iterator[Progress]:
    """Train until the harness stops pulling or the recipe ends; a Progress an optimiser step.

    Left out of `run_training`: its validation batches, whose Dice over patches steers nothing but
    which checkpoint it calls its best, and the last one is the one that counts here.
    """
    fitting = Fitting(clock, recipe)
    epochs = fitting.epochs(done=0)
    while trainer.current_epoch < epochs:
        _begin_epoch(trainer, epochs)
        outputs: list[dict[str, Any]] = []
        ended = False
        while not ended:
            outputs.append(_step(trainer, fitting.steps + 1))
            fitting.measure()
            ended = fitting.iterations is not None and len(outputs) >= fitting.iterations
            if ended:
                _end_epoch(trainer, outputs)
            yield Progress(
                steps=1,
                samples=trainer.batch_size,
                loss=float(outputs[-1]["loss"]),
                epoch=ended,
            )
        epochs = fitting.epochs(done=trainer.current_epoch)


def _begin_epoch(trainer: Trainer, epochs: int) -> None:
    """The rate of the epoch is set here, by its place among all of them."""
    trainer.num_epochs = trainer.lr_scheduler.max_steps = epochs
    with surroundings("nnunetv2's epoch"):
        trainer.on_epoch_start()
        trainer.on_train_epoch_start()


def _step(trainer: Trainer, number: int) -> dict[str, Any]:
    with surroundings("nnunetv2's training step"):
        # `predict` may have been called since the last step.
        trainer.network.train()
        trainer.set_deep_supervision_enabled(trainer.enable_deep_supervision)
        output: dict[str, Any] = trainer.train_step(next(trainer.dataloader_train))
    if not math.isfinite(float(output["loss"])):
        raise FloatingPointError(f"the loss is {float(output['loss'])} at step {number}")
    return output


def _end_epoch(trainer: Trainer, outputs: list[dict[str, Any]]) -> None:
    with surroundings("nnunetv2's epoch"):
        trainer.on_train_epoch_end(outputs)
    trainer.current_epoch += 1
