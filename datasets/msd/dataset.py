"""The Medical Segmentation Decathlon: ten tasks of one layout, one class for all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from bench.contract import Copy, RawCase, Source
from bench.data.readers import (
    files_of,
    folders,
    read_dataset_json,
    read_pair,
    stem_of,
)
from bench.errors import DataError


class Decathlon:
    def __init__(self, options: SimpleNamespace, root: Path | None) -> None:
        """options.task: the folder's name, Task04_Hippocampus.

        options.channel: which channel of a 4D image is taken; only tasks with several have it.
        """
        self.task: str = options.task
        self.channel: int | None = getattr(options, "channel", None)
        self.root = root

    def find(self) -> Copy | None:
        """The cases that dataset.json lists for training and whose image is there."""
        for folder in folders(self.root, (self.task,), (f"msd/{self.task}",)):
            if not (folder / "imagesTr").is_dir() or folder.resolve().name != self.task:
                continue
            sources = tuple(
                Source(
                    case=stem_of(Path(image)),
                    patient=stem_of(Path(image)),
                    files=files_of(folder / image, folder / label),
                )
                for image, label in read_dataset_json(folder).training
                if (folder / image).is_file()
            )
            return Copy(layout="official", root=folder, sources=sources)
        return None

    def read(self, source: Source) -> RawCase:
        image = source.files[0]
        label = image.parents[1] / "labelsTr" / image.name
        raw = read_pair(image, label, source.case)
        if self.channel is None or raw.image.ndim != 4:
            return raw
        if not 0 <= self.channel < len(raw.image):
            raise DataError(
                source.case,
                f"there is no channel {self.channel}; {image} has 0 to {len(raw.image) - 1}",
            )
        return RawCase(raw.image[self.channel], raw.label, raw.spacing, raw.affine)
