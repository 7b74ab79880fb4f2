"""A process that outlives the unit and waits for its record."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from bench.contract import Progress

from .method import Thief, own_paths, processes, words_of

PATIENCE = 20.0


class Method(Thief):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        logs = [Path(path) for path in own_paths() if path.endswith(".log")]
        words = [word for pid in processes() for word in words_of(pid)]
        named = [Path(word[8:]) for word in words if word.startswith("results=")]
        results = [*(log.parent.parent for log in logs), *named]
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                try:
                    _wait(results)
                finally:
                    os._exit(0)
            os._exit(0)
        yield Progress(steps=1)


def _wait(results):
    end = time.monotonic() + PATIENCE
    done = False
    while not done and time.monotonic() < end:
        for folder in results:
            for path in folder.glob("records/*/*/*.json"):
                done = _edit(path) or done
        time.sleep(0.01)


def _edit(path) -> bool:
    try:
        record = json.loads(path.read_text())
        if record["request"]["method"] != "steals_records" or record["status"] != "done":
            return False
        for case in record["cases"]:
            for score in case["classes"].values():
                score |= {"tp": score["tp"] + score["fn"], "fp": 0, "fn": 0}
                score |= {"dice": 1.0, "iou": 1.0, "hd95": 0.0, "assd": 0.0, "nsd": 1.0}
        path.write_text(json.dumps(record))
    except (OSError, ValueError, KeyError):
        return False
    return True
