"""Processes that augment, as nnU-Net has them, but seeded, and none that outlives its parent."""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
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


def working(loader: Any, *, workers: int, pinned: bool) -> MultiThreadedAugmenter | Pinned:
    """Batches of `loader` made by `workers` processes.

    nnU-Net's own augmenter hands batches out as they come, which no seed fixes. This one, of the
    same package, asks its workers in turn. The seeds come from numpy's global generator.
    """
    seeds = [int(seed) for seed in np.random.randint(2**31, size=workers)]
    batches = MultiThreadedAugmenter(
        Loader(loader, seeds[0]),
        None,
        num_processes=workers,
        num_cached_per_queue=2,
        seeds=seeds,
        pin_memory=False,
        wait_time=0.002,
    )
    return Pinned(batches) if pinned else batches


class Pinned:
    """The next batch is pinned by a thread while the device works on the last one. The augmenter
    has such a thread, too, but nobody hears of an error in it: training would wait for ever."""

    def __init__(self, batches: MultiThreadedAugmenter) -> None:
        self.batches = batches
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pin")
        self._next: Future[dict[str, Any]] | None = None

    def __iter__(self) -> Pinned:
        return self

    def __next__(self) -> dict[str, Any]:
        ready = self._next or self._thread.submit(self._pinned)
        batch = ready.result()
        self._next = self._thread.submit(self._pinned)
        return batch

    def _pinned(self) -> dict[str, Any]:
        batch = next(self.batches)
        try:
            return {name: pinned(value) for name, value in batch.items()}
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise RuntimeError(
                f"a training batch could not be pinned in host memory: {reason}; "
                "method.workers=0 does without"
            ) from error

    def _finish(self) -> None:
        """As the augmenter's own: ends the workers. The batch that is on its way comes first: a
        worker that ends meanwhile would take its sender away."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self.batches._finish()


def pinned(value: Any) -> Any:
    """Tensors, lists of them included, in memory that the device reads by itself."""
    if isinstance(value, torch.Tensor):
        return value.pin_memory()
    if isinstance(value, list | tuple):
        return type(value)(pinned(each) for each in value)
    return value
