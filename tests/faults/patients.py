"""A folder of volumes whose names nobody may hear."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np

PATIENTS = ("MUELLER_ANNA", "O'Brien 1970", "7", "Ærø", "Smith-Jones", "zu Löwe  Wilhelmina")
BROKEN = "Kaputt_Karl"
SPOKEN = (
    "MUELLER",
    "ANNA",
    "Brien",
    "rø",
    "Smith",
    "Jones",
    "Löwe",
    "Wilhelmina",
    "Kaputt",
    "Karl",
)
"""What must not be heard. "7" is not among them: every number holds it."""
SHAPE = (12, 14, 5)


def write(root: Path, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = np.zeros(SHAPE, np.uint8)
    label[3:9, 3 + seed % 4 : 9, 1:4] = 1
    image = rng.normal(size=SHAPE).astype(np.float32)
    nibabel.Nifti1Image(image, np.eye(4)).to_filename(root / "imagesTr" / f"{name}_0000.nii.gz")
    nibabel.Nifti1Image(label, np.eye(4)).to_filename(root / "labelsTr" / f"{name}.nii.gz")


def make_mine(root: Path) -> Path:
    """nnU-Net's layout."""
    for name in ("imagesTr", "labelsTr"):
        (root / name).mkdir(parents=True)
    for seed, name in enumerate(PATIENTS):
        write(root, name, seed)
    (root / "dataset.json").write_text('{"name": "ours", "labels": {"background": 0, "gland": 1}}')
    return root


def clear_names(root: Path) -> dict[str, str]:
    return dict(json.loads((root / "sambench_ids.json").read_bytes())["ids"])


def spoken(text: str) -> list[str]:
    return [name for name in SPOKEN if name.lower() in text.lower()]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])
