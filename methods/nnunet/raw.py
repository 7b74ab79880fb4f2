"""The support as a raw dataset of nnU-Net's: images, labels, dataset.json, splits_final.json."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK

from bench.contract import Volume
from bench.protocol import UNLABELLED

NAME = "Dataset001_Support"
ENDING = ".mha"
"""Of its formats the one that keeps a spacing to all its digits and need not be compressed."""


def write_raw(
    support: Sequence[Volume], *, classes: Sequence[str], modality: str, folder: Path
) -> dict[str, Any]:
    """Writes what nnU-Net calls the dataset into `folder`, its three folders' parent.

    Returns dataset.json. "ignore", its label for voxels without one, is there only if the support
    has such voxels: with it nnU-Net samples and weighs otherwise.
    """
    raw = folder / "nnUNet_raw" / NAME
    prepared = folder / "nnUNet_preprocessed" / NAME
    for place in (raw / "imagesTr", raw / "labelsTr", prepared, folder / "nnUNet_results"):
        place.mkdir(parents=True)
    ignore = len(classes) + 1
    partial = shown = False
    files: dict[str, Any] = {}
    for number, volume in enumerate(support):
        case = f"case_{number:03d}"
        label = np.array(volume.label, dtype=np.uint8)
        unknown = label == UNLABELLED
        partial |= bool(unknown.any())
        shown |= bool(label[~unknown].any())
        label[unknown] = ignore
        image_file, label_file = f"imagesTr/{case}_0000{ENDING}", f"labelsTr/{case}{ENDING}"
        _write(raw / image_file, volume.image.astype(np.float32), volume.spacing)
        _write(raw / label_file, label, volume.spacing)
        # Listed: looking for them, nnU-Net would start twelve processes.
        files[case] = {"images": [image_file], "label": label_file}
    if not shown:
        raise ValueError("no labelled voxel of any structure in the support: nothing to plan on")
    labels = {"background": 0, **{f"class_{i + 1}": i + 1 for i in range(len(classes))}}
    if partial:
        labels["ignore"] = ignore
    dataset = {
        "channel_names": {"0": "CT" if is_ct(modality) else "MR"},
        "labels": labels,
        "numTraining": len(support),
        "file_ending": ENDING,
        "overwrite_image_reader_writer": "SimpleITKIO",
        "dataset": files,
    }
    _write_json(raw / "dataset.json", dataset)
    # One fold, of all cases: labels that are not trained on would be validation labels. The second
    # list is needed to build its loaders; nothing is ever drawn from them.
    _write_json(prepared / "splits_final.json", [{"train": [*files], "val": [*files]}])
    return dataset


def is_ct(modality: str) -> bool:
    """nnU-Net scales CT by the whole set's intensities, anything else by the volume's own."""
    words = set(re.findall(r"[A-Z]+", modality.upper()))
    return "CT" in words and not words & {"MR", "MRI"}


def _write(path: Path, array: np.ndarray, spacing: tuple[float, float, float]) -> None:
    """Slices first stays slices first: nnU-Net reads the same array that was written."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing([float(side) for side in reversed(spacing)])
    SimpleITK.WriteImage(image, str(path), False)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
