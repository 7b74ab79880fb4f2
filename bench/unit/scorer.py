"""The process that holds the labels: `python -m bench.unit.scorer STORE`.

A line of JSON in, a line out. The process that predicts never opens a label of the test set; it
hands over a file with its prediction and gets numbers back.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.store import Store, open_store
from bench.score import count_overlap, score_case


def answer(store: Store, classes: list[str], question: dict[str, Any]) -> dict[str, Any]:
    """`boundary` false: overlap alone, for the probe curve."""
    reference = store.volume(question["case"], with_label=True)
    assert reference.label is not None
    prediction = np.load(question["prediction"], mmap_mode="r", allow_pickle=False)
    if question["boundary"]:
        full = score_case(prediction, reference.label, reference.spacing, classes)
        return {name: asdict(score) for name, score in full.items()}
    counts = count_overlap(prediction, reference.label, classes)
    return {name: asdict(count) for name, count in counts.items()}


def main() -> None:
    for asks in (signal.SIGUSR2, signal.SIGTERM):  # a cluster asks all processes; it is the unit's
        signal.signal(asks, signal.SIG_IGN)
    store = open_store(Path(sys.argv[1]))
    classes = json.loads(sys.argv[2])
    for line in sys.stdin:
        try:
            reply: dict[str, Any] = {"scores": answer(store, classes, json.loads(line))}
        except Exception as error:  # the asking process turns it into the unit's reason
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
