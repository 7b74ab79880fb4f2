"""ACDC: end-diastole and end-systole of a patient are two cases of one patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from bench.contract import Copy, RawCase, Source
from bench.data.readers import files_of, folders, read_image, read_pair, suffix_of
from bench.errors import DataError

_PATIENT = re.compile(r"patient(\d{3})")
_FRAME = re.compile(r"(patient\d{3})_frame\d\d")
_TRAINING = range(1, 101)
"""Numbers of the training patients; the published split knows no other."""
_INSIDE = ("training", "ACDC/database/training", "database/training")
_HDF5_INSIDE = ("ACDC_training_volumes", "data")


class ACDC:
    def __init__(self, options: SimpleNamespace, root: Path | None) -> None:
        """Takes no options."""
        self.root = root

    def find(self) -> Copy | None:
        for layout, inside, look in (
            ("official", _INSIDE, _official),
            ("h5", _HDF5_INSIDE, _hdf5),
        ):
            for base in folders(self.root, ("acdc", "ACDC"), inside):
                sources = tuple(look(base))
                if sources:
                    return Copy(layout=layout, root=base, sources=sources)
        return None

    def read(self, source: Source) -> RawCase:
        first = next((path for path in source.files if "_gt." not in path.name), None)
        if first is None:
            raise DataError(source.case, "Info.cfg names this frame, but its image is missing")
        if suffix_of(first) == ".h5":
            image = read_image(first, case=source.case, key="image").array
            label = read_image(first, case=source.case, key="label").array
            return RawCase(image, label, None)
        return read_pair(first, _label_of(first), source.case)


def _label_of(image: Path) -> Path:
    return image.with_name(image.name.replace(".nii", "_gt.nii", 1))


def _official(base: Path) -> Iterator[Source]:
    """patientNNN/patientNNN_frameMM.nii.gz; Info.cfg says which two frames are meant."""
    for folder in sorted(base.iterdir()):
        match = _PATIENT.fullmatch(folder.name)
        if match is None or int(match[1]) not in _TRAINING:
            continue
        named = {f"{folder.name}_frame{frame:02d}" for frame in phases(folder / "Info.cfg")}
        stored = {path.name.partition(".")[0] for path in folder.glob("*_frame*.nii*")}
        for case in sorted(named or {name for name in stored if _FRAME.fullmatch(name)}):
            images = (folder / f"{case}{suffix}" for suffix in (".nii.gz", ".nii"))
            files = [file for image in images for file in files_of(image, _label_of(image))]
            yield Source(case=case, patient=folder.name, files=tuple(files))


def _hdf5(base: Path) -> Iterator[Source]:
    for path in sorted(base.glob("patient*_frame*.h5")):
        match = _FRAME.fullmatch(path.stem)
        if match and int(match[1][-3:]) in _TRAINING:
            yield Source(case=path.stem, patient=match[1], files=(path,))


def phases(info: Path) -> set[int]:
    """Numbers of the end-diastolic and end-systolic frame; empty where no Info.cfg says them.

    Each frame that is stored apart is one of the two, so nothing is lost without the file.
    """
    if not info.is_file():
        return set()
    pairs = (line.split(":", 1) for line in info.read_text(errors="replace").splitlines())
    said = {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}
    return {int(said[phase]) for phase in ("ED", "ES") if said.get(phase, "").isdecimal()}
