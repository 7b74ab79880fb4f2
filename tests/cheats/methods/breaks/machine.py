"""Takes what the machine has for all. Bounded, so that a harness that lets it pass survives."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from bench.contract import Progress

from .method import Plain

PROCESSES = 400
PIECES, BYTES = 64, 2**25
"""2 GiB, in six seconds or more."""


class ForkBomb(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        for _ in range(PROCESSES):
            if os.fork() == 0:
                time.sleep(10)
                os._exit(0)
        time.sleep(5)
        yield Progress(steps=1)


class Disk(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        for number in range(PIECES):
            with Path(tempfile.gettempdir(), f"large{number}").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BYTES)
            time.sleep(0.1)
        yield Progress(steps=1)


class Escapes(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        os.write(1, b"\x1b[2J\x1b]0;title\x07\x00\xff")
        raise RuntimeError("\x1b[31mred\x1b[0m \x00 \udcff\r\n end")
