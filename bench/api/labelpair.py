"""A predicted and a reference label map, from arrays or files, checked to lie on one grid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from bench.contract import Spacing
from bench.data.checks import SPACING_TOLERANCE, check_affine
from bench.data.checks import check_spacing as check_millimetres
from bench.data.convert import choose_spacing
from bench.data.readers import RawImage, grid_shift, read_image
from bench.errors import RequestError
from bench.protocol import UNLABELLED
from bench.score.labels import BACKGROUND, LabelMap, check_spacing, label_maps

LabelSource = npt.ArrayLike | str | os.PathLike[str]
"""A label map: an array (D, H, W) or (H, W) of whole numbers, or the path of a file."""

SpacingSource = Literal["file", "given", "unknown"]
KEY = "label"
"""The array's name in .h5 and .npz files, as in the predictions that a unit keeps."""


@dataclass(frozen=True, eq=False)
class LabelPair:
    """Two label maps of one shape, (D, H, W) or (H, W), uint8.

    spacing         from voxel to voxel along each axis, in mm; 1 where it is unknown
    spacing_source  "file": a header said it; "given": the caller did; "unknown": nobody did, so
                    that distances are in voxels
    """

    prediction: LabelMap
    reference: LabelMap
    spacing: tuple[float, ...]
    spacing_source: SpacingSource

    def labels(self) -> list[int]:
        """The label values above background that either map holds, in order."""
        present = [np.bincount(array.ravel(), minlength=256) > 0 for array in self._both()]
        in_reference = np.flatnonzero(present[1])
        if in_reference.max() == UNLABELLED and not (in_reference[:-1] != BACKGROUND).any():
            raise RequestError(
                f"the reference holds no label but {UNLABELLED}, which means not labelled: write "
                "the foreground as 1, or name the classes"
            )
        found = np.flatnonzero(present[0] | present[1])
        return [int(v) for v in found if BACKGROUND < v < UNLABELLED]

    def _both(self) -> tuple[LabelMap, LabelMap]:
        return self.prediction, self.reference


def read_label_pair(
    prediction: LabelSource, reference: LabelSource, spacing: Sequence[float] | None = None
) -> LabelPair:
    """Reads and checks both; RequestError where they do not fit each other."""
    raw = (_read("prediction", prediction), _read("reference", reference))
    predicted, referenced = label_maps(raw[0].array, raw[1].array)
    said = _header_spacing(raw)
    given = None if spacing is None else check_spacing(spacing, referenced.shape)
    if given is not None and said is not None and not _agree(given, said):
        raise RequestError(
            f"spacing {_mm(given)} was given, but a file says {_mm(said)}: leave spacing out, or "
            "mend the header"
        )
    shift = grid_shift(*raw)
    if shift is not None:
        raise RequestError(
            "prediction and reference are not on one grid: their headers place a corner "
            f"{shift:.3g} mm apart; write both with the same header"
        )
    if said is not None:
        return LabelPair(predicted, referenced, said, "file")
    if given is not None:
        return LabelPair(predicted, referenced, given, "given")
    return LabelPair(predicted, referenced, (1.0,) * referenced.ndim, "unknown")


def _read(which: str, source: LabelSource) -> RawImage:
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        if path.is_dir():
            raise RequestError(
                f"{which} {path} is a folder: give two files, or two folders to evaluate_folders"
            )
        if not path.exists():
            raise RequestError(f"{which} {path}: there is no such file")
        raw = read_image(path, key=KEY)
        check_millimetres(path.name, raw.spacing)
        check_affine(path.name, raw.affine, raw.spacing)
        return raw
    try:
        return RawImage(np.asarray(source))
    except (TypeError, ValueError) as error:  # ragged lists, tensors on a GPU
        raise RequestError(f"{which} is no array and no path: {error}") from None


def _header_spacing(pair: tuple[RawImage, RawImage]) -> Spacing | None:
    """What the files say, rounded as prepared data are; both must agree where both say it."""
    first, second = (raw.spacing for raw in pair)
    if first is not None and second is not None and not _agree(first, second):
        raise RequestError(
            f"prediction has spacing {_mm(first)}, reference has {_mm(second)}: bring the "
            "prediction back to the image's own grid before scoring"
        )
    found = first if second is None else second
    return None if found is None else choose_spacing(found, None)[0]


def _agree(first: Sequence[float], second: Sequence[float]) -> bool:
    return len(first) == len(second) and np.allclose(first, second, rtol=SPACING_TOLERANCE, atol=0)


def _mm(spacing: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in spacing) + " mm"
