"""Volumes as they travel to a worker: facts in the message, voxels in open files beside it."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import Volume


@dataclass(frozen=True)
class VolumeFiles:
    """A volume to hand over. `image` and `label` are .npy files on the disk, or arrays in memory;
    `label` None where the method has no right to it."""

    volume: Volume
    image: Path | np.ndarray
    label: Path | np.ndarray | None

    @contextmanager
    def opened(self) -> Iterator[tuple[dict[str, Any], list[int]]]:
        """The message and the files beside it, closed again at the end."""
        volume = self.volume
        facts = {
            "case": volume.case,
            "patient": volume.patient,
            "spacing": list(volume.spacing),
            "labelled_slices": list(volume.labelled_slices),
            "dataset": volume.dataset,
        }
        files: list[int] = []
        try:
            for source in (self.image, *([] if self.label is None else [self.label])):
                files.append(_open(source))
            yield facts, files
        finally:
            for file in files:
                os.close(file)


def in_memory(volume: Volume) -> VolumeFiles:
    """Of arrays that no store holds."""
    return VolumeFiles(volume, image=volume.image, label=volume.label)


def _open(source: Path | np.ndarray) -> int:
    if isinstance(source, Path):
        return os.open(source, os.O_RDONLY)
    # Without a name, so that nothing else can open it.
    with tempfile.TemporaryFile() as file:
        np.save(file, source)
        file.flush()
        file.seek(0)
        return os.dup(file.fileno())


def received(facts: dict[str, Any], files: Sequence[int]) -> Volume:
    """The volume, its arrays read-only views of the files. Closes the files."""
    try:
        image, label = (*(_mapped(file) for file in files), None)[:2]
    finally:
        for file in files:
            os.close(file)
    assert image is not None
    return Volume(
        case=facts["case"],
        patient=facts["patient"],
        image=image,
        spacing=tuple(facts["spacing"]),
        label=label,
        labelled_slices=tuple(facts["labelled_slices"]),
        dataset=facts["dataset"],
    )


def _mapped(descriptor: int) -> np.ndarray:
    """The array of a .npy file, mapped; the file may be closed afterwards."""
    with open(descriptor, "rb", closefd=False) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        start = file.tell()
    size = int(np.prod(shape)) * dtype.itemsize
    view = mmap.mmap(descriptor, start + size, access=mmap.ACCESS_READ)
    return np.frombuffer(view, dtype=dtype, offset=start).reshape(shape)
