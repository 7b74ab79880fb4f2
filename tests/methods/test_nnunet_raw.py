"""What nnU-Net reads is what the harness gave."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from bench.contract import Volume
from bench.protocol import UNLABELLED
from methods.nnunet.raw import NAME, is_ct, write_raw
from tests.methods.nnunet_tiny import boxes

ODD = 0.6250000417232513
"""A spacing that a float32, as NIfTI has it, does not hold."""


def written(given: Volume, folder: Path, modality: str = "MR") -> dict[str, Any]:
    return write_raw([given], classes=["a", "b"], modality=modality, folder=folder)


def test_its_reader_gives_back_the_arrays_and_the_spacing(tmp_path: Path) -> None:
    given = boxes(shape=(3, 8, 10), spacing=(5.5, ODD, 0.7))
    given = replace(given, image=given.image.astype(np.float16))
    dataset = written(given, tmp_path)
    raw = tmp_path / "nnUNet_raw" / NAME
    files = dataset["dataset"]["case_000"]
    image, facts = SimpleITKIO().read_images([str(raw / name) for name in files["images"]])
    label, _ = SimpleITKIO().read_seg(str(raw / files["label"]))
    assert np.array_equal(image[0], given.image)
    assert np.array_equal(label[0], given.label)
    assert facts["spacing"] == list(given.spacing)


def test_dataset_json_says_what_nnunet_wants_to_know(tmp_path: Path) -> None:
    dataset = written(boxes(), tmp_path, modality="CT")
    assert json.loads((tmp_path / "nnUNet_raw" / NAME / "dataset.json").read_text()) == dataset
    assert dataset["labels"] == {"background": 0, "class_1": 1, "class_2": 2}
    assert (dataset["numTraining"], dataset["channel_names"]) == (1, {"0": "CT"})
    splits = tmp_path / "nnUNet_preprocessed" / NAME / "splits_final.json"
    assert json.loads(splits.read_text()) == [{"train": ["case_000"], "val": ["case_000"]}]


def test_what_nobody_labelled_is_ignored(tmp_path: Path) -> None:
    given = boxes()
    assert given.label is not None
    label = np.full_like(given.label, UNLABELLED)
    label[2] = given.label[2]
    dataset = written(replace(given, label=label, labelled_slices=(2,)), tmp_path)
    assert dataset["labels"]["ignore"] == 3
    file = tmp_path / "nnUNet_raw" / NAME / dataset["dataset"]["case_000"]["label"]
    read, _ = SimpleITKIO().read_seg(str(file))
    assert np.array_equal(read[0], np.where(label == UNLABELLED, 3, label))


@pytest.mark.parametrize(
    ("modality", "ct"),
    [("CT", True), ("contrast-enhanced CT", True), ("MR", False), ("CT or MR", False)],
)
def test_ct_is_what_the_card_calls_ct(modality: str, ct: bool) -> None:
    assert is_ct(modality) is ct
