"""Processes that augment, as nnU-Net has them, but seeded, and none that outlives its parent."""

from __future__ import annotations

import os
import random
import threading
import time
from typing import Any

import numpy as np
import torch
from batchgenerators.dataloading.multi_threaded_augmenter import MultiThreadedAugmenter

LOOK = 0.5
"""Seconds between two looks of a worker at whether its parent is still there."""


class Loader:
    """nnU-Net's loader of training batches, as a worker gets it."""

    def __init__(self, loader: Any, seed: int) -> None:
        self.loader = loader
        self.seed = seed
        self.parent = os.getpid()

    def set_thread_id(self, number: int) -> None:
        """The first that a worker calls. numpy is seeded by who calls this."""
        threading.Thread(target=self._end_with_parent, daemon=True).start()
        torch.set_num_threads(1)
        torch.manual_seed(self.seed + number)
        random.seed(self.seed + number)
        self.loader.set_thread_id(number)

    def _end_with_parent(self) -> None:
        # A worker would wait for ever for a killed parent to take its batches.
        while os.getppid() == self.parent:
            time.sleep(LOOK)
        os._exit(1)

    def __next__(self) -> dict[str, Any]:
        batch: dict[str, Any] = next(self.loader)
        return batch


def working(loader: Any, *, workers: int, pinned: bool) -> MultiThreadedAugmenter:
    """Batches of `loader` made by `workers` processes.

    nnU-Net's own augmenter hands batches out as they come, which no seed fixes. This one, of the
    same package, asks its workers in turn. The seeds come from numpy's global generator.
    """
    seeds = [int(seed) for seed in np.random.randint(2**31, size=workers)]
    return MultiThreadedAugmenter(
        Loader(loader, seeds[0]),
        None,
        num_processes=workers,
        num_cached_per_queue=2,
        seeds=seeds,
        pin_memory=pinned,
        wait_time=0.002,
    )
