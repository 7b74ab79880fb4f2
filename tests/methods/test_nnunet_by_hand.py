"""The same cases through nnunetv2 alone: its own functions, processes, files and evaluator.

By hand it reads NIfTI files that this file writes, and runs its own `run_training`. Plans,
preprocessed arrays, weights after some steps, predictions and Dice must be equal.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
import pytest
import SimpleITK
import torch
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.experiment_planning import plan_and_preprocess_api as api
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
    DatasetFingerprintExtractor,
)
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from bench.score.overlap import Overlap, count_overlap
from methods.nnunet.raw import NAME
from tests.methods.nnunet_tiny import blind, boxes, nnunet, pulled

pytestmark = pytest.mark.slow

SPACING = (3.0, 1.0, 1.25)
CASES = [
    boxes("a", seed=0, spacing=SPACING),
    boxes("b", seed=1, shape=(5, 36, 32), spacing=SPACING),
    boxes("c", seed=2, shape=(7, 34, 44), spacing=(2.5, 1.0, 1.0)),
]
QUERY = boxes("q", seed=3, shape=(4, 40, 36), spacing=(3.5, 1.25, 1.0))
VOXELS = 30_000
STEPS = 4
OPTIONS = {"memory_gb": 8, "batch": 100, "mirroring": True, "statistics": VOXELS}


class Fingerprint(DatasetFingerprintExtractor):
    """Of fewer voxels: its own number takes ten seconds and gigabytes."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.num_foreground_voxels_for_intensitystats = VOXELS


class ByHand(nnUNetTrainer):
    """Its own run, of few steps, whose validation draws no random numbers."""

    def get_dataloaders(self) -> tuple[Any, Any]:
        train, _ = super().get_dataloaders()
        batch = {"data": torch.zeros(1), "target": torch.zeros(1)}
        return train, itertools.repeat(batch)

    def validation_step(self, batch: Any) -> dict[str, Any]:
        one = np.ones(2)
        return {"loss": np.zeros(()), "tp_hard": one, "fp_hard": one, "fn_hard": one}


@dataclass(frozen=True)
class Hand:
    plans: dict[str, Any]
    dataset: dict[str, Any]
    preprocessed: Path
    trainer: nnUNetTrainer


def seed_all() -> None:
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)


def write(array: np.ndarray, spacing: tuple[float, float, float], path: Path) -> None:
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing[::-1])
    SimpleITK.WriteImage(image, str(path))


@pytest.fixture(scope="module", params=["2d", "3d_fullres"])
def configuration(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def hand(configuration: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    folder = tmp_path_factory.mktemp("hand")
    raw = folder / "raw" / "Dataset007_Boxes"
    (raw / "imagesTr").mkdir(parents=True)
    (raw / "labelsTr").mkdir()
    for number, volume in enumerate(CASES):
        assert volume.label is not None
        write(volume.image, volume.spacing, raw / "imagesTr" / f"case_{number:03d}_0000.nii.gz")
        write(volume.label, volume.spacing, raw / "labelsTr" / f"case_{number:03d}.nii.gz")
    dataset = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "bright": 1, "dark": 2},
        "numTraining": len(CASES),
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(dataset))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("raw", "preprocessed", "results"):
            patch.setenv(f"nnUNet_{name}", str(folder / name))
        patch.setenv("nnUNet_n_proc_DA", "1")
        api.extract_fingerprint_dataset(7, Fingerprint, num_processes=1)
        _, name = api.plan_experiment_dataset(7)
        api.preprocess_dataset(7, name, (configuration,), num_processes=[1])
        preprocessed = folder / "preprocessed" / raw.name
        keys = [f"case_{number:03d}" for number in range(len(CASES))]
        (preprocessed / "splits_final.json").write_text(json.dumps([{"train": keys, "val": keys}]))
        plans = json.loads((preprocessed / f"{name}.json").read_text())
        patch.setenv("nnUNet_n_proc_DA", "0")
        seed_all()
        trainer = ByHand(
            {**plans, "continue_training": False}, configuration, 0, dataset, torch.device("cpu")
        )
        trainer.num_epochs = STEPS
        trainer.num_iterations_per_epoch = trainer.num_val_iterations_per_epoch = 1
        trainer.logger.plot_progress_png = lambda _: None  # type: ignore[method-assign]
        trainer.run_training()
        data = preprocessed / trainer.configuration_manager.data_identifier
        yield Hand(plans, dataset, data, trainer)


@dataclass(frozen=True)
class Ours:
    method: Any
    scratch: Path
    rates: list[float]


@pytest.fixture(scope="module")
def ours(hand: Hand, configuration: str, tmp_path_factory: pytest.TempPathFactory) -> Ours:
    """Seeded where its trainer by hand is: before the network is built."""
    scratch = tmp_path_factory.mktemp("ours")
    method = nnunet(configuration=configuration, **OPTIONS)
    losses = []
    for number, progress in enumerate(pulled(method, CASES, scratch, steps=STEPS)):
        if number == 1 + len(CASES):  # raw dataset, plans, one for each case
            seed_all()
        if progress.steps:
            assert progress.epoch
            losses.append(progress.loss)
    return Ours(method, scratch, losses)


def test_plans_are_equal(hand: Hand, ours: Ours) -> None:
    plans = dict(ours.method.model.plans)
    assert plans.pop("dataset_name") == NAME
    assert plans == {key: value for key, value in hand.plans.items() if key != "dataset_name"}


def test_preprocessed_cases_are_equal(hand: Hand, ours: Ours) -> None:
    folder = ours.scratch / "nnUNet_preprocessed" / NAME / hand.preprocessed.name
    files = sorted(file.name for file in hand.preprocessed.glob("*.b2nd"))
    assert len(files) == 2 * len(CASES)
    for name in files:
        assert np.array_equal(
            blosc2.open(str(folder / name))[:], blosc2.open(str(hand.preprocessed / name))[:]
        )


def test_losses_and_weights_are_equal(hand: Hand, ours: Ours) -> None:
    assert ours.rates == [float(x) for x in hand.trainer.logger.get_value("train_losses", None)]
    expected = dict(hand.trainer.network.named_parameters())
    found = dict(ours.method.model.network.named_parameters())
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def by_hand(hand: Hand) -> np.ndarray:
    """The query through its predictor, from a file."""
    trainer = hand.trainer
    trainer.set_deep_supervision_enabled(False)
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        [trainer.network.state_dict()],
        hand.dataset,
        "nnUNetTrainer",
        trainer.inference_allowed_mirroring_axes,
    )
    file = hand.preprocessed / "query.nii.gz"
    write(QUERY.image, QUERY.spacing, file)
    labels: np.ndarray = predictor.predict_single_npy_array(*SimpleITKIO().read_images([str(file)]))
    return labels


def test_predictions_are_equal_and_so_is_their_dice(hand: Hand, ours: Ours, tmp_path: Path) -> None:
    """By its evaluator from files, and by our integers; nan is its word for both masks empty."""
    expected, found = by_hand(hand), ours.method.predict(blind(QUERY))
    assert np.array_equal(found, expected)
    assert QUERY.label is not None
    one = np.where(QUERY.label == 1, 1, 0).astype(np.uint8)
    pairs = {"q": (found, QUERY.label), "empty": (one, one), "missed": (one, QUERY.label)}
    theirs = evaluated(pairs, tmp_path)
    for label in (1, 2):
        dice = []
        for case, (prediction, reference) in pairs.items():
            overlap = count_overlap(prediction, reference, classes=[1, 2])[label]
            dice.append(nan_dice(overlap))
            assert np.array_equal(dice[-1], theirs["metric_per_case"][case][label], equal_nan=True)
        assert np.nanmean(dice) == theirs["mean"][label]
    assert np.isnan(theirs["metric_per_case"]["empty"][2])
    assert theirs["metric_per_case"]["missed"][2] == 0


def nan_dice(overlap: Overlap) -> float:
    return float("nan") if overlap.dice is None else overlap.dice


def evaluated(pairs: dict[str, tuple[np.ndarray, np.ndarray]], folder: Path) -> dict[str, Any]:
    for place in ("predictions", "references"):
        (folder / place).mkdir()
    for case, arrays in pairs.items():
        for place, array in zip(("predictions", "references"), arrays, strict=True):
            write(array, QUERY.spacing, folder / place / f"{case}.nii.gz")
    summary = compute_metrics_on_folder(
        str(folder / "references"),
        str(folder / "predictions"),
        None,  # type: ignore[arg-type]
        SimpleITKIO(),
        ".nii.gz",
        [1, 2],
        num_processes=1,
    )
    cases = {
        Path(case["prediction_file"]).name.removesuffix(".nii.gz"): {
            label: case["metrics"][label]["Dice"] for label in (1, 2)
        }
        for case in summary["metric_per_case"]
    }
    return {
        "metric_per_case": cases,
        "mean": {label: summary["mean"][label]["Dice"] for label in (1, 2)},
    }
