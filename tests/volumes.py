"""Twelve patients of three small slices, in nnU-Net's layout: a unit on them takes no time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

PATIENTS = 12


def make_volumes(root: Path) -> Path:
    for part in ("imagesTr", "labelsTr"):
        (root / part).mkdir(parents=True)
    described = {"channel_names": {"0": "MR"}, "labels": {"background": 0, "gland": 1}}
    (root / "dataset.json").write_text(json.dumps(described))
    for number in range(PATIENTS):
        label = np.zeros((3, 8, 8), np.uint8)
        label[:, 2:6, 1 : 5 + number % 3] = 1
        image = np.random.default_rng(number).normal(0, 0.1, label.shape) + label
        for part, voxels in (
            ("imagesTr/c{}_0000", image.astype(np.float32)),
            ("labelsTr/c{}", label),
        ):
            file = root / f"{part.format(number)}.nii.gz"
            sitk.WriteImage(sitk.GetImageFromArray(voxels), str(file))
    return root
