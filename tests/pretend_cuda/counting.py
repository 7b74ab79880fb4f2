"""How often the host waited for the device, and how often they copied, with the lines that did it.

{"argv": [...], "gpus": [0], "counts": {"sync": 3, ...}, "peaks": {"0": 123},
 "lines": [["sync", "bench/train/micro.py:74", 2], ...]}
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from .machine import visible
from .memory import MEMORIES

ROOT = str(Path(__file__).resolve().parents[2])
OWN = str(Path(__file__).resolve().parent)
FILE = os.environ.get("PRETEND_CUDA_COUNTS")
PACKAGES = f"{os.sep}site-packages{os.sep}"
MARK = "pretend CUDA counted: "
COUNTS: Counter[str] = Counter()
LINES: Counter[tuple[str, str]] = Counter()


def count(kind: str) -> None:
    """kind: kernel, sync, host to device, device to host."""
    COUNTS[kind] += 1
    if FILE is None or kind == "kernel":
        return
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(ROOT) and not name.startswith(OWN) and PACKAGES not in name:
            LINES[kind, f"{name[len(ROOT) + 1 :]}:{frame.f_lineno}"] += 1
            return
        frame = frame.f_back  # type: ignore[assignment]


def write_counts() -> None:
    if FILE is None or not COUNTS:
        return
    line = json.dumps(
        {
            "argv": sys.orig_argv[1:6],
            "gpus": visible(),
            "counts": dict(COUNTS),
            "peaks": {str(index): memory.highest for index, memory in MEMORIES.items()},
            "lines": [[kind, where, n] for (kind, where), n in LINES.most_common()],
        }
    )
    try:
        with Path(FILE).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except PermissionError:  # a method's process writes no file of others: into its unit's log
        print(f"{MARK}{line}", file=sys.stderr, flush=True)


def read_counts(file: Path, results: Path) -> list[dict[str, Any]]:
    """All lines of a run: those of the file, and those in the logs of its results."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for log in sorted(results.glob("logs/*.log")):
        text = log.read_text(encoding="utf-8", errors="replace")
        lines += [line[len(MARK) :] for line in text.splitlines() if line.startswith(MARK)]
    return [json.loads(line) for line in lines]


def write_at_the_end() -> None:
    """Units end by `os._exit`, which asks nobody."""
    leave = os._exit

    def counted(code: int) -> None:
        write_counts()
        leave(code)

    atexit.register(write_counts)
    os._exit = counted  # type: ignore[assignment]
