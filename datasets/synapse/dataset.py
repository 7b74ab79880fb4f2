"""Synapse multi-organ CT: raw BTCV volumes, or TransUNet's slices and test volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from bench.contract import Copy, RawCase, Source
from bench.data.readers import files_of, folders, npz_shape, read_image, read_pair
from bench.errors import DataError, RequestError

_INSIDE = ("Training", "RawData/Training", "Abdomen/RawData/Training", "data/Synapse", "Synapse")
_RAW = re.compile(r"img(\d{4})\.nii(\.gz)?")
_SLICE = re.compile(r"(case\d{4})_slice(\d{3})\.npz")
_VOLUME = re.compile(r"(case\d{4})\.npy\.h5")

ORGANS = {1: 1, 2: 2, 3: 3, 4: 4, 6: 5, 7: 6, 8: 7, 11: 8}
"""BTCV's label value -> ours; the other organs become background (H-SAM's preprocessing)."""

# fmt: off
DEPTH = {
    "case0005": 117, "case0006": 131, "case0007": 163, "case0009": 149, "case0010": 148,
    "case0021": 143, "case0023": 96, "case0024": 124, "case0026": 131, "case0027": 88,
    "case0028": 89, "case0030": 153, "case0031": 93, "case0033": 104, "case0034": 98,
    "case0037": 99, "case0039": 90, "case0040": 195,
}
# fmt: on
"""Slices of each training case in TransUNet's list, 2,211 in all: tells when the last is lost."""


class Synapse:
    def __init__(self, options: SimpleNamespace, root: Path | None) -> None:
        """Takes no options."""
        self.root = root

    def find(self) -> Copy | None:
        for base in folders(self.root, ("synapse", "Synapse", "BTCV"), _INSIDE):
            sources = tuple(_raw(base))
            if sources:
                return Copy(layout="raw", root=base, sources=sources)
            slices = _only(base, "train_npz*")
            sources = (*_sliced(slices), *_volumes(_only(base, "test_vol*")))
            if sources:
                return Copy(layout=_preprocessed(slices), root=base, sources=sources)
        return None

    def read(self, source: Source) -> RawCase:
        first = source.files[0]
        if _SLICE.fullmatch(first.name):
            return _read_slices(source)
        if _VOLUME.fullmatch(first.name):
            image = read_image(first, case=source.case, key="image").array
            label = read_image(first, case=source.case, key="label").array
            return RawCase(image, label, None)
        raw = read_pair(first, _label_of(first), source.case)
        return RawCase(raw.image, to_organs(raw.label), raw.spacing, raw.affine)


def to_organs(label: np.ndarray) -> np.ndarray:
    """BTCV's values 0 to 13 -> uint8 0 to 8."""
    mapped = np.zeros(label.shape, dtype=np.uint8)
    for theirs, ours in ORGANS.items():
        mapped[label == theirs] = ours
    return mapped


def _raw(base: Path) -> Iterator[Source]:
    """img/imgNNNN.nii.gz with label/labelNNNN.nii.gz, or both in one folder."""
    for path in sorted((*base.glob("img*.nii*"), *base.glob("img/img*.nii*"))):
        match = _RAW.fullmatch(path.name)
        if match:
            case = f"case{match[1]}"
            yield Source(case=case, patient=case, files=files_of(path, _label_of(path)))


def _label_of(image: Path) -> Path:
    name = image.name.replace("img", "label", 1)
    return image.parents[1] / "label" / name if image.parent.name == "img" else image.parent / name


def _only(base: Path, pattern: str) -> Path | None:
    """TransUNet's folders, whatever their copies add to the name (train_npz_new_224)."""
    found = [path for path in sorted(base.glob(pattern)) if path.is_dir()]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise RequestError(f"synapse: {base} holds {names}; keep one of them there")
    return found[0] if found else None


def _sliced(folder: Path | None) -> Iterator[Source]:
    cases: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder else ():
        match = _SLICE.fullmatch(path.name)
        if match:
            cases.setdefault(match[1], []).append(path)
    for case, files in cases.items():
        yield Source(case=case, patient=case, files=tuple(files))


def _volumes(folder: Path | None) -> Iterator[Source]:
    for path in sorted(folder.iterdir()) if folder else ():
        match = _VOLUME.fullmatch(path.name)
        if match:
            yield Source(case=match[1], patient=match[1], files=(path,))


def _preprocessed(folder: Path | None) -> str:
    """SAMed and H-SAM give the training slices out at 224 pixels, too; the test stays at 512."""
    first = next(_sliced(folder), None)
    if first is None:
        return "preprocessed"
    try:
        side = max(npz_shape(first.files[0], first.case, "image"))
    except DataError:
        return "preprocessed"  # `read` says what is wrong with this file
    return "preprocessed" if side >= 512 else "preprocessed-224"


def _read_slices(source: Source) -> RawCase:
    """The slices of a case, stacked: every index from 0 on must be there."""
    numbers = [int(path.name[-7:-4]) for path in source.files]
    expected = DEPTH.get(source.case, numbers[-1] + 1)
    missing = sorted(set(range(expected)) - set(numbers))
    if missing:
        raise DataError(
            source.case,
            f"{len(missing)} of its {expected} slices are missing, the first is "
            f"{source.case}_slice{missing[0]:03d}.npz in {source.files[0].parent}",
        )
    arrays = {
        key: [read_image(path, case=source.case, key=key).array for path in source.files]
        for key in ("image", "label")
    }
    for path, image, label in zip(source.files, arrays["image"], arrays["label"], strict=True):
        if not image.shape == label.shape == arrays["image"][0].shape:
            raise DataError(
                source.case,
                f"{path}: image {image.shape} and label {label.shape} are not of the first "
                f"slice's size {arrays['image'][0].shape}",
            )
    return RawCase(np.stack(arrays["image"]), np.stack(arrays["label"]), None)
