"""Scores of any two label maps, or of two folders of them, without a run: `evaluate`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeAlias

import pandas as pd

from bench.api.folders import pair_files
from bench.api.labelpair import LabelPair, LabelSource, read_label_pair
from bench.errors import DataError, RequestError
from bench.score import score_case
from bench.score.labels import Classes

AnyClasses: TypeAlias = Classes[str] | Classes[int]

MEASURES = ("dice", "iou", "hd95", "assd", "nsd")
COUNTS = ("tp", "fp", "fn")
COLUMNS = ("class", *MEASURES, *COUNTS, "empty", "spacing_source")


def evaluate(
    prediction: LabelSource,
    reference: LabelSource,
    spacing: Sequence[float] | None = None,
    classes: AnyClasses | None = None,
) -> pd.DataFrame:
    """Scores of one predicted label map, a row a class, by the rules of docs/protocol.md.

    prediction, reference  label maps of one shape, (D, H, W) or (H, W): arrays of whole numbers,
                           or files of any format that the suite reads (.npz and .h5: key "label")
    spacing                mm along each axis, in the order of the axes; where a file says it, it
                           may be left out and must agree (files of 2D images do not). Said by
                           nobody it is 1: distances are then in voxels, and `spacing_source` is
                           "unknown"
    classes                names (label value = index + 1), name -> label value, or label values;
                           without them, every label value above 0 that either map holds

    Columns: class, dice, iou, hd95 and assd (mm), nsd (tolerance 2 mm), tp, fp, fn (voxels),
    empty ("both", "missed", "false_positive", or missing where both masks have voxels),
    spacing_source ("file", "given", "unknown"). A score is NaN where both masks are empty.
    Reference voxels of value 255 are not labelled and count for nothing.
    Raises bench.errors.RequestError, in one line, for maps that cannot be compared.
    """
    pair = read_label_pair(prediction, reference, spacing)
    if classes is None:
        classes = pair.labels()
        if not classes:
            raise RequestError("neither label map holds a label above 0: name the classes")
    return _scored(pair, classes)


def evaluate_folders(
    prediction: str | os.PathLike[str],
    reference: str | os.PathLike[str],
    spacing: Sequence[float] | None = None,
    classes: AnyClasses | None = None,
) -> pd.DataFrame:
    """Scores of a folder of predictions against a folder of references, a row a case and class.

    Files are paired by their names without the format's suffix; nothing is scored unless each file
    has its partner. As `evaluate`, with a first column `case`. Without `classes` every case has a
    row for each label value that any file of either folder holds.
    """
    pairs = pair_files(prediction, reference)
    if classes is None:
        found: set[int] = set()
        for case, (predicted, referenced) in pairs.items():
            with _naming(case):
                found.update(read_label_pair(predicted, referenced, spacing).labels())
        classes = sorted(found)
        if not classes:
            raise RequestError("no label map holds a label above 0: name the classes")
    frames = []
    for case, (predicted, referenced) in pairs.items():
        with _naming(case):
            frame = _scored(read_label_pair(predicted, referenced, spacing), classes)
        frame.insert(0, "case", case)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@contextmanager
def _naming(case: str) -> Iterator[None]:
    """An error within names the case that it is about."""
    try:
        yield
    except DataError:  # it does already
        raise
    except RequestError as error:
        raise DataError(case, str(error)) from None


def _scored(pair: LabelPair, classes: Classes[Any]) -> pd.DataFrame:
    scores = score_case(pair.prediction, pair.reference, pair.spacing, classes)
    rows = [{"class": name, **asdict(score)} for name, score in scores.items()]
    frame = pd.DataFrame(rows).assign(spacing_source=pair.spacing_source)
    types = {**dict.fromkeys(MEASURES, "float64"), **dict.fromkeys(COUNTS, "int64")}
    # pandas' own text type: None stays missing, whether or not another row has a word.
    return frame.astype({**types, "empty": "string"})[list(COLUMNS)]
