"""Processes that end, or never do."""

from __future__ import annotations

import ctypes
import os
import signal
import time

from bench.contract import Progress

from .method import Plain


class SlowPredict(Plain):
    def predict(self, volume):
        time.sleep(30)
        return super().predict(volume)


class HangPredict(Plain):
    def predict(self, volume):
        while True:
            time.sleep(3600)


class HangAdapt(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        while True:
            time.sleep(3600)


class Exit(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        os._exit(0)


class Segfault(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        ctypes.string_at(0)


class KillsParent(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        parent = os.getppid()
        if parent > 1:
            os.kill(parent, signal.SIGKILL)
        time.sleep(1)
        yield Progress(steps=1)


class Interrupts(Plain):
    def predict(self, volume):
        raise KeyboardInterrupt
