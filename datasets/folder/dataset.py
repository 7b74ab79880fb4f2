"""A folder of the user's own: nnU-Net raw, or the decathlon's layout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.contract import Copy, RawCase, Source
from bench.data.readers import (
    DatasetJson,
    files_of,
    read_dataset_json,
    read_pair,
    stem_of,
    suffix_of,
)
from bench.errors import DataError, RequestError
from bench.protocol import UNLABELLED

SPLIT = "sambench_split.json"
_CHANNEL = re.compile(r"(.+)_(\d{4})")
_VOXELS = ("", ".raw", ".zraw")
"""No volume by itself: of no known format, or what a .mhd keeps beside it."""


class Folder:
    def __init__(self, options: SimpleNamespace, root: Path | None) -> None:
        """options.channel: which of nnU-Net's channels (_0000, _0001, ...) is the image."""
        if root is None:
            raise RequestError("dataset=folder needs dataset.root=DIR, the folder of your volumes")
        self.root = root
        self.channel: int = options.channel
        self._json: DatasetJson | None = None

    @property
    def split_file(self) -> Path:
        """Where the split is kept once it is drawn: beside the data."""
        return self.root / SPLIT

    def facts(self) -> dict[str, Any]:
        """What a card says of other datasets; `folder_` keeps the name off theirs."""
        described = self._described()
        short = re.sub(r"[^a-z0-9]+", "_", described.name.lower()).strip("_")
        channels = described.channels
        return {
            "name": f"folder_{short or 'unnamed'}",
            "classes": described.classes,
            "modality": channels[self.channel] if self.channel < len(channels) else "not stated",
        }

    def find(self) -> Copy | None:
        if not (self.root / "imagesTr").is_dir():
            return None
        described = self._described()
        images, labels = _volumes(self.root / "imagesTr"), _volumes(self.root / "labelsTr")
        numbered = [path for path in images if _CHANNEL.fullmatch(stem_of(path))]
        # A set of the decathlon may end a name in _0001 by chance; its label then does, too.
        nnunet = bool(numbered) and not any(
            stem_of(label) == stem_of(image) for image in numbered for label in labels
        )
        return Copy(
            layout="nnunet" if nnunet else "msd",
            root=self.root,
            sources=tuple(self._sources(images, labels, nnunet, described)),
        )

    def read(self, source: Source) -> RawCase:
        images = [path for path in source.files if path.parent.name == "imagesTr"]
        if not images:
            raise DataError(
                source.case, f"channel {self.channel} of its image is missing in imagesTr"
            )
        labels = [path for path in source.files if path.parent.name == "labelsTr"]
        label = labels[0] if labels else self.root / "labelsTr" / f"{source.case}.*"
        raw = read_pair(images[0], label, source.case)
        ignore = self._described().ignore
        if ignore is None:
            return raw
        return RawCase(
            raw.image, np.where(raw.label == ignore, UNLABELLED, raw.label), raw.spacing, raw.affine
        )

    def _described(self) -> DatasetJson:
        if self._json is None:
            self._json = read_dataset_json(self.root)
        return self._json

    def _sources(
        self, images: list[Path], labels: list[Path], nnunet: bool, described: DatasetJson
    ) -> Iterator[Source]:
        """Every case that has an image or a label; two files of one name make two sources."""
        by_case: dict[str, list[Path]] = {}
        for image in images:
            case, channel = stem_of(image), self.channel
            if nnunet and (match := _CHANNEL.fullmatch(case)):
                case, channel = match[1], int(match[2])
            by_case.setdefault(case, [])
            if channel == self.channel:
                by_case[case].append(image)
        label_of = {stem_of(label): label for label in labels}
        for case in sorted(by_case.keys() | label_of.keys()):
            label = files_of(label_of[case]) if case in label_of else ()
            for image in by_case.get(case) or [None]:
                yield Source(
                    case=case,
                    patient=described.patients.get(case, case),
                    files=(files_of(image) if image else ()) + label,
                    site=described.sites.get(case),
                )


def _volumes(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if suffix_of(path) not in _VOXELS and not path.name.startswith(".")
    ]
