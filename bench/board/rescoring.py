"""Kept predictions -> scores again, held against what the records say."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy

from bench.errors import DataError, RequestError
from bench.record.schema import CaseResult, Record
from bench.record.store import read_records
from bench.record.zipped import unbounded_packing

Labels = Callable[[str, str], Any]
"""(dataset's name in the request, case) -> reference label map on the image's own grid."""

FIELDS = ("tp", "fp", "fn", "dice", "iou", "hd95", "assd", "nsd", "empty")
LARGEST = 2**31
"""Bytes of a kept label map; a stranger's may be a bomb."""
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What a damaged archive or array raises: an unknown compression and a password among it."""
TOLERANCE = 1e-6
"""Of a recorded number: what writing and reading it may change."""


@dataclass(frozen=True)
class Difference:
    """A score that is not what the record says."""

    key: str
    case: str
    name: str
    field: str
    recorded: float | str | None
    recomputed: float | str | None

    def __str__(self) -> str:
        said, found = self.recorded, self.recomputed
        where = f"record {self.key}, case {self.case}, {self.name}"
        return f"{where}: {self.field} is {said} in the record, {found} when recomputed"


@dataclass(frozen=True)
class RescoreReport:
    """records, cases: recomputed. without: keys of done records that kept no predictions."""

    records: int
    cases: int
    without: tuple[str, ...]
    differences: tuple[Difference, ...]


def rescore(results: Path, labels: Labels, *, keys: Iterable[str] | None = None) -> RescoreReport:
    """Scores every kept prediction under `results` anew; the records are not changed.

    keys: only these records. Where a prediction is lost or unreadable: DataError with the case.
    """
    chosen = None if keys is None else set(keys)
    cases, without, counted = 0, [], 0
    differences: list[Difference] = []
    for record in read_records(results):
        if record.status != "done" or (chosen is not None and record.key not in chosen):
            continue
        if record.files.predictions is None:
            without.append(record.key)
            continue
        counted += 1
        for case in record.cases:
            cases += 1
            prediction = kept_prediction(results, record, case.case)
            differences += _compare(record, case, prediction, labels)
    return RescoreReport(counted, cases, tuple(sorted(without)), tuple(differences))


def kept_prediction(results: Path, record: Record, case: str) -> np.ndarray:
    """The label map that a done record kept; DataError where it is lost or unreadable."""
    return _prediction(_inside(results, record), case)


def _inside(results: Path, record: Record) -> Path:
    """A record from elsewhere must not make us read outside its results folder."""
    folder = results / str(record.files.predictions)
    if not folder.resolve().is_relative_to(results.resolve()):
        raise RequestError(
            f"record {record.key}: files.predictions {record.files.predictions!r} "
            "leaves the results folder; correct the record"
        )
    return folder


def _prediction(folder: Path, case: str) -> np.ndarray:
    path = folder / f"{case}.npz"
    if path.parent.resolve() != folder.resolve():
        raise DataError(case, f"its name leads out of {folder}; correct the record")
    try:
        with zipfile.ZipFile(path) as packed:
            member = packed.getinfo("label.npy")
            if member.file_size > LARGEST:
                raise ValueError(f"it unpacks to more than {LARGEST} bytes")
            if packing := unbounded_packing(member):
                raise ValueError(f"it is packed with {packing}, which may take all memory")
            # Not by np.load: what it asks the archive for may be as much as the array claims.
            with packed.open(member) as file:
                content = io.BytesIO(file.read(member.file_size))
        return np.asarray(npy.read_array(content, allow_pickle=False))
    except FileNotFoundError:
        raise DataError(case, f"its prediction {path} is missing; run the unit again") from None
    except BROKEN as error:
        raise DataError(
            case, f"its prediction {path} cannot be read ({error}); run the unit again"
        ) from None


def _compare(
    record: Record, case: CaseResult, prediction: np.ndarray, labels: Labels
) -> list[Difference]:
    # Late: the board's tables do without what scoring needs.
    from bench.score import score_case

    reference = np.asarray(labels(record.request.dataset, case.case))
    if reference.shape != prediction.shape:
        raise DataError(
            case.case,
            f"the reference has shape {reference.shape}, the prediction of record {record.key} "
            f"{prediction.shape}; give the copy of the data that the unit ran on",
        )
    scores = score_case(prediction, reference, case.spacing, record.data.classes)
    found = []
    for name in record.data.classes:
        recorded = case.classes.get(name)
        for field in FIELDS:
            said = getattr(recorded, field, None)
            value = getattr(scores[name], field)
            if not _same(said, value):
                found.append(Difference(record.key, case.case, name, field, said, value))
    return found


def _same(said: float | str | None, value: float | str | None) -> bool:
    if isinstance(said, (int, float)) and isinstance(value, (int, float)):
        return abs(said - value) <= TOLERANCE * max(1.0, abs(said))
    return said == value
