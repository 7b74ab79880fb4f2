"""LA 2018: one folder a patient, with the challenge's NRRD files or the literature's HDF5 file."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from bench.contract import Copy, RawCase, Source
from bench.data.readers import files_of, folders, read_image, read_pair

_PATIENT = re.compile(r"[0-9A-Z]{20}")
_INSIDE = (
    "Training Set",
    "2018_UTAH_MICCAI/Training Set",
    "2018LA_Seg_Training Set",
    "data/2018LA_Seg_Training Set",
)
_IMAGE, _LABEL, _HDF5 = "lgemri.nrrd", "laendo.nrrd", "mri_norm2.h5"
_ENDO = 255
"""Value of the cavity in the official label files."""


class LA2018:
    def __init__(self, options: SimpleNamespace, root: Path | None) -> None:
        """Takes no options."""
        self.root = root

    def find(self) -> Copy | None:
        for base in folders(self.root, ("la2018", "LA2018", "LA"), _INSIDE):
            patients = [path for path in sorted(base.iterdir()) if _PATIENT.fullmatch(path.name)]
            for layout, image, label in (("official", _IMAGE, _LABEL), ("h5", _HDF5, _HDF5)):
                sources = tuple(
                    Source(
                        case=folder.name,
                        patient=folder.name,
                        files=files_of(*dict.fromkeys((folder / image, folder / label))),
                    )
                    for folder in patients
                    if (folder / image).is_file()
                )
                if sources:
                    return Copy(layout=layout, root=base, sources=sources)
        return None

    def read(self, source: Source) -> RawCase:
        first = source.files[0]
        if first.name == _HDF5:
            return _read_hdf5(first, source.case)
        # Only the direction and spacing of the two headers are compared: we have not seen enough
        # official copies to know that every label keeps the image's origin.
        raw = read_pair(first, first.with_name(_LABEL), source.case, same_origin=False)
        label = raw.label.copy()
        label[raw.label == _ENDO] = 1
        return RawCase(raw.image, label, raw.spacing, raw.affine)


def _read_hdf5(path: Path, case: str) -> RawCase:
    """Stored as (x, y, z): turned round, so that slices are first. No spacing in the file."""
    image = read_image(path, case=case, key="image").array
    label = read_image(path, case=case, key="label").array
    return RawCase(np.ascontiguousarray(image.T), np.ascontiguousarray(label.T), None)
