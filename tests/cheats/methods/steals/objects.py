"""Every object and every frame of its own process: labels, stores that give labels, scorers."""

from __future__ import annotations

import contextlib
import gc
import sys

import numpy as np

from .method import Thief


class Method(Thief):
    def look(self, volume):
        frame = sys._getframe()
        while frame is not None:
            for value in list(frame.f_locals.values()):
                yield from _labels(value, volume)
            frame = frame.f_back
        for value in gc.get_objects():
            if isinstance(value, np.ndarray):
                yield value
            elif type(value).__module__.startswith("bench."):
                yield from _labels(value, volume)


def _labels(value, volume):
    """A store by whatever name."""
    for holder in (value, getattr(value, "store", None)):
        with contextlib.suppress(Exception):
            yield np.load(holder.label_file(volume.case))
        with contextlib.suppress(Exception):
            yield holder.volume(volume.case, with_label=True).label
