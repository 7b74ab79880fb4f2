"""How long the prediction of one volume may take: what is free for a method is not without end.

By default twenty times what the rows of the same data set need on such a device, so that training
inside `predict`, which no budget counts, is ended.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.errors import RequestError
from bench.unit.spec import Unit

FACTOR = 20
LEAST = 60.0
"""Seconds that are always allowed."""
UNKNOWN = 1800.0
"""Seconds where no row of the data set says anything."""
LOOKED_AT = 200
"""Records, the newest first: enough for a median."""


def check_predict_limit(value: object) -> float | None:
    """Seconds; None for "auto"."""
    if value == "auto":
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < float(value) < 1e9:  # type: ignore[arg-type]
        raise RequestError(f"predict_limit={value}: seconds for one volume, above 0; or auto")
    return float(value)  # type: ignore[arg-type]


def with_predict_limit(units: Sequence[Unit], given: float | None) -> tuple[Unit, ...]:
    """Each unit with its limit: what the user says, or what the records of its data set say."""
    known: dict[tuple[str, str], float] = {}
    limited = []
    for unit in units:
        place = (unit.request.dataset, unit.device)
        if given is None and place not in known:
            folder = Path(unit.results) / "records" / unit.request.dataset
            known[place] = _limit(seconds_a_volume(folder, cuda=unit.device.startswith("cuda")))
        limit = known[place] if given is None else given
        limited.append(unit.model_copy(update={"predict_limit": limit}))
    return tuple(limited)


def _limit(seconds: Sequence[float]) -> float:
    return max(LEAST, FACTOR * median(seconds)) if seconds else UNKNOWN


def seconds_a_volume(folder: Path, *, cuda: bool) -> list[float]:
    """Of each of the newest records: the median over its volumes. `cuda`: those of GPUs, else those
    of CPUs. What can't be read says nothing."""
    files = sorted(folder.glob("*/[!.]*.json"), key=_changed, reverse=True)[:LOOKED_AT]
    found = []
    for file in files:
        try:
            record = json.loads(file.read_bytes())
            on_gpu = record["machine"]["device"] != "cpu"
            cases = [float(case["seconds"]) for case in record["cases"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if cases and on_gpu == cuda:
            found.append(median(cases))
    return found


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
