"""nnU-Net's trainer, ready to take its first step."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from methods.nnunet.surroundings import surroundings, without_workers
from methods.nnunet.workers import working


class Trainer(nnUNetTrainer):
    """Without the picture of its network and the file of its attributes, which nobody would see.

    What it learns from, its network, loss, augmentation and optimiser are the package's.
    """

    def plot_network_architecture(self) -> None:
        """No picture."""

    def _save_debug_information(self) -> None:
        """No file."""


def start_trainer(
    plans: dict[str, Any],
    dataset: dict[str, Any],
    *,
    configuration: str,
    device: torch.device,
    folder: Path,
    workers: int,
    compiled: bool,
) -> Trainer:
    """With its network built, its cases found and its loaders running."""
    with surroundings("nnunetv2's trainer", folder, compiled=compiled):
        trainer = Trainer(
            # It takes an entry out of the plans that only its own command puts there.
            plans={**deepcopy(plans), "continue_training": False},
            configuration=configuration,
            fold=0,
            dataset_json=dataset,
            device=device,
        )
        trainer.device = device  # it takes the first GPU, whichever it is told
        trainer.disable_checkpointing = True
        with without_workers():
            trainer.on_train_start()
        if workers:
            trainer.dataloader_train = working(
                trainer.dataloader_train.data_loader,
                workers=workers,
                pinned=device.type == "cuda",
            )
    return trainer


def bare_network(trainer: Trainer) -> nn.Module:
    """The network itself, also where torch.compile has wrapped it."""
    network: Any = trainer.network
    bare: nn.Module = getattr(network, "_orig_mod", network)
    return bare


def end_trainer(trainer: Trainer) -> None:
    """Ends its workers."""
    finish = getattr(trainer.dataloader_train, "_finish", None)
    if finish is not None:
        finish()
