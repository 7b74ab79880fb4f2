"""Label maps written as MetaImage and NRRD, by SimpleITK. It reads nothing: see `stored.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its customary name

from bench.data.readers.image import from_lps, from_xyz


def write_itk(path: Path, labels: np.ndarray, affine: np.ndarray) -> None:
    """labels (D, H, W) uint8 -> a compressed .nrrd or .mha on the grid of `affine`."""
    xyz = from_xyz(from_lps(affine))
    spacing = np.linalg.norm(xyz[:3, :3], axis=0)
    image = sitk.GetImageFromArray(np.ascontiguousarray(labels))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(xyz[:3, 3].tolist())
    image.SetDirection((xyz[:3, :3] / spacing).ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=True)
