""".nii and .nii.gz, by nibabel. The array (i, j, k) becomes (k, j, i); nothing is resampled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.imageglobals import logger

from bench.data.readers.claim import check_real, claimed_bytes
from bench.data.readers.image import RawImage, from_xyz, spacing_of
from bench.data.readers.niftihead import check_head
from bench.data.readers.stored import check_deflated, check_plain
from bench.errors import DataError

_MILLIMETRES = {"meter": 1000.0, "micron": 0.001}


def read_nifti(path: Path, case: str) -> RawImage:
    """The voxels with the header's scale applied, in the file's own type where there is none."""
    image = _open(path, case)
    voxels = image.dataobj
    check_real(path, case, image.get_data_dtype())
    size = claimed_bytes(path, case, image.shape, image.get_data_dtype().itemsize)
    if path.name.lower().endswith(".gz"):
        check_deflated(path, case, offset=0, expected=voxels.offset + size, exact=False)
    else:
        check_plain(path, case, offset=voxels.offset, expected=size, exact=False)
    scaled = (voxels.slope, voxels.inter) != (1.0, 0.0)
    try:
        array = np.asarray(voxels, dtype=np.float32) if scaled else voxels.get_unscaled()
    except (OSError, EOFError, ValueError) as error:
        raise DataError(case, f"{path} cannot be read as NIfTI: {error}") from error
    if array.ndim < 3:
        return RawImage(array.T)
    affine = affine_of(image)
    return RawImage(array.T, spacing_of(affine), affine)


def grid_of_nifti(path: Path, case: str) -> tuple[tuple[int, ...], np.ndarray]:
    """Shape (D, H, W) and affine, from the header alone."""
    image = _open(path, case)
    return tuple(reversed(image.shape)), affine_of(image)


def affine_of(image: Any) -> np.ndarray:
    """(z, y, x) index -> mm. NIfTI allows metres and micrometres, too."""
    scale = _MILLIMETRES.get(image.header.get_xyzt_units()[0], 1.0)
    return from_xyz(np.diag([scale, scale, scale, 1.0]) @ image.affine)


def write_nifti(path: Path, labels: np.ndarray, affine: np.ndarray, like: Path) -> None:
    """labels (D, H, W) uint8 -> a file on the grid; the header's codes come from `like`."""
    header = None
    if like.name.lower().endswith((".nii", ".nii.gz")):
        header = _open(like, like.name).header.copy()
        header.set_slope_inter(1, 0)
        header["cal_min"] = header["cal_max"] = 0
    image = nibabel.Nifti1Image(labels.T, from_xyz(affine), header, dtype=np.uint8)
    image.header.set_xyzt_units("mm")
    if header is None:
        image.set_sform(image.affine, code="scanner")
        image.set_qform(image.affine, code="scanner")
    image.to_filename(path)


@contextmanager
def _unheard() -> Iterator[None]:
    """nibabel logs a remark before it raises; one line is enough for the user."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _open(path: Path, case: str) -> Any:
    """The lazy nibabel image: header read, voxels not."""
    kind = nibabel.Nifti2Image if check_head(path, case) == 2 else nibabel.Nifti1Image
    try:
        with _unheard():
            image = kind.from_filename(path)
    except (
        OSError,
        EOFError,
        ValueError,
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(case, f"{path} cannot be read as NIfTI: {reason}") from error
    if not image.shape or min(image.shape) < 1:
        raise DataError(case, f"{path} has an empty shape {tuple(image.shape)}")
    return image
