"""An nnU-Net that predicts: its plans, its network, and nothing of where it was trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from nnunetv2.inference.export_prediction import (
    convert_predicted_logits_to_segmentation_with_correct_shape as to_labels,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from bench.contract import Volume
from methods.nnunet.surroundings import surroundings

RECIPE = "plans"
"""In a state: what is no weight, as JSON in bytes."""


@dataclass
class Model:
    """plans, dataset   as nnunetv2 writes them, without the files of the support
    configuration    which of the plans' networks
    mirroring        whether a prediction is the mean over mirror images
    """

    plans: dict[str, Any]
    dataset: dict[str, Any]
    configuration: str
    mirroring: bool
    network: nn.Module
    device: torch.device

    @cached_property
    def manager(self) -> PlansManager:
        return PlansManager(self.plans)

    @cached_property
    def config(self) -> ConfigurationManager:
        return self.manager.get_configuration(self.configuration)

    @cached_property
    def predictor(self) -> nnUNetPredictor:
        """Tiles that overlap by half, weighed by a Gaussian: its defaults."""
        predictor = nnUNetPredictor(
            use_mirroring=self.mirroring, device=self.device, allow_tqdm=False
        )
        predictor.manual_initialization(
            self.network,
            self.manager,
            self.config,
            None,
            self.dataset,
            nnUNetTrainer.__name__,
            tuple(range(len(self.config.patch_size))),  # its trainer mirrors along every axis
        )
        return predictor

    def predict(self, volume: Volume) -> np.ndarray:
        """(D, H, W) uint8: its preprocessing, its sliding window, its way back to the own grid."""
        with surroundings(f"nnunetv2's prediction of {volume.case}"):
            image = volume.image.astype(np.float32)[None]
            data, _, facts = self.config.preprocessor_class(verbose=False).run_case_npy(
                image,
                None,
                {"spacing": self._spacing(volume)},
                self.manager,
                self.config,
                self.dataset,
            )
            decoder: Any = self.network.decoder
            decoder.deep_supervision = False
            logits = self.predictor.predict_sliding_window_return_logits(torch.from_numpy(data))
            labels = to_labels(
                logits.cpu(),
                self.manager,
                self.config,
                self.predictor.label_manager,
                facts,
                num_threads_torch=torch.get_num_threads(),
            )
        return np.ascontiguousarray(labels, dtype=np.uint8)

    def _spacing(self, volume: Volume) -> list[float]:
        """The volume's own; where so few slices lie so close that none would be left at the plans'
        spacing, as much as leaves one."""
        forward = self.manager.transpose_forward
        target = list(self.config.spacing)
        axes = forward[len(forward) - len(target) :]  # in 2D slices keep their distance
        spacing = [float(side) for side in volume.spacing]
        for axis, wanted in zip(axes, target, strict=True):
            spacing[axis] = max(spacing[axis], 0.51 * wanted / volume.image.shape[axis])
        return spacing

    def state(self) -> dict[str, Any]:
        """Each weight once: its networks hold the encoder and every convolution twice."""
        recipe = {
            "plans": self.plans,
            "dataset": self.dataset,
            "configuration": self.configuration,
            "mirroring": self.mirroring,
        }
        written = np.frombuffer(json.dumps(recipe).encode(), dtype=np.uint8)
        return {RECIPE: written, **dict(self.network.named_parameters())}


def model_from(state: Mapping[str, Any], device: torch.device) -> Model:
    recipe = json.loads(np.asarray(state[RECIPE], dtype=np.uint8).tobytes())
    manager = PlansManager(recipe["plans"])
    config = manager.get_configuration(recipe["configuration"])
    with surroundings("nnunetv2's network"):
        network = nnUNetTrainer.build_network_architecture(
            manager,
            config,
            determine_num_input_channels(manager, config, recipe["dataset"]),
            manager.get_label_manager(recipe["dataset"]).num_segmentation_heads,
            enable_deep_supervision=False,
        )
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(state[name])
    return Model(network=network.to(device), device=device, **recipe)
