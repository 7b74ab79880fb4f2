"""Scores predictions against labels that only this process has."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bench.data.store import Store
from bench.score import count_overlap, score_case


class Scorer:
    """`seconds`: all the time that scoring took."""

    def __init__(self, store: Store, classes: Sequence[str]) -> None:
        self._store = store
        self._classes = list(classes)
        self.seconds = 0.0

    def score(self, case: str, prediction: np.ndarray, *, boundary: bool) -> dict[str, Any]:
        """class -> scores as `bench.score` gives them; `boundary` False: overlap alone."""
        began = time.perf_counter()
        try:
            reference = self._store.volume(case, with_label=True)
            assert reference.label is not None
            if boundary:
                full = score_case(prediction, reference.label, reference.spacing, self._classes)
                return {name: asdict(score) for name, score in full.items()}
            counts = count_overlap(prediction, reference.label, self._classes)
            return {name: asdict(count) for name, count in counts.items()}
        finally:
            self.seconds += time.perf_counter() - began
