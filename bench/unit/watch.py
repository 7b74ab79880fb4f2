"""Limits of a worker's process that nothing but its supervisor can hold it to."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from bench.unit import process_tree

SAID = {
    "start": "it",
    "make": "its constructor",
    "begin": "the call of its generator",
    "pull": "a step",
    "close": "the end of its generator",
    "load": "load_state_dict",
    **dict.fromkeys(("state", "state_hash", "keep_best", "leave"), "state_dict"),
}
"""Questions to a worker, as a contributor knows them."""
MOST_PROCESSES = 256
LEAST_FREE = 2**28
"""Bytes that must stay free where the unit's temporary files lie."""


@dataclass
class Limits:
    """predict  seconds for one volume; None: no limit
    answer   seconds for one answer of any kind
    until    when all must have ended, as time.monotonic() counts, and what this limit is called
    scratch  bytes of temporary files
    """

    predict: float | None = None
    answer: float | None = None
    until: tuple[float, str] | None = None
    scratch: int = 100 * 2**30
    processes: int = MOST_PROCESSES


def check_limits(
    limits: Limits, question: str, seconds: float, pid: int, folder: Path
) -> str | None:
    """Why the worker must be ended, or None."""
    if question == "predict" and limits.predict is not None and seconds > limits.predict:
        return (
            f"predict took longer than {limits.predict:.0f} s for one volume (the limit of this "
            "data set; predict_limit=SECONDS sets another)"
        )
    if limits.answer is not None and seconds > limits.answer:
        return f"{SAID.get(question, question)} did not end within {limits.answer:.0f} s"
    if limits.until is not None and time.monotonic() > limits.until[0]:
        return f"{SAID.get(question, question)} did not end within {limits.until[1]}"
    count = len(process_tree.tree(pid))
    if count > limits.processes:
        return f"it started {count} processes; {limits.processes} are allowed"
    used = _size(folder)
    if used > limits.scratch:
        allowed = limits.scratch / 2**30
        return f"it wrote {used / 2**30:.1f} GiB of temporary files; {allowed:.0f} are allowed"
    if used > LEAST_FREE and shutil.disk_usage(folder).free < LEAST_FREE:
        return f"its {used / 2**30:.1f} GiB of temporary files filled the disk"
    return None


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                continue
    return total
