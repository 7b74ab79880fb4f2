"""A label map written on the grid of a given image, so that any viewer lays one over the other."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bench.data.readers.dispatch import read_image, suffix_of
from bench.data.readers.itk import write_itk
from bench.data.readers.metaimage import read_meta_header
from bench.data.readers.nifti import grid_of_nifti, write_nifti
from bench.data.readers.nrrd import read_nrrd_header
from bench.errors import DataError, RequestError

_NIFTI = (".nii", ".nii.gz")
_ITK = (".nrrd", ".mha")
_PLAIN = (".npy", ".npz")
_HEADERS = {
    ".mhd": read_meta_header,
    ".mha": read_meta_header,
    ".nrrd": read_nrrd_header,
    ".nhdr": read_nrrd_header,
}


def write_label(path: Path, labels: np.ndarray, *, like: Path) -> None:
    """labels (D, H, W) uint8 -> `path` on the grid of the image `like`, atomically.

    .nii, .nii.gz, .nrrd and .mha carry the geometry. .npy and .npz (key "label") carry none: they
    are the only ones for an image that has none itself.
    """
    suffix = suffix_of(path)
    if suffix not in (*_NIFTI, *_ITK, *_PLAIN):
        known = ", ".join((*_NIFTI, *_ITK, *_PLAIN))
        raise RequestError(f"cannot write a label map to {path}; use one of {known}")
    shape, affine = _grid(like)
    if labels.dtype != np.uint8:
        raise DataError(path.name, f"a label map is uint8, not {labels.dtype}")
    if labels.shape != shape:
        raise DataError(
            path.name, f"the label map of shape {labels.shape} is not on the grid {shape} of {like}"
        )
    if affine is None and suffix not in _PLAIN:
        raise RequestError(f"{like} says nothing of its geometry; write to .npz or .npy instead")
    part = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        _write(part, suffix, labels, affine, like)
        part.replace(path)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[-1]
        raise RequestError(f"cannot write the label map {path}: {reason}") from error
    finally:
        part.unlink(missing_ok=True)


def _write(
    path: Path, suffix: str, labels: np.ndarray, affine: np.ndarray | None, like: Path
) -> None:
    if suffix == ".npy":
        np.save(path, labels)
    elif suffix == ".npz":
        np.savez_compressed(path, label=labels)
    elif affine is not None and suffix in _NIFTI:
        write_nifti(path, labels, affine, like)
    elif affine is not None:
        write_itk(path, labels, affine)


def _grid(like: Path) -> tuple[tuple[int, ...], np.ndarray | None]:
    suffix = suffix_of(like)
    if not like.is_file():
        raise DataError(like.name, f"{like} is missing")
    if suffix in _NIFTI:
        return grid_of_nifti(like, like.name)
    if suffix in _HEADERS:
        header = _HEADERS[suffix](like, like.name)
        return header.shape, header.affine
    image = read_image(like)
    return image.array.shape, image.affine
