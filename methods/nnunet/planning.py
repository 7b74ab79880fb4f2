"""Fingerprint, plan and preprocessing, each by nnunetv2's own class, on the support alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from nnunetv2.experiment_planning.dataset_fingerprint import fingerprint_extractor
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import (
    ExperimentPlanner,
)
from nnunetv2.experiment_planning.experiment_planners.residual_unets import (
    residual_encoder_unet_planners as residual,
)
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from methods.nnunet.pools import threads_for_processes
from methods.nnunet.raw import NAME
from methods.nnunet.surroundings import surroundings

PLANNERS: dict[str, type[ExperimentPlanner]] = {
    "default": ExperimentPlanner,
    "resenc_m": residual.nnUNetPlannerResEncM,
}
OWN_MEMORY = 8.0
"""GB: the memory target of both planners."""
OWN_STATISTICS = 100_000_000
"""Voxels that its fingerprint draws, with replacement, however many there are."""


@dataclass(frozen=True)
class PlanChoice:
    """configuration  "2d" or "3d_fullres"        plans  a key of PLANNERS
    memory_gb      its memory target           statistics  voxels of its fingerprint
    batch          in place of the plans' own, where that is larger; None: the plans' own
    """

    configuration: str
    plans: str
    memory_gb: float = OWN_MEMORY
    statistics: int = OWN_STATISTICS
    batch: int | None = None


def make_plan(choice: PlanChoice, folder: Path) -> dict[str, Any]:
    """Its plans for the raw dataset under `folder`."""
    with surroundings("nnunetv2's fingerprint of the support", folder):
        extractor = fingerprint_extractor.DatasetFingerprintExtractor(NAME, num_processes=1)
        extractor.show_progress_bar = False
        extractor.num_foreground_voxels_for_intensitystats = choice.statistics
        with threads_for_processes(fingerprint_extractor):
            extractor.run()
    with surroundings("nnunetv2's plan of the support", folder), torch.device("meta"):
        # It builds many networks to ask for their size. On "meta" they have no weights, which
        # takes no time and none of the random numbers that the training is seeded with.
        planner = PLANNERS[choice.plans](NAME, gpu_memory_target_in_gb=choice.memory_gb)
        planner.plan_experiment()
        written = folder / "nnUNet_preprocessed" / NAME / f"{planner.plans_identifier}.json"
    plans: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    if choice.configuration not in plans["configurations"]:
        raise ValueError(
            f"configuration={choice.configuration}: nnunetv2 plans only "
            f"{', '.join(plans['configurations'])} for this support; are its volumes single slices?"
        )
    chosen = plans["configurations"][choice.configuration]
    if choice.batch is not None:
        chosen["batch_size"] = min(chosen["batch_size"], choice.batch)
    return plans


def preprocess(
    plans: dict[str, Any], dataset: dict[str, Any], configuration: str, folder: Path
) -> Iterator[None]:
    """The support as its trainer reads it; a pause after each case."""
    manager = PlansManager(plans)
    config = manager.get_configuration(configuration)
    raw = folder / "nnUNet_raw" / NAME
    target = folder / "nnUNet_preprocessed" / NAME / config.data_identifier
    target.mkdir(parents=True)
    for case, files in dataset["dataset"].items():
        with surroundings(f"nnunetv2's preprocessing of {case}", folder):
            config.preprocessor_class(verbose=False).run_case_save(
                str(target / case),
                [str(raw / image) for image in files["images"]],
                str(raw / files["label"]),
                manager,
                config,
                dataset,
            )
        yield
