"""PROMISE12: CaseNN.mhd with CaseNN_segmentation.mhd, as the challenge gives them out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from bench.contract import Copy, RawCase, Source
from bench.data.readers import files_of, folders, read_meta_header, read_pair
from bench.errors import DataError

_IMAGE = re.compile(r"Case\d\d\.mhd")
# The challenge's own archives came in parts; the Zenodo one has a single folder.
_INSIDE = ("training_data", "TrainingData", *(f"TrainingData_Part{n}" for n in (1, 2, 3)))
_OFFICIAL_SIDE = 256
"""Pixels: the official volumes are 256 to 512 in plane."""


class Promise12:
    def __init__(self, options: SimpleNamespace, root: Path | None) -> None:
        """Takes no options."""
        self.root = root

    def find(self) -> Copy | None:
        for base in folders(self.root, ("promise12", "PROMISE12")):
            images = [
                path
                for folder in folders(base, (), _INSIDE)
                for path in sorted(folder.glob("Case*.mhd"))
                if _IMAGE.fullmatch(path.name)
            ]
            if images:
                return Copy(
                    layout=_layout(images),
                    root=base,
                    sources=tuple(_source(image) for image in images),
                )
        return None

    def read(self, source: Source) -> RawCase:
        image = next(path for path in source.files if _IMAGE.fullmatch(path.name))
        return read_pair(image, _label_of(image), source.case)


def site_of(number: int) -> str:
    """The hospital of CaseNN, as listed in neerakara/test-time-adaptable-neural-networks-for-
    domain-generalization: RUNMC 13-25, UCL 1 and 26-37, BIDMC 0 and 2-12, HK 38-49."""
    if 13 <= number <= 25:
        return "RUNMC"
    if number == 1 or 26 <= number <= 37:
        return "UCL"
    return "HK" if number >= 38 else "BIDMC"


def _label_of(image: Path) -> Path:
    return image.with_name(f"{image.stem}_segmentation.mhd")


def _source(image: Path) -> Source:
    return Source(
        case=image.stem,
        patient=image.stem,
        files=files_of(image, _label_of(image)),
        site=site_of(int(image.stem[-2:])),
    )


def _layout(images: Sequence[Path]) -> str:
    """Copies with smaller slices than any official one are known: resampled and cropped."""
    for image in images:
        try:
            sides = read_meta_header(image, image.stem).shape[-2:]
        except DataError:
            continue  # `read` says what is wrong with this header; it tells nothing of the copy
        if min(sides) < _OFFICIAL_SIDE:
            return "reduced"
    return "official"
