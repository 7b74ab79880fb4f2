"""What MetaImage and NRRD share: SimpleITK reads and writes both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its customary name

from bench.data.readers.image import RawImage, from_lps, from_xyz, spacing_of
from bench.errors import DataError


def read_itk(path: Path, case: str, *, says_spacing: bool) -> RawImage:
    """Voxels and geometry. says_spacing: False where the header has none and ITK would say 1 mm."""
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise DataError(case, f"{path} cannot be read: {_reason(error)}") from error
    array = sitk.GetArrayFromImage(image)
    if image.GetDimension() != 3 or not says_spacing:
        return RawImage(array)
    affine = _affine(image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    return RawImage(array, spacing_of(affine), affine)


def grid_of_itk(path: Path, case: str) -> tuple[tuple[int, ...], np.ndarray | None]:
    """Shape, last axis first, and affine (None for anything but a volume): the header alone."""
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise DataError(case, f"{path} cannot be read: {_reason(error)}") from error
    shape = tuple(reversed(reader.GetSize()))
    if len(shape) != 3:
        return shape, None
    return shape, _affine(reader.GetOrigin(), reader.GetSpacing(), reader.GetDirection())


def write_itk(path: Path, labels: np.ndarray, affine: np.ndarray) -> None:
    """labels (D, H, W) uint8 -> a compressed .nrrd or .mha on the grid of `affine`."""
    xyz = from_xyz(from_lps(affine))
    spacing = np.linalg.norm(xyz[:3, :3], axis=0)
    image = sitk.GetImageFromArray(np.ascontiguousarray(labels))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(xyz[:3, 3].tolist())
    image.SetDirection((xyz[:3, :3] / spacing).ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=True)


def _affine(
    origin: tuple[float, ...], spacing: tuple[float, ...], direction: tuple[float, ...]
) -> np.ndarray:
    xyz = np.eye(4)
    xyz[:3, :3] = np.reshape(direction, (3, 3)) * spacing
    xyz[:3, 3] = origin
    return from_lps(from_xyz(xyz))


def _reason(error: RuntimeError) -> str:
    """ITK's last line says what went wrong; those before it name its own source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "SimpleITK gives no reason"
